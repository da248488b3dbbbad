// Package campaign has tests only. They make images with one fault each, of every kind of structure, and compare all that
// is concluded of them with what the sound image holds: nothing that is given without an error may be wrong, nothing may
// be called deleted, intact, unchanged or absent that is not, and what the fault has nothing to do with is still given.
//
// What is wrong is looked for everywhere, also in what the fault touches. Two things are judged apart:
//
//   - "Touched" is for the column "given %" alone. A fault touches a file when it is in the places of its records or of its
//     content, not in those of a directory above, for which other records are a second witness; every file of a point that is read through a structure of VSS which it changes; and a
//     change between two points when it touches the file at one of them or the record of the same number at the other, used
//     or not: that a file is gone or new is concluded of both. This last rule was made after the first figures had shown
//     such changes as withheld. It takes nothing from what is checked for being wrong, and what it leaves out could not be
//     concluded without the bytes that the fault changed. For faults of VSS the rule of points is wide: there "given %"
//     is of other volumes and of the current state, and "withheld" says what a fault costs.
//   - "Blind" are faults of what a volume keeps once, so that nothing on it contradicts them, and "limit" the one kind in
//     which a single command (find) reads one of two witnesses: it goes by file records, and asks directories only where
//     names changed between points. Both are listed with what they came to, and README says which they are.
//
// SNAPMOUNT_LONG runs all of it, SNAPMOUNT_CAMPAIGN=FROM-TO the images of these numbers, each of which is made anew from
// its number alone, and SNAPMOUNT_CAMPAIGN_KIND=TEXT of these only the kinds whose name has the text.
package campaign

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/mount/points"
)

// A tally is what became of the images of one kind.
type tally struct {
	tried, told, harmless, wrong, wrongBlind, withheld, untouched, given int
}

func (t *tally) add(o *tally) {
	t.tried += o.tried
	t.told += o.told
	t.harmless += o.harmless
	t.wrong += o.wrong
	t.wrongBlind += o.wrongBlind
	t.withheld += o.withheld
	t.untouched += o.untouched
	t.given += o.given
}

func (t *tally) line(name string) string {
	percent := 100.0
	if t.untouched > 0 {
		percent = 100 * float64(t.given) / float64(t.untouched)
	}
	return fmt.Sprintf("%-44s %6d %6d %9d %9d %6d %7d %8.2f", name, t.tried, t.told, t.harmless, t.withheld, t.wrong, t.wrongBlind, percent)
}

const header = "kind                                          tried   told  harmless  withheld  WRONG  (blind)  given %"

// A campaign is what all workers share.
type campaign struct {
	t     *testing.T
	drawn []*seed // the seeds, each as often as it counts
	kinds []kind

	mu    sync.Mutex
	tally map[string]*tally
	slow  time.Duration
}

func TestCampaign(t *testing.T) {
	from, to := 0, 150
	if os.Getenv("SNAPMOUNT_LONG") != "" {
		to = 2000
	}
	if s := os.Getenv("SNAPMOUNT_CAMPAIGN"); s != "" {
		if _, err := fmt.Sscanf(s, "%d-%d", &from, &to); err != nil {
			t.Fatal(err)
		}
	}
	c := &campaign{t: t, tally: map[string]*tally{}, kinds: slices.Concat(ntfsKinds, indexKinds, vssKinds, containerKinds)}
	for _, s := range seeds(t) {
		for range map[string]int{"demo": 4, "mixed": 6, "vsstest": 3}[s.name] + 1 {
			c.drawn = append(c.drawn, s)
		}
	}
	began := time.Now()
	numbers := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dir := t.TempDir()
		wg.Go(func() {
			w := &worker{campaign: c, dir: dir, files: map[*seed]*os.File{}}
			for i := range numbers {
				w.image(i)
			}
			w.close()
		})
	}
	for i := from; i < to; i++ {
		if strings.Contains(c.kinds[i%len(c.kinds)].name, os.Getenv("SNAPMOUNT_CAMPAIGN_KIND")) {
			numbers <- i
		}
	}
	close(numbers)
	wg.Wait()
	t.Log(header)
	all := &tally{}
	for _, k := range c.kinds {
		if x := c.tally[k.name]; x != nil {
			t.Log(x.line(k.name))
			all.add(x)
		}
	}
	t.Log(all.line("all"))
	if all.given*100 < all.untouched*99 {
		t.Errorf("of %d files and changes that a fault had nothing to do with %d are given", all.untouched, all.given)
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d images in %v, the slowest in %v; %d MiB from the system", to-from, time.Since(began).Round(time.Second), c.slow.Round(time.Millisecond), mem.Sys>>20)
}

// A worker makes and judges one image after the other.
type worker struct {
	*campaign
	dir   string
	files map[*seed]*os.File // copies of the seeds
}

func (w *worker) close() {
	for _, f := range w.files {
		f.Close()
	}
}

// mutated makes the mutation of a number: a seed that has what the kind is about is looked for.
func (w *worker) mutated(number int) (kind, *mutation) {
	r := rand.New(rand.NewPCG(uint64(number), 20))
	k := w.kinds[number%len(w.kinds)]
	for range 60 {
		m := &mutation{Rand: r, seed: w.drawn[r.IntN(len(w.drawn))]}
		if k.mutate(m) {
			return k, m
		}
	}
	return k, nil
}

func (w *worker) image(number int) {
	k, m := w.mutated(number)
	if m == nil {
		return
	}
	began := time.Now()
	got, restored := w.conclude(number, m)
	v := check(m.seed.truth, got, m.seed.reach(m.touched), m.build != nil)
	if restored != nil && len(v.wrong) == 0 && len(got.told) == len(m.seed.truth.told) { // another name is told by a warning
		v.wrong = append(v.wrong, restored.wrong...)
	}
	limited := 0
	if m.limit != "" {
		n := len(v.wrong)
		v.wrong = slices.DeleteFunc(v.wrong, func(s string) bool {
			return slices.ContainsFunc(strings.Split(m.limit, "|"), func(p string) bool { return strings.HasPrefix(s, p) })
		})
		limited = n - len(v.wrong)
	}
	took := time.Since(began)
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.tally[k.name]
	if x == nil {
		x = &tally{}
		w.tally[k.name] = x
	}
	told := got.failed != nil || v.withheld > 0 || len(got.told) > len(m.seed.truth.told) || got.errors() > m.seed.truth.errors()
	x.add(&tally{tried: 1, withheld: v.withheld, untouched: v.untouched, given: v.given})
	label := fmt.Sprintf("image %d, %s, %s: %s", number, m.seed.name, k.name, m.what)
	if m.blind != "" {
		label += " (blind: " + m.blind + ")"
	}
	switch {
	case len(v.wrong) > 0 && m.blind != "", len(v.wrong) == 0 && limited > 0:
		x.wrongBlind++
		w.t.Logf("BLIND %s: %d: %q; told: %.120q", label, len(v.wrong), v.wrong[:min(6, len(v.wrong))], got.told)
	case len(v.wrong) > 0:
		x.wrong++
		w.t.Errorf("WRONG %s: %d: %q; told: %.120q", label, len(v.wrong), v.wrong[:min(6, len(v.wrong))], got.told)
	case told:
		x.told++
	default:
		x.harmless++
	}
	if v.untouched-v.given > v.untouched/100 {
		w.t.Logf("NOT GIVEN %s: %d of %d: %q; told %.300q, failed %v", label, v.untouched-v.given, v.untouched, v.notGiven, got.told, got.failed)
	}
	if w.slow = max(w.slow, took); took > 10*time.Second {
		w.t.Logf("SLOW %s: %v", label, took)
	}
}

// errors counts what is told beside warnings.
func (f *facts) errors() (n int) {
	for _, v := range f.volumes {
		n += len(v.goneErr) + len(v.hitErr) + len(v.gaps)
		for _, p := range v.points {
			if p.err != nil || p.lostErr != nil {
				n++
			}
			n += len(p.dirs) + len(p.lost)
			for _, x := range p.files {
				if x.err != nil || x.damage != nil || x.streamErr != nil || x.secErr != nil || x.marked {
					n++
				}
			}
		}
		for _, d := range v.diffs {
			n += len(d.failed)
		}
	}
	return n
}

// conclude makes the image, and concludes all that can be.
func (w *worker) conclude(number int, m *mutation) (got *facts, restored *verdict) {
	f := w.files[m.seed]
	if f == nil {
		var err error
		if f, err = copyFile(m.seed, filepath.Join(w.dir, m.seed.name+".raw")); err != nil {
			w.t.Error(err)
			return &facts{failed: err}, nil
		}
		w.files[m.seed] = f
	}
	defer func() {
		if p := recover(); p != nil {
			w.t.Errorf("PANIC image %d, %s: %s: %v\n%s", number, m.seed.name, m.what, p, debug.Stack())
			got = &facts{failed: fmt.Errorf("%v", p)}
		}
	}()
	path, undo, err := m.apply(f, w.dir)
	if err != nil {
		w.t.Error(err)
		return &facts{failed: err}, nil
	}
	defer undo()
	ctx := context.Background()
	set, err := points.Open(ctx, []string{path}, points.Options{CacheBytes: 8 << 20})
	if err != nil {
		return &facts{failed: err}, nil
	}
	defer set.Close()
	got = observe(ctx, set, false, m.seed.sample)
	if number%restoreEvery == 0 {
		if restored, err = restoreAll(ctx, set, m.seed, w.dir); err != nil {
			w.t.Errorf("image %d: restore: %v", number, err)
		}
	}
	return got, restored
}

// restoreEvery is one of how many images what is in it is restored, too.
const restoreEvery = 10

func copyFile(s *seed, name string) (*os.File, error) {
	src, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<20)
	for off := int64(0); off < s.size; off += int64(len(buf)) {
		b := buf[:min(int64(len(buf)), s.size-off)]
		if _, err := src.ReadAt(b, off); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) {
			if _, err := f.WriteAt(b, off); err != nil {
				return nil, err
			}
		}
	}
	return f, f.Truncate(s.size)
}

// apply makes the image in dir, mostly of the copy of the seed itself, and says how that is made sound again.
func (m *mutation) apply(f *os.File, dir string) (path string, undo func(), err error) {
	write := func(old bool) {
		for _, p := range m.patches {
			b := p.now
			if old {
				b = p.old
			}
			if _, err2 := f.WriteAt(b, p.off); err2 != nil {
				err = err2
			}
		}
	}
	path, undo = f.Name(), func() { write(true) }
	write(false)
	switch {
	case err != nil:
	case m.build != nil:
		sub, err2 := os.MkdirTemp(dir, "built")
		if err2 != nil {
			return "", undo, err2
		}
		undo = func() { write(true); os.RemoveAll(sub) }
		path, err = m.build(f, sub)
	case m.cut > 0:
		tail := make([]byte, m.seed.size-m.cut)
		if m.seed.size > 64<<20 {
			return "", undo, fmt.Errorf("%s is too large to be cut", m.seed.name)
		}
		if _, err = f.ReadAt(tail, m.cut); err == nil {
			err = f.Truncate(m.cut)
		}
		undo = func() { f.WriteAt(tail, m.cut) }
	}
	return path, undo, err
}
