package ntfs_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// deleted returns the deleted nodes of a volume, by record.
func deleted(t *testing.T, tree *ntfs.Tree) map[uint64]*ntfs.Node {
	t.Helper()
	out := map[uint64]*ntfs.Node{}
	last := int64(-1)
	for n, err := range tree.Deleted() {
		if err != nil {
			t.Error(err)
			continue
		}
		if !n.Deleted || int64(n.Ref.Record) <= last {
			t.Errorf("%v after record %d", n.Ref, last)
		}
		last = int64(n.Ref.Record)
		out[n.Ref.Record] = n
		if one, err := tree.DeletedNode(n.Ref.Record); err != nil || one.Ref != n.Ref || one.Size != n.Size {
			t.Errorf("%v alone: %+v, %v", n.Ref, one, err)
		}
	}
	return out
}

// TestDeletedSleuthkit compares records, names, what is reused and contents of deleted files with The Sleuth Kit's.
func TestDeletedSleuthkit(t *testing.T) {
	for name, c := range map[string]struct {
		image func(t *testing.T) string
		least int // deleted files
	}{
		"feat":       {func(t *testing.T) string { return ntfstest.Feat.Build(t) }, 3000},
		"feat64k":    {func(t *testing.T) string { return ntfstest.Feat64K.Build(t) }, 2900},
		"windows":    {func(t *testing.T) string { return realVolume(t, "windows_volume.qcow2") }, 0},
		"vsstest":    {func(t *testing.T) string { return realVolume(t, "vsstest.qcow2") }, 0},
		"ntfs10":     {func(t *testing.T) string { return realVolume(t, "ntfs-ramslack.raw.gz") }, 0},
		"threetimes": {func(t *testing.T) string { return realVolume(t, "ntfs-si-vs-fn.raw.gz") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			image := c.image(t)
			tree := openTree(t, testenv.Open(t, image))
			ours := deleted(t, tree)
			compareUnallocated(t, tree, image, ours)
			if len(ours) < c.least {
				t.Errorf("%d deleted files", len(ours))
			}
			if c.least > 0 {
				compareDeletedNames(t, tree, image, ours)
				compareDeletedContent(t, image, ours)
			}
		})
	}
}

// compareUnallocated holds the records against those that ils -A lists: it has the ones too that describe nothing.
func compareUnallocated(t *testing.T, tree *ntfs.Tree, image string, ours map[uint64]*ntfs.Node) {
	listed, empty := map[uint64]bool{}, 0
	for l := range strings.Lines(string(testenv.Run(t, testenv.Peer(t, "ils"), "-A", image))) {
		record, err := strconv.ParseUint(strings.Split(l, "|")[0], 10, 64)
		if err != nil || record >= tree.Records() { // heads, and $OrphanFiles, which is not on the volume
			continue
		}
		listed[record] = true
		if ours[record] == nil {
			empty++
			if _, err := tree.DeletedNode(record); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ntfs.ErrStale) {
				t.Errorf("record %d: %v", record, err)
			}
		}
	}
	for record := range ours {
		if !listed[record] {
			t.Errorf("record %d: ils does not have it", record)
		}
	}
	t.Logf("%d deleted, ils lists %d, of which %d describe nothing or are extension records", len(ours), len(listed), empty)
}

// compareDeletedNames holds paths against fls, which makes up directories for orphans.
func compareDeletedNames(t *testing.T, tree *ntfs.Tree, image string, ours map[uint64]*ntfs.Node) {
	line := regexp.MustCompile(`^[-rdlv]/[-rdlv] \* (\d+)(?:-128-\d+)?:\t(.*)$`)
	nameless := regexp.MustCompile(`^OrphanFile-\d+(/|$)`)
	count := 0
	for l := range strings.Lines(string(testenv.Run(t, testenv.Peer(t, "fls"), "-r", "-p", "-d", image))) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			continue
		}
		record, _ := strconv.ParseUint(m[1], 10, 64)
		name, orphan := strings.CutPrefix(m[2], "$OrphanFiles/")
		if nameless.FindString(name) == name || ours[record] == nil {
			continue
		}
		paths, err := tree.Paths(ours[record])
		if err != nil || !slices.Contains(paths, ntfs.Path{Name: nameless.ReplaceAllString(name, ""), Orphan: orphan}) {
			t.Errorf("record %d: %+v, %v, fls has %s", record, paths, err, m[2])
		}
		count++
	}
	if t.Logf("%d names", count); count < 2900 {
		t.Error("next to nothing was compared")
	}
}

// allocated returns, by cluster, whether blkls calls it allocated.
func allocated(t *testing.T, image string) []bool {
	t.Helper()
	_, list, _ := strings.Cut(string(testenv.Run(t, testenv.Peer(t, "blkls"), "-l", "-e", image)), "addr|alloc\n")
	var out []bool
	for l := range strings.Lines(list) {
		out = append(out, strings.HasSuffix(l, "|a\n"))
	}
	if last := fmt.Sprintf("\n%d|", len(out)-1); !strings.Contains(list[max(len(list)-20, 0):], last) {
		t.Fatalf("blkls does not list every cluster: %d of them", len(out))
	}
	return out
}

func compareDeletedContent(t *testing.T, image string, ours map[uint64]*ntfs.Node) {
	icat, used := testenv.Peer(t, "icat"), allocated(t, image)
	free, reused, hashed := 0, 0, 0
	for record, n := range ours {
		if !n.HasData {
			continue
		}
		r, err := n.Reuse("")
		if err != nil {
			t.Errorf("record %d: %v", record, err)
			continue
		}
		s, err := n.Stream("")
		if err != nil {
			t.Errorf("record %d: %v", record, err)
			continue
		}
		compareReuse(t, n, r, s, used)
		if r.Reused+r.Lost > 0 {
			reused++
			continue
		}
		if free++; hashed >= 50 || s.Size() == 0 || s.Size() > 1<<20 {
			continue
		}
		hashed++
		got, err := sum(s)
		theirs := sha256.Sum256(testenv.Run(t, icat, "-r", image, fmt.Sprint(record)))
		if want := hex.EncodeToString(theirs[:]); err != nil || got != want {
			t.Errorf("record %d: not what icat -r gives: %v", record, err)
		}
	}
	t.Logf("%d can be had, %d have reused clusters, %d contents compared", free, reused, hashed)
}

func compareReuse(t *testing.T, n *ntfs.Node, r ntfs.Recovery, s layer.Mapper, used []bool) {
	unit := int64(n.Tree().ClusterSize())
	var want ntfs.Recovery
	if n.Resident {
		want.Free = n.Size
	}
	for e, err := range layer.Extents(s, 0, s.Size()) {
		if err != nil || e.Kind == layer.Zero || n.Resident {
			continue
		}
		for at := int64(0); at < e.Len; at += unit {
			k := min(unit, e.Len-at)
			if used[(e.BaseOff+at)/unit] {
				want.Reused += k
			} else {
				want.Free += k
			}
		}
	}
	var listed int64
	for _, x := range r.Ranges {
		listed += x.Len
	}
	if r.Free != want.Free || r.Reused != want.Reused || (r.More == 0 && listed != r.Reused) {
		t.Errorf("%v: %+v, blkls says %+v", n.Ref, r, want)
	}
}

// TestSlackSleuthkit looks for what fls lists in a directory that was shrunk: it takes blocks that are not in use for
// part of it.
func TestSlackSleuthkit(t *testing.T) {
	image := ntfstest.Feat.Build(t)
	fls := testenv.Peer(t, "fls")
	tree := openTree(t, testenv.Open(t, image))
	dir, err := tree.Lookup("shrunk")
	if err != nil {
		t.Fatal(err)
	}
	list, err := dir.Slack()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	original := regexp.MustCompile(`^to_delete_0[0-2]\d\d\d_z{40}$`)
	for _, e := range list {
		if !original.MatchString(e.Name) || e.Size != 0 || e.Ref.Seq != 1 || e.Attr != ntfs.AttrArchive || e.Times.Created.Time().Year() < 2020 {
			t.Errorf("%+v was never there", e)
		}
		child, err := dir.Child(e.Name)
		if live := err == nil && child.Ref == e.Ref; live != e.Live {
			t.Errorf("%s: live %v, want %v", e.Name, e.Live, live)
		}
		found[fmt.Sprintf("%d %s", e.Ref.Record, e.Name)] = true
	}
	line := regexp.MustCompile(`^[-rdlv]/[-rdlv] (?:\* )?(\d+)[^\t]*:\t(.*)$`)
	count := 0
	for l := range strings.Lines(string(testenv.Run(t, fls, image, fmt.Sprint(dir.Ref.Record)))) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			t.Fatalf("%q", l)
		}
		if _, err := dir.Child(m[2]); err == nil {
			continue
		}
		if count++; !found[m[1]+" "+m[2]] {
			t.Errorf("fls has %s %s", m[1], m[2])
		}
	}
	t.Logf("%d entries of %d names, %d names that only fls lists", len(list), len(found), count)
	if count < 200 || len(found) < 1000 {
		t.Error("next to nothing was found")
	}
}

// TestPaths holds the way up against the way down, for every name of a volume.
func TestPaths(t *testing.T) {
	for name, image := range map[string]string{"feat": ntfstest.Feat.Build(t), "vsstest": realVolume(t, "vsstest.qcow2")} {
		tree := openTree(t, testenv.Open(t, image))
		up := map[uint64][]ntfs.Path{}
		all := paths(t, tree)
		for path, n := range all {
			if all[path] != n || strings.Contains(path, ":") {
				continue
			}
			got, ok := up[n.Ref.Record]
			if !ok {
				var err error
				if got, err = tree.Paths(n); err != nil || len(got) != n.Links {
					t.Errorf("%s: %d paths of %d links, %v", path, len(got), n.Links, err)
				}
				up[n.Ref.Record] = got
			}
			if !slices.Contains(got, ntfs.Path{Name: path}) {
				t.Errorf("%s: %v", path, got[:min(len(got), 5)])
			}
		}
		t.Logf("%s: %d paths", name, len(all))
	}
}
