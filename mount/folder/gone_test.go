package folder_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/points"
)

// TestGone holds what a directory has no more against what was done to it.
func TestGone(t *testing.T) {
	v := open(t, demo(t))
	for _, c := range []struct {
		point, path, name string // nothing is gone without a name
		gone, last, now   string
	}{
		{oldest, "/Projects", "", "", "", ""},
		{second, "/Projects", "", "", "", ""},
		{third, "/Projects", "budget.csv", "deleted", second, ""},
		{"current", "/Projects", "budget.csv", "deleted", second, ""},
		{"current", "/Letters", "thanks.txt", "renamed", oldest, "/Letters/thanks (sent).txt"},
		{"current", "/", "Photos", "renamed", oldest, "/Pictures"},
		{"current", "/Pictures", "harbour.raw", "deleted", second, ""},
	} {
		rows, order, err := list(t, at(t, v, c.point, c.path), true)
		if err != nil {
			t.Errorf("%s@%s: %v", c.path, c.point, err)
		}
		var after []string
		if c.name != "" {
			after = []string{c.name}
		}
		if got := order[slices.Index(order, "|")+1:]; !slices.Equal(got, after) {
			t.Errorf("%s@%s: gone are %q, want %q", c.path, c.point, got, after)
			continue
		}
		if c.name == "" {
			continue
		}
		now := ""
		if r := rows[c.name]; r.Now != nil {
			now = string(*r.Now)
		}
		if r := rows[c.name]; r.Gone != c.gone || r.Point != c.last || now != c.now || r.Size == 0 && c.path != "/" {
			t.Errorf("%s@%s: %+v, now %q, want %+v", c.path, c.point, r, now, c)
		}
	}
}

// TestDamagedRecord has one record unreadable: that is said of its entry, and of nothing else.
func TestDamagedRecord(t *testing.T) {
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) {
		overwrite(recordOf(t, v, "/Projects/notes.txt"), []byte("BAAD"))
	})
	rows, _, err := list(t, at(t, v, "current", "/Projects"), true)
	if err != nil || len(rows) != 5 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for name, r := range rows {
		if (r.Error != "") != (name == "notes.txt") || (r.Kind == "unreadable") != (name == "notes.txt") {
			t.Errorf("%+v", r)
		}
	}
	if rows["budget.csv"].Gone != "unknown" { // the record is the one that it had
		t.Errorf("%+v", rows["budget.csv"])
	}
}

// TestDamagedIndex has names of a directory lost. What their records tell is listed; where a record is lost too, it is said
// that there may be more, and nothing that the directory seems to lack is called deleted.
func TestDamagedIndex(t *testing.T) {
	for _, record := range []bool{false, true} {
		v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) {
			at, b := recordOf(t, v, "/Projects"), make([]byte, 1024)
			if _, err := v.Block.ReadAt(b, at); err != nil {
				t.Fatal(err)
			}
			name := []byte("n\x00o\x00t\x00e\x00s\x00.\x00t\x00x\x00t\x00")
			entry := bytes.Index(b, name) - 16 - 66 // u64 reference, u16 length of the entry, ...; then the name's attribute
			if entry < 0 {
				t.Fatal("the index lies elsewhere")
			}
			overwrite(at+int64(entry)+8, []byte{3, 0})
			if record {
				overwrite(recordOf(t, v, "/Projects/notes.txt"), []byte("BAAD"))
			}
		})
		rows, order, err := list(t, at(t, v, "current", "/Projects"), true)
		if (err != nil) != record {
			t.Errorf("notes.txt lost %v: %q, %v", record, order, err)
		}
		for _, name := range []string{"latest offer.txt", "plan.txt", "plan (also).txt", "notes.txt"} {
			if r := rows[name]; name != "notes.txt" || !record {
				if r.Gone != "" || r.Name == "" || r.Error != "" {
					t.Errorf("notes.txt lost %v: %s: %+v", record, name, r)
				}
			}
		}
		if r := rows["budget.csv"]; (r.Gone == "deleted") == record || r.Gone == "" {
			t.Errorf("notes.txt lost %v: %+v", record, r)
		}
	}
}

// TestLostPoint has a snapshot without its store: what the directory had then is not known, which is said, and what other
// points tell is told.
func TestLostPoint(t *testing.T) {
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) { loseStore(t, v, oldest, overwrite) })
	p := at(t, v, "current", "/Projects")
	rows, order, err := list(t, p, true)
	if err == nil || !strings.Contains(err.Error(), oldest) || len(order) != 6 {
		t.Errorf("%q, %v, want that it is not known what %s had", order, err, oldest)
	}
	if r := rows["budget.csv"]; r.Gone != "deleted" || r.Point != second {
		t.Errorf("%+v", r)
	}
	dir, err := p.Point.Walk("/", true)
	if err != nil {
		t.Fatal(err)
	}
	if m := at(t, v, "current", "/never").Missing(nil); !slices.Equal(m.Lost, []string{oldest}) {
		t.Errorf("%+v, want %s among the lost", m, oldest)
	}
	if m := at(t, v, "current", "/").Missing(dir); m.Kind != "dir" || m.Lost != nil {
		t.Errorf("%+v", m)
	}
}
