package folder_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// find gives the paths that are found, each once, and what could not be searched.
func find(t *testing.T, v *points.Volume, path, pattern string) (paths, lost []string, err error) {
	t.Helper()
	err = at(t, v, "current", path).Find(t.Context(), pattern, func(h report.Hit) bool {
		paths = append(paths, string(h.Path)+"@"+h.Last)
		return true
	}, func(err error) { lost = append(lost, err.Error()) })
	slices.Sort(paths)
	return slices.Compact(paths), lost, err
}

// TestFind searches all points by a part of a name, and by a pattern.
func TestFind(t *testing.T) {
	v := open(t, demo(t))
	for _, c := range []struct {
		path, pattern string
		want          []string
	}{
		{"/", "BUDGET", []string{"Projects/budget.csv@" + second}},
		{"/Letters", "budget", nil},
		{"/", "*.raw", []string{"Photos/bridge.raw@" + oldest, "Photos/harbour.raw@" + oldest, "Pictures/bridge.raw@current", "Pictures/harbour.raw@" + second}},
		{"/Pictures", "*.raw", []string{"Pictures/bridge.raw@current", "Pictures/harbour.raw@" + second}},
		{"/", "xyzzy", nil},
	} {
		paths, lost, err := find(t, v, c.path, c.pattern)
		for i := range paths {
			paths[i] = strings.TrimPrefix(paths[i], "/")
		}
		if err != nil || len(lost) > 0 || !slices.Equal(paths, c.want) {
			t.Errorf("%s in %s: %q, lost %q, %v\nwant %q", c.pattern, c.path, paths, lost, err, c.want)
		}
	}
	_, _, err := find(t, v, "/", "[a")
	if _, usage := errors.AsType[selection.UsageError](err); !usage {
		t.Errorf("a mistake in the pattern: %v", err)
	}
}

// TestFindLost tells that a point was not searched in full.
func TestFindLost(t *testing.T) {
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) { loseStore(t, v, oldest, overwrite) })
	paths, lost, err := find(t, v, "/", "budget")
	if err != nil || !strings.Contains(strings.Join(lost, " "), oldest) || len(paths) == 0 {
		t.Errorf("%q, lost %q, %v", paths, lost, err)
	}
}

// TestHistory gives the versions of a file over all points, and says which are not known.
func TestHistory(t *testing.T) {
	whole := open(t, demo(t))
	versions, err := at(t, whole, "current", "/Letters/offer.txt").History(t.Context())
	if err != nil || len(versions) != 3 {
		t.Errorf("%d versions, %v", len(versions), err)
	}
	for _, v := range versions {
		if v.Err != nil {
			t.Errorf("%+v", v)
		}
	}
	v := harmed(t, func(v *points.Volume, overwrite func(int64, []byte)) { loseStore(t, v, oldest, overwrite) })
	versions, err = at(t, v, "current", "/Letters/offer.txt").History(t.Context())
	unknown := 0
	for _, v := range versions {
		if v.Err != nil {
			unknown++
		}
	}
	if err != nil || unknown != 1 {
		t.Errorf("%d versions of which %d are unknown, %v", len(versions), unknown, err)
	}
}
