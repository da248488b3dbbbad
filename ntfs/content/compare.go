package content

import "context"

// Compare tells the state of a newer version of a file of a kind, held against an older one. What the older one has not
// (a signature, sound structure, bytes that are not random) the newer one cannot have lost: an extension may lie, and test
// data is broken on purpose. It reads what Judge reads of both, and up to 512 pairs of windows. Errors are as of Judge.
func Compare(ctx context.Context, kind Kind, older, newer Version) (Verdict, error) {
	o, n := newFile(ctx, older), newFile(ctx, newer)
	v := compare(o, n, formatOf(kind), nil)
	return v.unless(n, o)
}

// unless returns the verdict, unless a file could not be read.
func (v Verdict) unless(fs ...*file) (Verdict, error) {
	for _, f := range fs {
		if f.err != nil {
			return f.failed()
		}
	}
	return v, nil
}

// compare runs all rules. alone is what judge said of n as fm; nil when it was not asked.
func compare(o, n *file, fm *format, alone *Verdict) Verdict {
	switch {
	case o.size == 0:
		return judge(n, fm)
	case n.size == 0:
		return verdict(Undecided, RuleEmpty, "no bytes at all, and 0x%x before", o.size)
	case n.zeroEnds() && !o.zeroEnds():
		return verdict(Spoiled, RuleZeros, "the first and last 64 KiB are zero, and were not")
	}
	named := fm
	fm, guessed := fm.of(o)
	var v Verdict
	if alone != nil && fm == named {
		v = *alone
	} else {
		v = judge(n, fm)
	}
	if v.Full || v.State == Unknown || v.Rule == RuleTypeChanged || fm.paged && v.State.Good() {
		return v
	}
	if v.State.Damaged() {
		if v, fm = excused(o, n, fm, v, guessed); v.State.Damaged() {
			return worse(o, n, fm, v)
		}
	}
	p := pairs(o, n, fm)
	switch spoiled := p.verdict(fm); {
	case spoiled.State != Undecided:
		return spoiled
	case v.State == Undecided && v.Rule == RuleNone && p.able():
		return verdict(Whole, RulePlaces, "what changed does not look random")
	}
	return v
}

// of returns the format by which versions newer than o are judged: f, unless it is not what o is; then what o looks like,
// which is a guess.
func (f *format) of(o *file) (fm *format, guessed bool) {
	head := o.upTo(0, headSize)
	if head == nil || f.kind != NoKind && f.signed(head) {
		return f, false
	}
	return formatOf(sniff(head)), true
}

// excused returns v, which is of damage, or a milder verdict and the format to go on with: the older version is the same, or
// no name tells that the newer one should be of its kind and it does not look random.
func excused(o, n *file, fm *format, v Verdict, guessed bool) (Verdict, *format) {
	before := judge(o, fm)
	same := before.Rule == v.Rule && before.State.Damaged()
	switch {
	case same && guessed && v.Rule == RuleText:
		return verdict(Undecided, RuleNone, "no rule for this kind of file"), &format{}
	case same:
		return verdict(Undecided, v.Rule, "%s; the older version is the same", v.Why), &format{kind: fm.kind}
	case guessed && (v.Rule == RuleSignature || v.Rule == RuleText) && !random(n.upTo(0, windowSize)):
		return verdict(Undecided, RuleTypeChanged, "%s, but no name tells that it should be", v.Why), fm
	}
	return v, fm
}

// worse returns v, which is of damage, as Spoiled if what changed since the older version is random.
func worse(o, n *file, fm *format, v Verdict) Verdict {
	if v.State == Spoiled {
		return v
	}
	p := pairs(o, n, fm)
	if spoiled := p.verdict(fm); spoiled.State == Spoiled {
		v.State, v.Why = Spoiled, v.Why+"; "+spoiled.Why
	}
	return v
}
