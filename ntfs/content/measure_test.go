package content

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// tally counts what was said of one sort of change.
type tally struct{ damaged, spoiled, undecided, good int }

func (c *tally) add(s State) {
	switch {
	case s.Damaged():
		c.damaged++
		if s == Spoiled {
			c.spoiled++
		}
	case s.Good():
		c.good++
	default:
		c.undecided++
	}
}

func (c tally) sum() int { return c.damaged + c.undecided + c.good }

// outcome is what one case came to.
type outcome struct {
	change string
	alone  bool // judged without the older version
	v      Verdict
	file   sample
	with   string // the file in its place
}

// TestMeasure holds the rules against real files of this machine: ten kinds of damage, and honest changes. Its figures are
// from the files whose SHA-256 is even; SNAPMOUNT_HALF=odd shows the half on which thresholds may be set.
func TestMeasure(t *testing.T) {
	testenv.NotUnderRace(t)
	if testing.Short() {
		t.Skip("SKIPPED: takes a minute")
	}
	all := corpus(t)
	odd := os.Getenv("SNAPMOUNT_HALF") == "odd"
	var half []sample
	exts := map[string]bool{}
	for _, s := range all {
		if s.odd == odd {
			half = append(half, s)
			exts[s.ext] = true
		}
	}
	if len(half) < 300 || len(exts) < 40 {
		t.Skipf("SKIPPED: this machine has only %d files of %d extensions to measure with", len(half), len(exts))
	}
	t.Logf("%d files of %d extensions", len(half), len(exts))
	bad, honest := measure(t, half)
	precision := 100 * float64(bad.damaged) / float64(bad.damaged+honest.damaged)
	recall := 100 * float64(bad.damaged) / float64(bad.sum())
	t.Logf("%d honest changes undecided", honest.undecided)
	t.Logf("against an older version: precision %.2f %%, recall %.2f %%", precision, recall)
	if !odd && (precision < 99.5 || recall < 99) {
		t.Errorf("precision %.2f %%, recall %.2f %%; want 99.5 and 99", precision, recall)
	}
}

// measure judges all changes of all files and logs the table.
func measure(t *testing.T, files []sample) (bad, honest tally) {
	results := make([][]outcome, len(files))
	var wg sync.WaitGroup
	next := make(chan int)
	for range 4 {
		wg.Go(func() {
			for i := range next {
				results[i] = outcomes(t, files, i)
			}
		})
	}
	for i := range files {
		next <- i
	}
	close(next)
	wg.Wait()
	alone, pair := map[string]*tally{}, map[string]*tally{}
	var order []string
	for _, list := range results {
		for _, o := range list {
			if pair[o.change] == nil {
				pair[o.change], alone[o.change] = &tally{}, &tally{}
				order = append(order, o.change)
			}
			if o.alone {
				alone[o.change].add(o.v.State)
				continue
			}
			pair[o.change].add(o.v.State)
			explainMiss(t, o)
		}
	}
	t.Logf("%-38s %s %9s %s", "", "with an older version", "", "one version alone")
	t.Logf("%-30s %6s %7s %7s %6s %5s  %7s %7s %6s %5s", "change", "files", "damaged", "spoiled", "undec.", "good", "damaged", "spoiled", "undec.", "good")
	slices.SortStableFunc(order, func(a, b string) int {
		return cmp.Compare(btoi(!strings.HasPrefix(a, "damage")), btoi(!strings.HasPrefix(b, "damage")))
	})
	for _, name := range order {
		p, a := pair[name], alone[name]
		t.Logf("%-30s %6d %7d %7d %6d %5d  %7d %7d %6d %5d", name, p.sum(), p.damaged, p.spoiled, p.undecided, p.good, a.damaged, a.spoiled, a.undecided, a.good)
		into := &honest
		switch {
		case strings.HasPrefix(name, "damage: "):
			into = &bad
		case name == "another type":
			continue // for people to decide
		}
		into.damaged, into.undecided, into.good = into.damaged+p.damaged, into.undecided+p.undecided, into.good+p.good
	}
	return bad, honest
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func explainMiss(t *testing.T, o outcome) {
	if damage := strings.HasPrefix(o.change, "damage: "); damage != o.v.State.Damaged() && o.change != "another type" && (damage || o.v.State.Damaged()) {
		t.Logf("%s: %s (0x%x bytes) %s: %v by %v: %s", o.change, o.file.name, len(o.file.b), o.with, o.v.State, o.v.Rule, o.v.Why)
	}
}

// outcomes judges all changes of one file.
func outcomes(t *testing.T, files []sample, i int) (list []outcome) {
	f := files[i]
	r := rand.New(rand.NewPCG(uint64(len(f.b)), uint64(f.b[0])))
	kind := KindOf(f.name, f.b[:min(len(f.b), headSize)])
	try := func(name, with string, b []byte) {
		if b == nil || bytes.Equal(b, f.b) {
			return
		}
		one, err := Judge(t.Context(), kind, of(b))
		two, err2 := Compare(t.Context(), kind, of(f.b), of(b))
		if err != nil || err2 != nil {
			t.Errorf("%s: %v, %v", f.name, err, err2)
		}
		list = append(list, outcome{name, true, one, f, with}, outcome{name, false, two, f, with})
	}
	for _, d := range damages {
		try("damage: "+d.name, "", d.make(f.b, r))
	}
	for step := 1; step <= 2 && i+step < len(files) && files[i+step].ext == f.ext; step++ {
		try("honest: another file", files[i+step].name, files[i+step].b)
	}
	if other := files[(i*7+13)%len(files)]; sniff(other.b[:min(len(other.b), headSize)]) != kind && other.ext != f.ext {
		try("another type", other.name, other.b)
	}
	for _, h := range honests {
		if h.of(formatOf(kind), f.b) {
			try("honest: "+h.name, "", h.make(f.b, r))
		}
	}
	return list
}

// An honestChange is what people and programs do to files of some kinds.
type honestChange struct {
	fileChange
	of func(fm *format, b []byte) bool
}

func isBytewiseText(fm *format, b []byte) bool {
	return fm.class == text && scriptOf(b) == bytewise && looksText(b)
}

var honests = []honestChange{
	{fileChange{"text edited", func(b []byte, r *rand.Rand) []byte {
		at := r.IntN(len(b))
		return join(b[:at], []byte(" a new sentence in the middle, "), b[at:])
	}}, isBytewiseText},
	{fileChange{"text appended", func(b []byte, _ *rand.Rand) []byte {
		return join(b, []byte("\nand one at the end\n"))
	}}, isBytewiseText},
	{fileChange{"packed anew", func(b []byte, _ *rand.Rand) []byte { return repack(b) }},
		func(fm *format, _ []byte) bool { return fm.kind == "gz" }},
	{fileChange{"package saved", func(b []byte, _ *rand.Rand) []byte { return rezip(b) }},
		func(_ *format, b []byte) bool { return bytes.HasPrefix(b, []byte(zipSig)) }},
	{fileChange{"a record in place", func(b []byte, r *rand.Rand) []byte {
		b = bytes.Clone(b)
		copy(b[len(b)/4+r.IntN(len(b)/4):], fmt.Sprintf("%040d", r.IntN(1e9)))
		return b
	}}, func(fm *format, b []byte) bool {
		return len(b) > 1024 && recordsOf(fm.kind) && (fm.kind != NoKind || sniff(b[:headSize]) == NoKind)
	}},
}

// recordsOf reports whether programs change records of a kind in place without a checksum over them.
func recordsOf(k Kind) bool {
	switch k {
	case NoKind, "exe", "so", "wav", "bmp", "sqlite", "aiff", "au", "pdb", "doc", "iso":
		return true
	}
	return false
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// rezip is a package whose second member was edited.
func rezip(b []byte) []byte {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, f := range z.File {
		if i != 1 {
			err = w.Copy(f)
		} else if m, err2 := w.Create(f.Name); err2 == nil {
			_, err = m.Write(prose(20000))
		}
		if err != nil {
			return nil
		}
	}
	if w.Close() != nil {
		return nil
	}
	return out.Bytes()
}

// repack unpacks a gzip file and packs it with other settings.
func repack(b []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, 1)
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		return nil
	}
	_, _ = w.Write(plain.Bytes())
	_, _ = w.Write([]byte("one more line\n"))
	_ = w.Close()
	return out.Bytes()
}
