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
	// Fallback is what is there when none is good: the newest candidate that the attack did not touch and that can be read,
	// incomplete or torn as it was before; -1 when there is none, and when Index is not -1.
	Fallback int
}

// Choose goes from the newest candidate to the older ones and takes the first that is good, or undecided but not touched by
// the attack: from before it, or equal to an older candidate that is not During. All others must be good; and one that is
// During must be so against an older version, or as a whole by its structure, or a text: alone, other kinds hide much.
// One that cannot be read is passed over with its error; the error of Choose is the end of ctx. Candidates are
// newest first.
func Choose(ctx context.Context, cs []Candidate) (Choice, error) {
	c := chooser{ctx: ctx, cs: cs, kind: kindOf(ctx, cs), oldest: map[string]int{}, alone: make([]bool, len(cs))}
	for i := range cs {
		c.oldest[cs[i].Same] = i
	}
	c.Choice = Choice{Index: -1, Fallback: -1, Kind: c.kind, Verdicts: make([]Verdict, len(cs)), Judged: make([]bool, len(cs)), Errs: make([]error, len(cs)), Passed: make([]string, len(cs))}
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
	for i := range cs {
		if s := c.Verdicts[i].State; c.Index < 0 && c.Errs[i] == nil && s != Spoiled && s != Unknown && c.untouched(i) {
			c.Fallback = i
			break
		}
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
	alone  []bool         // the verdict is from one version, which its structure does not prove
}

// against returns why a judged candidate is not taken; "" when it is.
func (c *chooser) against(i int) string {
	v := c.Verdicts[i]
	switch {
	case c.Errs[i] != nil:
		return fmt.Sprintf("cannot be read: %v", c.Errs[i])
	case v.State.Good() && c.cs[i].Phase == During && c.alone[i] && !c.untouched(i):
		return fmt.Sprintf("%v as far as one version tells, and no older one is sound: %s", v.State, v.Why)
	case v.State.Good():
		return ""
	case v.State == Undecided && c.untouched(i):
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
		c.Verdicts[i], c.Errs[i], c.alone[i] = c.Verdicts[j], c.Errs[j], c.alone[j]
		return
	}
	fm, n := formatOf(c.kind), newFile(c.ctx, c.cs[i].Version)
	v := judge(n, fm)
	c.alone[i] = !v.Full && fm.class != text
	if n.err != nil || v.Full || v.State == Unknown {
		c.Verdicts[i], c.Errs[i] = v.unless(n)
		return
	}
	if j := c.reference(i); j >= 0 {
		o := newFile(c.ctx, c.cs[j].Version)
		c.alone[i] = false
		c.Verdicts[i], c.Errs[i] = compare(o, n, fm, &v).unless(n, o)
		return
	}
	c.Verdicts[i] = v
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
