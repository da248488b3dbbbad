package content

import "fmt"

// A State is what can be said of a file's bytes. The names, as String gives them, are one vocabulary for all commands.
type State uint8

// The states. What is Open or Recoverable is never Spoiled: a database in use looks unfinished, and is not damaged.
const (
	// Undecided says that no rule knows, or that people must decide.
	Undecided State = iota
	// Whole says that nothing is missing or wrong as far as the rules of the kind see.
	Whole
	// Open says that a program had the file in use when it was copied, and that all that can be checked is right.
	Open
	// Recoverable says that the file needs what lies beside it (a log, a journal), and that this is there.
	Recoverable
	// Incomplete says that the file ends early or that what it needs is missing; what is there is right.
	Incomplete
	// Torn says that a place in the file is wrong, as after a write that was cut short.
	Torn
	// Unknown says that bytes of the file are not known, so that nothing can be concluded from the others.
	Unknown
	// Spoiled says that the content was replaced: encrypted, or overwritten.
	Spoiled
)

var stateNames = [...]string{"undecided", "whole", "open", "recoverable", "incomplete", "torn", "unknown", "spoiled"}

// String returns the state's word, in lower case.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// ParseState returns the state of a word as String gives it.
func ParseState(word string) (State, bool) {
	for i, name := range stateNames {
		if name == word {
			return State(i), true
		}
	}
	return Undecided, false
}

// MarshalText returns the state's word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Good reports whether a file in this state is worth restoring without a question.
func (s State) Good() bool { return s == Whole || s == Open || s == Recoverable }

// Damaged reports whether a file in this state has lost content.
func (s State) Damaged() bool { return s == Spoiled || s == Torn || s == Incomplete }

// A Rule is what led to a verdict.
type Rule uint8

// The rules, as the package comment lists them.
const (
	RuleNone Rule = iota
	RuleZeros
	RuleSignature
	RuleTypeChanged
	RuleText
	RuleStructure
	RuleRandom
	RulePlaces
	RuleUnknown // bytes that are not known
	RuleEmpty   // no bytes at all
)

var ruleNames = [...]string{"none", "zeros", "signature", "type changed", "text", "structure", "random", "changed places",
	"unknown bytes", "empty"}

// String returns the rule's name, in lower case.
func (r Rule) String() string {
	if int(r) < len(ruleNames) {
		return ruleNames[r]
	}
	return fmt.Sprintf("Rule(%d)", uint8(r))
}

// MarshalText returns the rule's name.
func (r Rule) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Verdict is the state of one version, with its reason.
type Verdict struct {
	State State
	Rule  Rule
	// Full says that the check read and proved nearly every byte, so that the verdict needs no older version.
	Full bool
	// Why is one clause for people, of plain ASCII and without bytes of the file: "CRC of the member at 0x1f40 is wrong".
	Why string
}

func verdict(s State, r Rule, format string, args ...any) Verdict {
	return Verdict{State: s, Rule: r, Why: fmt.Sprintf(format, args...)}
}
