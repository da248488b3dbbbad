package folder_test

import (
	"slices"
	"strings"
	"testing"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs/compare"
)

// TestStripOf counts what was done to a directory, in itself and deeper.
func TestStripOf(t *testing.T) {
	v := open(t, demo(t))
	for _, c := range []struct {
		path string
		want [3]report.Strip // the oldest first
	}{
		{"/Projects", [3]report.Strip{{There: true, Changed: 1}, {There: true, New: 1, Deleted: 1}, {There: true, Changed: 1}}},
		{"/Letters", [3]report.Strip{{There: true, Changed: 1, Renamed: 1}, {There: true}, {There: true, Changed: 1}}},
		{"/Photos", [3]report.Strip{{Renamed: 1}, {}, {}}},
		{"/Pictures", [3]report.Strip{{There: true, Renamed: 1}, {There: true, Deleted: 1}, {There: true}}},
		{"/", [3]report.Strip{{There: true, Renamed: 1, Below: 3}, {There: true, Below: 3}, {There: true, New: 1, Below: 2}}},
		{"/never", [3]report.Strip{}},
	} {
		shown := folder.InTime(v)
		for i, want := range c.want {
			want.Point, want.From = shown[i+1].Name, shown[i].Name
			if got := folder.StripOf(t.Context(), shown[i], shown[i+1], c.path); got != want {
				t.Errorf("%s: %+v\nwant %+v", c.path, got, want)
			}
		}
	}
}

// TestStripOfLostPoint has a snapshot without its store: that nothing changed since is not said.
func TestStripOfLostPoint(t *testing.T) {
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) { loseStore(t, v, oldest, overwrite) })
	shown := folder.InTime(v)
	if s := folder.StripOf(t.Context(), shown[0], shown[1], "/Projects"); s.Error == "" && s.Failed == 0 || s.New+s.Deleted+s.Changed > 0 {
		t.Errorf("since the lost one: %+v", s)
	}
	if s := folder.StripOf(t.Context(), shown[1], shown[2], "/Projects"); s.Error != "" || s.Failed != 0 || s.New != 1 || s.Deleted != 1 {
		t.Errorf("since the one after it: %+v", s)
	}
}

// changes gives what Changes tells, as kinds and paths, and what it could not compare.
func changes(t *testing.T, a, b folder.Place, flat bool) (told, failed []string, err error) {
	t.Helper()
	err = folder.Changes(t.Context(), a.Point, b.Point, a.Path, flat, func(c compare.Change) bool {
		told = append(told, c.Kind.String()+" "+c.Path)
		return true
	}, func(path string, err error) bool {
		failed = append(failed, path+": "+err.Error())
		return true
	})
	slices.Sort(told)
	return told, failed, err
}

// TestChanges tells what differs in a directory itself, or below it too.
func TestChanges(t *testing.T) {
	v := open(t, demo(t))
	for _, c := range []struct {
		a, b, path string
		flat       bool
		want, not  []string
	}{
		{oldest, "current", "/Letters", true, []string{"content Letters/offer.txt", "renamed Letters/thanks (sent).txt"}, nil},
		{oldest, "current", "/", true, []string{"renamed Pictures", "created READ ME TO GET YOUR FILES BACK.txt"}, []string{"content Letters/offer.txt", "deleted Projects/budget.csv"}},
		{oldest, "current", "/", false, []string{"renamed Pictures", "content Letters/offer.txt", "deleted Projects/budget.csv"}, nil},
		{second, third, "/Pictures", true, []string{"deleted Pictures/harbour.raw"}, []string{"deleted Projects/budget.csv"}},
		{oldest, "current", "/never", false, nil, []string{"renamed Pictures"}},
	} {
		told, failed, err := changes(t, at(t, v, c.a, c.path), at(t, v, c.b, c.path), c.flat)
		if err != nil || len(failed) > 0 {
			t.Errorf("%+v: %v, %q", c, err, failed)
		}
		for _, want := range c.want {
			if !slices.Contains(told, want) {
				t.Errorf("%+v: %q, want %q", c, told, want)
			}
		}
		for _, not := range c.not {
			if slices.Contains(told, not) {
				t.Errorf("%+v: %q is told", c, not)
			}
		}
	}
}

// TestChangesFail tells of a file that cannot be compared, with its path, and of the others all the same.
func TestChangesFail(t *testing.T) {
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) {
		overwrite(recordOf(t, v, "/Letters/offer.txt"), []byte("BAAD"))
	})
	told, failed, err := changes(t, at(t, v, third, "/"), at(t, v, "current", "/"), false)
	if err == nil && !strings.Contains(strings.Join(failed, " "), "offer.txt") || slices.Contains(told, "deleted Letters/offer.txt") {
		t.Errorf("%q, failed %q, %v", told, failed, err)
	}
	if !slices.Contains(told, "content Projects/plan.txt") && !slices.Contains(told, "content Projects/plan (also).txt") {
		t.Errorf("%q, failed %q, %v", told, failed, err)
	}
	if s := folder.StripOf(t.Context(), at(t, v, third, "/").Point, v.Current(), "/Letters"); s.Failed == 0 && s.Error == "" || s.Deleted > 0 {
		t.Errorf("%+v", s)
	}
}
