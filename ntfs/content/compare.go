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
	if o.size == 0 {
		return judge(n, fm)
	}
	if head := o.upTo(0, headSize); head != nil && !fm.signed(head) {
		fm = formatOf(sniff(head))
	}
	if n.size == 0 {
		return verdict(Undecided, RuleEmpty, "no bytes at all, and 0x%x before", o.size)
	}
	v := judge(n, fm)
	if v.State.Damaged() {
		if before := judge(o, fm); before.Rule == v.Rule && before.State.Damaged() {
			return verdict(Undecided, v.Rule, "%s; the older version is the same", v.Why)
		}
		if v.State == Torn && v.Rule == RuleZeros {
			v.State = Spoiled
		}
		return v
	}
	if v.Full || v.State == Unknown || v.Rule == RuleTypeChanged {
		return v
	}
	p := pairs(o, n)
	switch spoiled := p.verdict(fm, v); {
	case spoiled.State != Undecided:
		return spoiled
	case v.State == Undecided && p.able():
		return verdict(Whole, RulePlaces, "what changed does not look random")
	}
	return v
}
