package content

import "context"

// Judge tells the state of one version of a file of a kind, from the version alone. It reads what the kind's structure
// check needs, all of the file for many, and up to 64 windows. The error is a failure to read, or the end of ctx; bytes that
// are not known make a verdict.
func Judge(ctx context.Context, kind Kind, v Version) (Verdict, error) {
	f := newFile(ctx, v)
	verdict := judge(f, formatOf(kind))
	if f.err != nil {
		return f.failed()
	}
	return verdict, nil
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
		if found := fm.check(f); found.state != Undecided || found.why != "" {
			return f.structure(fm, found, w)
		}
	}
	if w.random.State != Undecided {
		return w.random
	}
	if len(fm.sig) > 0 {
		return verdict(Whole, RuleNone, "the signature of %s is there", fm.kind)
	}
	if w.text && (fm.class == text || fm.kind == NoKind) {
		return verdict(Whole, RuleNone, "it is text")
	}
	return verdict(Undecided, RuleNone, "no rule for this kind of file")
}

// structure is the verdict of a structure check.
func (f *file) structure(fm *format, found finding, w seen) Verdict {
	v := Verdict{State: found.state, Rule: RuleStructure, Full: found.full, Why: found.why}
	if found.state == Torn && random(f.upTo(max(found.off-found.off%windowSize, 0), windowSize)) {
		v.State = Spoiled
	}
	return v
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
	text    bool    // all windows look like text
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
	randoms, texts, n := 0, 0, 0
	var script script
	var head []byte
	for i, off := range windows(f.size, maxWindows) {
		if !f.known0(off, windowSize) {
			continue
		}
		b := f.upTo(off, windowSize)
		if off == 0 {
			head, script = b, scriptOf(b)
		}
		n++
		isRandom := random(b)
		if isRandom {
			randoms++
			if i == 0 && fm.head {
				s.random = verdict(Spoiled, RuleRandom, "the first 4 KiB look like random bytes")
			}
		}
		if looksLike(b, script, off%2 == 1) {
			texts++
		} else if fm.class == text && s.spoiled.State == Undecided && notText(b, script, off%2 == 1) {
			s.spoiled = verdict(Spoiled, RuleText, "the 4 KiB at 0x%x are no text", off)
		}
	}
	s.text = n > 0 && texts == n
	if head != nil && !fm.signed(head) {
		s.spoiled = f.unsigned(fm, head, s.text)
	}
	if fm.class == plain && n > 0 && randoms*10 > n*9 {
		s.random = verdict(Spoiled, RuleRandom, "%d of %d windows look like random bytes", randoms, n)
	}
	return s
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
	other := formatOf(sniff(head))
	if other.kind != NoKind && other.kind != Text && other.signed(head) {
		if other.check == nil || f.v.known(0, f.size) && other.check(f).state.Good() {
			return verdict(Undecided, RuleTypeChanged, "a %s under the name of a %s", other.kind, fm.kind)
		}
	}
	return verdict(Spoiled, RuleSignature, "the signature of %s is gone", fm.kind)
}
