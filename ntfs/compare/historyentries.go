package compare

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"snapmount/ntfs"
)

// An entry is what a directory says of a file: the first name seen, and when.
type entry struct {
	name   string
	moment int
}

// entries yields the versions of all files that were ever in the directories.
func (h *history) entries(dirs map[ntfs.Ref]bool, yield func(Version, error) bool) {
	names := map[ntfs.Ref]entry{}
	for _, dir := range slices.SortedFunc(maps.Keys(dirs), compareRefs) {
		for _, v := range h.list(dir, names) {
			if !yield(v, nil) {
				return
			}
		}
	}
	inside := func(_ int, l hardLink) bool { return dirs[l.parent] }
	for _, ref := range slices.SortedFunc(maps.Keys(names), func(a, b ntfs.Ref) int {
		return cmp.Or(cmp.Compare(names[a].name, names[b].name), compareRefs(a, b))
	}) {
		rows := whileIn(h.follow(&file{ref: ref, prefer: inside}), dirs)
		if h.ctx.Err() != nil {
			yield(Version{}, context.Cause(h.ctx))
			return
		}
		if e := names[ref]; len(rows) == 0 {
			err := fmt.Errorf("%q: %w: the entry of the directory leads to no file of that name", e.name, ntfs.ErrStale)
			rows = []Version{{Ref: ref, Path: e.name, First: e.moment, Last: e.moment, Events: []Event{EventUnknown}, Err: err}}
		}
		if !yieldNumbered(rows, yield) {
			return
		}
	}
}

func compareRefs(a, b ntfs.Ref) int {
	return cmp.Or(cmp.Compare(a.Record, b.Record), cmp.Compare(a.Seq, b.Seq))
}

// list adds the entries that a directory has at all moments. What cannot be listed is told by a Version each.
func (h *history) list(dir ntfs.Ref, names map[ntfs.Ref]entry) (damage []Version) {
	var last *ntfs.Node // listed whole
	for i := range h.moments {
		t, err := h.moments[i].Tree()
		if err != nil {
			continue // the directory's own versions tell
		}
		n, err := t.Node(dir)
		if err != nil || n.Kind != ntfs.KindDir || last != nil && last.SameContentIn(t) {
			continue // likewise
		}
		last = n
		if t.QuickCensus(h.ctx) != nil {
			return damage // History tells why
		}
		for e, err := range n.Entries() {
			if err != nil {
				last = nil
				damage = append(damage, Version{Ref: dir, Path: h.directoryPath(i, dir), First: i, Last: i, Events: []Event{EventUnknown}, Err: err})
				break
			}
			if e.Ref == n.Ref || !h.opts.System && (e.Metafile() || h.opts.Hide != nil && h.opts.Hide(*e)) {
				continue
			}
			if _, ok := names[e.Ref]; !ok {
				names[e.Ref] = entry{e.Name, i}
			}
		}
	}
	return damage
}

// whileIn drops the rows of a file before it came into the directories, and after the first row that shows it gone. What is
// unknown stays.
func whileIn(rows []Version, dirs map[ntfs.Ref]bool) []Version {
	if !slices.ContainsFunc(rows, func(v Version) bool { return dirs[v.parent] }) {
		return nil
	}
	was := false
	return slices.DeleteFunc(rows, func(v Version) bool {
		if v.own == 0 && v.Err != nil {
			return false
		}
		is := dirs[v.parent]
		keep := is || was
		was = is
		return !keep
	})
}
