package selection

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"snapmount/mount/points"
	"snapmount/ntfs"
)

// What looking for names that are nearly so may cost.
const (
	maxNear  = 3       // names
	maxNames = 100_000 // of a directory
	maxNamed = 255     // letters of a name
)

// near gives locations like that of a target with another name, spelt nearly so, where the directories of its path end:
// names that begin so, and then those that a few letters tell apart.
func near(ctx context.Context, t points.Target) (list []string) {
	parts := points.SplitPath(strings.ReplaceAll(t.Path, `\`, "/"))
	for i, name := range parts {
		above := "/" + path.Join(parts[:i]...)
		if _, err := t.Point.Walk(path.Join(above, name), true); err == nil {
			continue
		}
		dir, err := t.Point.Walk(above, true)
		if err != nil || dir.Kind != ntfs.KindDir {
			return nil
		}
		for _, other := range nearest(ctx, dir, name) {
			x := t
			x.Path, x.HasPath = path.Join(above, other, path.Join(parts[i+1:]...)), true
			if _, _, err := x.Point.Lookup(x.Path, false); err == nil {
				list = append(list, x.Location())
			}
		}
		return list
	}
	return nil
}

// nearest gives the names of a directory that are most like one that it has not.
func nearest(ctx context.Context, dir *ntfs.Node, name string) (list []string) {
	type candidate struct {
		name string
		cost int
	}
	var all []candidate
	fold, seen := dir.Tree().Upper, 0
	want := []rune(fold(name))
	if len(want) > maxNamed {
		return nil
	}
	most := min(3, (len(want)+2)/3)
	for e, err := range dir.Entries() {
		if seen++; err != nil || seen > maxNames || ctx.Err() != nil {
			break // what was met is of use all the same
		}
		have := fold(e.Name)
		if e.Metafile() || e.Ref.Record == dir.Ref.Record || utf8.RuneCountInString(have) > maxNamed {
			continue
		}
		if strings.TrimSuffix(have, path.Ext(have)) == string(want) {
			all = append(all, candidate{e.Name, 0})
		} else if d := distance(want, []rune(have), most); d <= most {
			all = append(all, candidate{e.Name, d})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.name, b.name)) })
	for _, c := range all[:min(len(all), maxNear)] {
		list = append(list, points.ShownName(dir, c.name))
	}
	return list
}

// Distance counts the letters that have to be changed, put in, left out, or swapped with their neighbour to make one word
// of another; more than most is most+1.
func Distance(a, b string, most int) int { return distance([]rune(a), []rune(b), most) }

// distance is Distance of letters.
func distance(a, b []rune, most int) int {
	if d := len(a) - len(b); d > most || -d > most {
		return most + 1
	}
	row := func() []int { return make([]int, len(b)+1) }
	before, last, now := row(), row(), row()
	for j := range last {
		last[j] = j
	}
	for i := range a {
		now[0] = i + 1
		least := now[0]
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j]+cost, last[j+1]+1, now[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
			least = min(least, now[j+1])
		}
		if least > most {
			return most + 1
		}
		before, last, now = last, now, before
	}
	return min(last[len(b)], most+1)
}
