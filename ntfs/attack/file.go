package attack

import (
	"strings"

	"snapmount/ntfs"
	"snapmount/ntfs/content"
)

// An Outcome is what is to be done about a file.
type Outcome uint8

const (
	Good      Outcome = iota // what is there now is good, or is older than the attack and was never flagged
	Found                    // it is damaged or gone, and has a good version
	None                     // it is damaged or gone, and no version is good
	Undecided                // no rule knows whether what is there now is good
	Unread                   // what is there now cannot be judged, since it cannot be read
)

var outcomeWords = [...]string{"good", "found", "none", "undecided", "unread"}

// String gives the outcome in one word.
func (o Outcome) String() string { return outcomeWords[o] }

// A File is one file over all points, with those whose place it took, and what is chosen of it.
type File struct {
	Path     string // as it is now, or was last
	Orphan   bool   // that is only the end of a path
	Ref      ntfs.Ref
	Gone     bool      // it is not there any more
	Versions []Version // oldest first; the last is what is there now, or was last
	Outcome  Outcome
	Verdict  content.Verdict // on the last version

	Pick    int             // number of the version that is chosen; -1 for none
	Chosen  content.Verdict // on that
	Because string          // why that was chosen
	Passed  []Passed        // what is newer than that and is not there now, newest first

	Step      int    // the point after which it was damaged, or went; -1 where that is not known
	Extension string // that it got then
}

// Passed is a version that was not chosen.
type Passed struct {
	Version int // number
	Why     string
}

// Spoiled reports whether the last version of the file is spoiled.
func (f *File) Spoiled() bool { return f.Verdict.State == content.Spoiled }

// Version gives what is chosen; nil for nothing.
func (f *File) Version() *Version {
	if f.Pick < 0 {
		return nil
	}
	return &f.Versions[f.Pick]
}

// Folder gives the directory that the file is, or was, in.
func (f *File) Folder() string {
	if f.Orphan {
		return orphans
	}
	return f.Path[:max(strings.LastIndexByte(f.Path, '/'), 0)]
}

// A file is a File on the way.
type file struct {
	File
	lives    []*life        // oldest first
	choice   content.Choice // newest first; of what was not judged, empty
	inAttack bool           // it went in an attack, or is what one left in place of a file that no point has
}

// index is the number of a version among those of package content.
func (f *file) index(version int) int { return len(f.Versions) - 1 - version }

// verdict gives the verdict on a version, and whether it was judged.
func (f *file) verdict(version int) (content.Verdict, bool) {
	k := f.index(version)
	if f.choice.Judged == nil || !f.choice.Judged[k] {
		return content.Verdict{}, false
	}
	if err := f.choice.Errs[k]; err != nil {
		return content.Verdict{State: content.Unknown, Rule: content.RuleUnknown, Why: oneLine(err)}, true
	}
	return f.choice.Verdicts[k], true
}

// firstDamaged gives the first of the last versions that are damaged; -1 where the last one is not.
func (f *file) firstDamaged() int {
	at := -1
	for i := len(f.Versions) - 1; i >= 0; i-- {
		v, ok := f.verdict(i)
		if !ok || v.State.Good() {
			break
		}
		if v.State.Damaged() {
			at = i
		}
	}
	return at
}

// decide decides on a file that was judged. begin is the point after which the first attack began; attacked says that there
// was one.
func (f *file) decide(begin int, attacked bool) {
	last := &f.Versions[len(f.Versions)-1]
	state := f.Verdict.State
	older := attacked && last.First <= begin
	switch {
	case f.inAttack && (f.Gone || !state.Good()):
	case f.choice.Judged == nil, state.Good(), f.Gone && state != content.Spoiled, older && !state.Damaged():
		return // it is Good
	}
	f.pick(begin, attacked)
	switch {
	case f.Pick >= 0 && (f.inAttack || state.Damaged()):
		f.Outcome = Found
	case !f.inAttack && state.Damaged() && f.alwaysSo():
		f.Outcome = Undecided
		f.Verdict.Why += "; it was like that at the oldest point"
	case f.inAttack || state.Damaged():
		f.Outcome = None
	case state == content.Unknown:
		f.Outcome = Unread
	default:
		f.Outcome = Undecided
	}
}

// alwaysSo reports whether the oldest version, under the same extension, is as damaged as the last one: then the file may be
// something else than its name says.
func (f *file) alwaysSo() bool {
	v, ok := f.verdict(0)
	return ok && len(f.Versions) > 1 && v.State.Damaged() && f.Extension == "" && extension(f.Versions[0].name()) == extension(f.Versions[len(f.Versions)-1].name())
}

// pick takes the newest version that is good, or undecided and older than the attack: of what is gone, the last one too.
func (f *file) pick(begin int, attacked bool) {
	for i := len(f.Versions) - 1; i >= 0; i-- {
		v, ok := f.verdict(i)
		older := attacked && f.Versions[i].Last <= begin
		switch {
		case !ok:
			return // Choose stops at what is good
		case i == len(f.Versions)-1 && !f.Gone:
			continue // Verdict says why
		case v.State.Good():
			f.Pick, f.Chosen, f.Because = i, v, "good"
			return
		case older && v.State == content.Undecided && v.Rule != content.RuleTypeChanged:
			f.Pick, f.Chosen, f.Because = i, v, "older than the attack"
			return
		}
		f.pass(i, v.State.String()+": "+v.Why)
	}
}

func (f *file) pass(i int, why string) { f.Passed = append(f.Passed, Passed{i, why}) }

// setStep finds after which point the file was damaged, or went, and what extension it got.
func (f *file) setStep() {
	f.Step = -1
	if at := f.firstDamaged(); at == 0 && len(f.Versions) > 1 {
		return // it never was other
	} else if at >= 0 {
		if f.Step = f.Versions[at].First - 1; at > 0 {
			if ext, ok := newExtension(f.Versions[at-1].name(), f.Versions[at].name(), true); ok {
				f.Extension = ext
			}
		}
	} else if f.Gone {
		f.Step = f.Versions[len(f.Versions)-1].Last
	}
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
