package browse

import (
	"context"
	"testing"

	"snapmount/mount/report"
)

// TestHappenings says of an entry that nothing happened to it only where that is known.
func TestHappenings(t *testing.T) {
	words := map[string]string{"7-1": "new"}
	lost := map[string]bool{"b": true}
	for _, c := range []struct {
		h     happenings
		row   report.Row
		word  string
		known bool
	}{
		{happenings{}, report.Row{Name: "a"}, "", false},
		{happenings{known: true}, report.Row{Name: "a"}, "", true},
		{happenings{known: true, lost: lost}, report.Row{Name: "a"}, "", true},
		{happenings{known: true, lost: lost}, report.Row{Name: "b"}, "", false},
		{happenings{known: true, all: true, words: words}, report.Row{Name: "a", Ref: "6-1"}, "", false},
		{happenings{known: true, all: true, words: words}, report.Row{Name: "a", Ref: "7-1"}, "new", true},
	} {
		if word, known := c.h.word(&c.row); word != c.word || known != c.known {
			t.Errorf("%+v, %s: %q, %v, want %q, %v", c.h, c.row.Name, word, known, c.word, c.known)
		}
	}
}

// asked is a directory of the demo image after its jobs were done, on a model whose next ones have no time for anything.
func asked(t *testing.T, path string) (*model, *dirView) {
	t.Helper()
	m := opened(t, 80, 24)
	press(m, "enter")
	v := m.top().(*dirView)
	v.walk(m, path, "")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.jobs.ctx = ctx
	return m, v
}

// TestComparedOnce goes through time after each point was compared with the one before: that is not done again, and where
// the state now is the point after, not even for that.
func TestComparedOnce(t *testing.T) {
	m, v := asked(t, "/Projects")
	for at := range v.points {
		v.timeLine.at, v.reading = at, dirReading{}
		v.readMore(m)
		if v.reading.since.known != (at > 0) || v.strip.busy {
			t.Errorf("point %d: asked again for what happened before it", at)
		}
		if last := len(v.points) - 1; v.reading.now.known != (at == last-1) || v.more.busy != (at < last-1) {
			t.Errorf("point %d: now known %v, busy %v", at, v.reading.now.known, v.more.busy)
		}
		v.more.stop()
	}
	ended := m.jobs.ctx
	for _, ctx := range []context.Context{context.Background(), ended} {
		m.jobs.ctx = ctx
		v.timeLine.at, v.reading = 0, dirReading{}
		if v.readMore(m); !v.reading.now.known || v.more.busy {
			t.Error("asked again for what became of the oldest point")
		}
	}
}

// TestLateComparison has an answer about one point come when another one is shown: it is kept, and not shown there.
func TestLateComparison(t *testing.T) {
	m, v := asked(t, "/Projects")
	m.jobs = &jobs{ctx: context.Background(), back: make(chan func(), 100)}
	v.records, v.timeLine.at, v.reading = map[string]*record{}, 2, dirReading{}
	v.readTicks(m)
	m.jobs.work.Wait()
	v.timeLine.at = 0
	for len(m.jobs.back) > 0 {
		(<-m.jobs.back)()
	}
	if v.reading.since.known || v.reading.now.known || !v.record().since[2].known {
		t.Errorf("%+v, kept %+v", v.reading, v.record().since)
	}
}

// TestRecordIsBounded keeps what was told last, and not without end.
func TestRecordIsBounded(t *testing.T) {
	r := record{since: map[int]happenings{}, now: map[int]happenings{}}
	words := map[string]string{}
	for i := range maxWords / 4 {
		words[string(rune(i))+"x"] = "new"
	}
	for i := range 20 {
		r.keep(r.since, i, happenings{known: true, words: words})
		if !r.since[i].known || len(r.since) > 5 {
			t.Fatalf("%d are kept after %d", len(r.since), i+1)
		}
	}
	if h := (happenings{known: true}); func() bool { r.keep(r.now, 3, h); return !r.now[3].known }() {
		t.Error("not kept")
	}
}
