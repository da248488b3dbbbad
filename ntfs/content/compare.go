package content

import "context"

// Compare tells the state of a newer version of a file of a kind, held against an older one. What the older one has not
// (a signature, sound structure, bytes that are not random) the newer one cannot have lost: an extension may lie, and test
// data is broken on purpose. It reads what Judge reads of both, and up to 512 pairs of windows. Errors are as of Judge.
func Compare(ctx context.Context, kind Kind, older, newer Version) (Verdict, error) {
	o, n := newFile(ctx, older), newFile(ctx, newer)
	v := compare(o, n, formatOf(kind))
	for _, f := range []*file{n, o} {
		if f.err != nil {
			return f.failed()
		}
	}
	return v, nil
}

func compare(o, n *file, fm *format) Verdict {
	switch {
	case o.size == 0:
		return judge(n, fm)
	case n.size == 0:
		return verdict(Undecided, RuleEmpty, "no bytes at all, and 0x%x before", o.size)
	case n.zeroEnds() && !o.zeroEnds():
		return verdict(Spoiled, RuleZeros, "the first and last 64 KiB are zero, and were not")
	}
	guessed := false
	if head := o.upTo(0, headSize); head != nil && (fm.kind == NoKind || !fm.signed(head)) {
		fm, guessed = formatOf(sniff(head)), true
	}
	v := judge(n, fm)
	if v.State.Damaged() {
		before := judge(o, fm)
		switch same := before.Rule == v.Rule && before.State.Damaged(); {
		case same:
			v = verdict(Undecided, v.Rule, "%s; the older version is the same", v.Why)
			fm = &format{kind: fm.kind}
		case guessed && (v.Rule == RuleSignature || v.Rule == RuleText):
			v = verdict(Undecided, RuleTypeChanged, "%s, but no name tells that it should be", v.Why)
		default:
			return v
		}
	}
	if v.Full || v.State == Unknown || v.Rule == RuleTypeChanged && !guessed {
		return v
	}
	p := pairs(o, n)
	switch spoiled := p.verdict(fm); {
	case spoiled.State != Undecided:
		return spoiled
	case v.State == Undecided && v.Rule == RuleNone && p.able():
		return verdict(Whole, RulePlaces, "what changed does not look random")
	}
	return v
}
