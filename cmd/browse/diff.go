package browse

import (
	"context"
	"fmt"
	"path"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs/compare"
)

// diffView is how two versions of a file differ.
type diffView struct {
	points []*points.Point
	a, b   compare.Version // the older one first
	found  *compare.Difference
	err    error
	lines  scroller
	read   slot
}

func newDiff(m *model, all []*points.Point, a, b compare.Version) *diffView {
	v := &diffView{points: all, a: a, b: b}
	m.jobs.start(&v.read, func(ctx context.Context, send func(func()) bool) error {
		before, err := v.content(a)
		if err != nil {
			return err
		}
		after, err := v.content(b)
		if err != nil {
			return err
		}
		d, err := compare.Differing(ctx, before, after)
		if err == nil {
			send(func() { v.found = &d; v.resized(m) })
		}
		return err
	}, func(err error) { v.err = err })
	return v
}

func (v *diffView) content(x compare.Version) (layer.Mapper, error) {
	s, err := x.Node.Stream(x.Stream)
	if err != nil {
		return nil, v.points[x.First].Because(err)
	}
	return s, nil
}

func (v *diffView) slots() []*slot { return []*slot{&v.read} }

func (v *diffView) title(*model) string {
	return fmt.Sprintf("%s: version %d against version %d", path.Base(v.b.Path), v.b.Number, v.a.Number)
}

func (v *diffView) hints() string { return "? help  Esc back  Up Down PgUp PgDn scroll" }

func (v *diffView) status(m *model) (string, style) {
	switch {
	case v.err != nil:
		return m.safe("not known: " + report.OneLine(v.err)), fault
	case v.found == nil:
		return "comparing ...", bold
	case len(v.found.Hunks)+len(v.found.Rows) == 0:
		return "the content is the same", plain
	case v.found.More:
		return "there are more differences, which are not shown", changed
	}
	return fmt.Sprintf("%d of %d lines", min(v.lines.top+m.high()-2, len(v.lines.lines)), len(v.lines.lines)), plain
}

func (v *diffView) key(m *model, key string) bool { return v.lines.move(key, m.high()-2) }

func (v *diffView) draw(m *model, g *grid) {
	for i, x := range []compare.Version{v.a, v.b} {
		g.put(0, 1+i, []style{gone, added}[i]|bold, fit(fmt.Sprintf("%s version %d  %s  %d bytes", []string{"---", "+++"}[i], x.Number, m.when(v.points[x.First]), x.Size), m.w))
	}
	v.lines.draw(g, 3, m.high()-2)
}

func (v *diffView) resized(m *model) {
	v.lines.lines = nil
	if v.found == nil {
		return
	}
	for _, h := range v.found.Hunks {
		v.lines.add(moved, m.w, fmt.Sprintf("@@ line %d, and line %d then @@", h.OldLine, h.NewLine))
		for _, l := range h.Lines {
			look := map[byte]style{'-': gone, '+': added}[l.Op]
			end := ""
			if l.NoEnd {
				end = "  [no line end]"
			}
			for i, part := range wrap(m.safe(untab(l.Text))+end, m.w-1) {
				op := string(l.Op)
				if i > 0 {
					op = " "
				}
				v.lines.lines = append(v.lines.lines, textLine{look, op + part})
			}
		}
	}
	for _, r := range v.found.Rows {
		v.hexRows(m, r)
	}
}

// hexRows shows bytes that differ, one above the other.
func (v *diffView) hexRows(m *model, r compare.HexRow) {
	if r.Err != nil {
		v.lines.add(fault, m.w, m.safe(fmt.Sprintf("%08x  not known: %s", r.Off, report.OneLine(r.Err))))
		return
	}
	n := across(m.w - 2)
	for at := 0; at < max(len(r.A), len(r.B)); at += n {
		for i, data := range [][]byte{r.A, r.B} {
			if at < len(data) {
				line := hexRow(&piece{data: data}, at, min(n, len(data)-at), n, r.Off+int64(at))
				v.lines.lines = append(v.lines.lines, textLine{[]style{gone, added}[i], []string{"-", "+"}[i] + line})
			}
		}
	}
}
