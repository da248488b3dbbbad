package content

import (
	"bytes"
	"context"
)

// Judge tells the state of one version of a file of a kind, from the version alone. It reads what the kind's structure
// check needs, all of the file for many, and up to 64 windows. The error is a failure to read, or the end of ctx; bytes that
// are not known make a verdict.
func Judge(ctx context.Context, kind Kind, v Version) (Verdict, error) {
	f := newFile(ctx, v)
	return judge(f, formatOf(kind)).unless(f)
}

// judge runs the rules that need one version. f.err is for the caller.
func judge(f *file, fm *format) Verdict {
	if f.size == 0 {
		return empty(fm)
	}
	if fm.kind == NoKind {
		if other := formatOf(sniff(f.upTo(0, headSize))); other.kind != Text {
			fm = other
		}
	}
	w := look(f, fm)
	if w.spoiled.State != Undecided || w.spoiled.Rule != RuleNone {
		return w.spoiled
	}
	if !f.v.known(0, f.size) {
		return verdict(Unknown, RuleUnknown, "part of the content is not known")
	}
	if fm.check != nil {
		found := fm.check(f)
		random := fm.class == plain && w.random.State != Undecided && found.state.Good() && !found.full
		if !random && found != silent {
			return f.structure(fm, found)
		}
	}
	return f.unopposed(fm, w)
}

// unopposed is the verdict on a version that no rule but perhaps that of random bytes speaks of.
func (f *file) unopposed(fm *format, w seen) Verdict {
	switch {
	case w.random.State != Undecided:
		return w.random
	case len(fm.sig) > 0:
		return verdict(Whole, RuleNone, "the signature of %s is there", fm.kind)
	case w.text() && (fm.class == text || fm.kind == NoKind):
		return verdict(Whole, RuleNone, "it is text")
	case fm.class == text && f.size >= leastRandom:
		return f.changedType(fm, f.upTo(0, headSize), verdict(Whole, RuleNone, "it is text with control characters"))
	}
	return verdict(Undecided, RuleNone, "no rule for this kind of file")
}

// structure is the verdict of a structure check.
func (f *file) structure(fm *format, found finding) Verdict {
	v := Verdict{State: found.state, Rule: RuleStructure, Full: found.full, Why: found.why}
	switch at := found.off &^ (windowSize - 1); {
	case found.state != Torn:
	case fm.class == packed && f.zeroTail():
		v.State, v.Why = Incomplete, "it ends in zeros, as what was not written yet; "+v.Why
	case random(f.upTo(at, windowSize)) && !zeroSector(f.upTo(at, 16*windowSize)):
		v.State = Spoiled
	}
	return v
}

// zeroTail reports whether the end of a file is zeros, as that of a download for which room was made.
func (f *file) zeroTail() bool {
	n := min(f.size/8, 64<<10)
	return n >= windowSize && zeros(f.upTo(f.size-n, n))
}

// zeroSector reports whether a sector is zeros: a write that was lost leaves them.
func zeroSector(b []byte) bool {
	for ; len(b) >= 512; b = b[512:] {
		if zeros(b[:512]) {
			return true
		}
	}
	return false
}

func empty(fm *format) Verdict {
	if len(fm.sig) > 0 {
		return verdict(Incomplete, RuleEmpty, "no bytes at all")
	}
	return verdict(Whole, RuleEmpty, "no bytes at all")
}

// seen is what the windows of a version tell.
type seen struct {
	spoiled Verdict // by zeros, signature, text
	random  Verdict // by the rule of random bytes, which a structure that holds outweighs
	head    []byte  // the first window; nil when it is not known
	script  script
	// How many windows were looked at, and of those look like text and like random bytes.
	n, texts, randoms int
}

// text reports whether all windows look like text.
func (s *seen) text() bool { return s.n > 0 && s.texts == s.n }

// mostly reports whether nearly all windows look like random bytes. The first one has the header, whatever follows.
func (s *seen) mostly() bool {
	return s.n > 0 && s.randoms*10 > s.n*9 || s.n > 3 && s.randoms == s.n-1 && !random(s.head)
}

// zeroEnds reports whether the first and last 64 KiB are known and zero.
func (f *file) zeroEnds() bool {
	const n = 64 << 10
	for _, off := range []int64{0, max(f.size-n, 0)} {
		if b := f.upTo(off, n); !f.known0(off, n) || len(b) == 0 || !zeros(b) {
			return false
		}
	}
	return true
}

// look reads the windows of a version and runs the rules on them. Windows that are not known are passed over.
func look(f *file, fm *format) (s seen) {
	if (fm.sig != nil || fm.class == text) && f.zeroEnds() {
		s.spoiled = verdict(Torn, RuleZeros, "the first and last 64 KiB are zero")
		return s
	}
	for _, off := range windows(f.size, maxWindows) {
		if f.known0(off, windowSize) {
			s.window(f, fm, off)
		}
	}
	if s.head != nil && !fm.signed(s.head) {
		s.spoiled = f.unsigned(fm, s.head, s.text())
	}
	if fm.class == plain && s.mostly() {
		s.random = verdict(Spoiled, RuleRandom, "%d of %d windows look like random bytes", s.randoms, s.n)
	}
	return s
}

// window looks at the window at an offset.
func (s *seen) window(f *file, fm *format, off int64) {
	b, odd := f.upTo(off, windowSize), off%2 == 1
	if off == 0 {
		s.head, s.script = b, scriptOf(b)
	}
	s.n++
	if random(b) {
		s.randoms++
		if off == 0 && fm.head {
			s.random = verdict(Spoiled, RuleRandom, "the first 4 KiB look like random bytes")
		}
	}
	switch {
	case looksLike(b, s.script, odd):
		s.texts++
	case fm.class != text || s.spoiled.Rule != RuleNone || !notText(b, s.script, odd):
	case bytes.Count(b, []byte{0})*20 > len(b):
		s.spoiled = verdict(Undecided, RuleText, "binary data under the name of a text")
	default:
		s.spoiled = f.changedType(fm, s.head, verdict(Spoiled, RuleText, "the 4 KiB at 0x%x are no text", off))
	}
}

// known0 is known, of as many bytes as there are.
func (f *file) known0(off, n int64) bool {
	off = max(off, 0)
	return f.v.known(off, min(n, f.size-off))
}

func looksLike(b []byte, s script, odd bool) bool {
	if s != bytewise {
		return !badUTF16(b, s, odd)
	}
	return looksText(b)
}

// unsigned is the verdict on a version without the signature of its kind.
func (f *file) unsigned(fm *format, head []byte, isText bool) Verdict {
	if isText {
		return verdict(Undecided, RuleTypeChanged, "a text under the name of a %s", fm.kind)
	}
	return f.changedType(fm, head, verdict(Spoiled, RuleSignature, "the signature of %s is gone", fm.kind))
}

// changedType returns v, or that the version is a whole file of another kind. A short signature is believed only with a
// structure that holds.
func (f *file) changedType(fm *format, head []byte, v Verdict) Verdict {
	known := f.v.known(0, f.size)
	for i := range formats {
		other := &formats[i]
		weak, strong := other.likely(head)
		if other == fm || !weak && !strong {
			continue
		}
		if strong && other.check == nil || other.check != nil && known && other.check(f).state.Good() {
			return verdict(Undecided, RuleTypeChanged, "a %s under the name of a %s", other.kind, fm.kind)
		}
	}
	return v
}
