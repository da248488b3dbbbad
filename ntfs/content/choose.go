package content

import (
	"context"
	"fmt"
)

// A Phase is when a candidate is from, by the evidence of the whole image.
type Phase uint8

// Phases of a candidate.
const (
	NoAttack Phase = iota // nothing is known of an attack
	Before                // older than the attack's begin, and the file was not touched by a burst
	During                // the attack had begun, or a burst touched the file
)

// A Candidate is a file at one point in time.
type Candidate struct {
	Name    string // the file's name at that point
	Version Version
	// Same names the content: candidates with the same one that is not "" hold the same bytes, and are judged once.
	Same  string
	Phase Phase
}

// A Choice is the newest good version of a file.
type Choice struct {
	Index    int       // of the candidate; -1 when none is good
	Kind     Kind      // by which the versions were judged
	Verdicts []Verdict // of all candidates, as far as Judged
	Judged   []bool    // older ones than the chosen are judged only when they are needed
	Errs     []error   // a candidate that could not be read; nil else
	Passed   []string  // of each candidate before Index why it was passed over
}

// Choose goes from the newest candidate to the older ones and takes the first that is good, or undecided but not touched by
// the attack: from before it, or equal to an older candidate that is not During. All others must be good.
// One that cannot be read is passed over with its error; the error of Choose is the end of ctx. Candidates are
// newest first.
func Choose(ctx context.Context, cs []Candidate) (Choice, error) {
	c := chooser{ctx: ctx, cs: cs, kind: kindOf(ctx, cs), oldest: map[string]int{}}
	for i := range cs {
		c.oldest[cs[i].Same] = i
	}
	c.Choice = Choice{Index: -1, Kind: c.kind, Verdicts: make([]Verdict, len(cs)), Judged: make([]bool, len(cs)), Errs: make([]error, len(cs)), Passed: make([]string, len(cs))}
	for i := range cs {
		c.judge(i)
		if err := context.Cause(ctx); err != nil {
			return c.Choice, err
		}
		why := c.against(i)
		if why == "" {
			c.Index = i
			break
		}
		c.Passed[i] = why
	}
	return c.Choice, nil
}

// kindOf is the kind of a file by the oldest version whose name and first bytes tell one.
func kindOf(ctx context.Context, cs []Candidate) Kind {
	for i := len(cs) - 1; i >= 0; i-- {
		if k := KindOf(cs[i].Name, newFile(ctx, cs[i].Version).upTo(0, windowSize)); k != NoKind {
			return k
		}
	}
	return NoKind
}

type chooser struct {
	Choice
	ctx    context.Context
	cs     []Candidate
	kind   Kind
	oldest map[string]int // the oldest candidate by Same, which is judged for all of them
}

// against returns why a judged candidate is not taken; "" when it is.
func (c *chooser) against(i int) string {
	v := c.Verdicts[i]
	switch {
	case c.Errs[i] != nil:
		return fmt.Sprintf("cannot be read: %v", c.Errs[i])
	case v.State.Good():
		return ""
	case v.State != Undecided || v.Rule == RuleTypeChanged:
	case c.untouched(i):
		return ""
	}
	return fmt.Sprintf("%v: %s", v.State, v.Why)
}

// untouched reports whether a candidate's bytes are from before the attack.
func (c *chooser) untouched(i int) bool {
	if c.cs[i].Phase == Before {
		return true
	}
	for j := i + 1; j < len(c.cs); j++ {
		if c.same(i, j) && c.cs[j].Phase != During {
			return true
		}
	}
	return false
}

func (c *chooser) same(i, j int) bool { return c.cs[i].Same != "" && c.cs[i].Same == c.cs[j].Same }

// judge judges a candidate, once: alone when its structure proves it, else against the newest older one that is sound,
// which is judged first.
func (c *chooser) judge(i int) {
	if c.Judged[i] {
		return
	}
	c.Judged[i] = true
	if j := c.oldest[c.cs[i].Same]; c.same(i, j) && i != j {
		c.judge(j)
		c.Verdicts[i], c.Errs[i] = c.Verdicts[j], c.Errs[j]
		return
	}
	v, err := Judge(c.ctx, c.kind, c.cs[i].Version)
	if err == nil && !v.Full && v.State != Unknown {
		if j := c.reference(i); j >= 0 {
			v, err = Compare(c.ctx, c.kind, c.cs[j].Version, c.cs[i].Version)
		}
	}
	c.Verdicts[i], c.Errs[i] = v, err
}

// reference returns the newest older candidate of other bytes that is not damaged; -1 when there is none.
func (c *chooser) reference(i int) int {
	for j := i + 1; j < len(c.cs); j++ {
		if c.same(i, j) {
			continue
		}
		c.judge(j)
		if s := c.Verdicts[j].State; c.Errs[j] == nil && (s.Good() || s == Undecided) {
			return j
		}
	}
	return -1
}
