package points

import (
	"fmt"
	"slices"

	"snapmount/mount/when"
)

// AsOf gives the snapshots that were not taken after a time, of which a day or a minute counts to its end, the newest
// first, none that was carved among them. There is one at least, or the error says that there is none.
func (v *Volume) AsOf(text string) ([]*Point, error) {
	span, err := v.clock().Parse(text)
	if err != nil {
		return nil, err
	}
	v.assume(span, func(s when.Span) *Point { return v.at(when.Span{To: s.To, Ago: true}, false) }, text)
	known := slices.DeleteFunc(slices.Clone(v.Snapshots()), func(p *Point) bool { return p.Created().IsZero() || p.Carved != nil })
	slices.Reverse(known)
	slices.SortStableFunc(known, func(a, b *Point) int { return b.Created().Compare(a.Created()) })
	out := slices.DeleteFunc(known, func(p *Point) bool { return !p.Created().Before(span.To) })
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: as of %s: %w", v.Name, text, v.noPoint(&span))
	}
	return out, nil
}
