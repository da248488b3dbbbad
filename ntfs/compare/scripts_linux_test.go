package compare_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"snapmount/diffstore"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/ntfstest"
)

const (
	fsSize    = 24 << 20 // of the file system; the blocks behind it are the catalog's
	imageSize = fsSize + 8*vsstest.BlockSize
)

// format makes a small volume.
func format(t testing.TB, cluster int) string {
	image := filepath.Join(t.TempDir(), "volume.img")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(imageSize); err != nil {
		t.Fatal(err)
	}
	f.Close()
	testenv.Peer(t, "mkntfs")
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", fmt.Sprint(cluster), "-s", "512", "-p", "0", "-H", "255", "-S", "63", image, fmt.Sprint(fsSize/512))
	return image
}

// edit mounts the volume and lets change work on it.
func edit(t testing.TB, image string, change func(dir string)) {
	dir, unmount := ntfstest.MountNTFS3G(t, image, "compression,noatime")
	change(dir)
	unmount()
}

// keep copies a state.
func keep(t testing.TB, image string, number int) *os.File {
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.%d", image, number), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	return f
}

// shadow makes a volume with a snapshot of each state but the last, and opens all of them.
func shadow(t testing.TB, states []*os.File) []*ntfs.Tree {
	live, storage := vsstest.NewMemory(imageSize), vsstest.NewMemory(64<<20)
	cfg := vsstest.Config{Volume: live, Storage: storage, Area: []vsstest.Blocks{{First: 1, Count: 64<<20/vsstest.BlockSize - 1}},
		Catalog: []vsstest.Blocks{{First: fsSize / vsstest.BlockSize, Count: 6}}, NoTruth: true}
	var readers []io.ReaderAt
	var opts []vsstest.Options
	for _, f := range states {
		readers, opts = append(readers, f), append(opts, vsstest.Options{Free: freeBlocks(t, f)})
	}
	last := len(states) - 1
	if _, err := vsstest.FromStates(cfg, readers[:last], readers[last], opts[:last]); err != nil {
		t.Fatal(err)
	}
	v, err := diffstore.Open(live, diffstore.Options{Storage: func(wintype.GUID) (layer.Source, error) { return storage, nil }})
	if err != nil {
		t.Fatal(err)
	}
	var trees []*ntfs.Tree
	for _, s := range v.Snapshots() {
		view, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		trees = append(trees, openTree(t, view))
	}
	return append(trees, openTree(t, live))
}

func openTree(t testing.TB, s layer.Source) *ntfs.Tree {
	tree, err := ntfs.Open(s, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// freeBlocks tells which blocks hold no cluster in use: snapshots do not keep them.
func freeBlocks(t testing.TB, f *os.File) func(uint32) bool {
	used, err := openTree(t, io.NewSectionReader(f, 0, imageSize)).Used()
	if err != nil {
		t.Fatal(err)
	}
	return func(b uint32) bool {
		off := int64(b) * vsstest.BlockSize
		if off >= fsSize-vsstest.BlockSize {
			return false
		}
		in, n, err := used(off, vsstest.BlockSize)
		return err == nil && !in && n == vsstest.BlockSize
	}
}

// TestRandomScripts runs random edits on volumes and compares what is told with what was done, between any two points.
func TestRandomScripts(t *testing.T) {
	volumes, points := 10, 21
	if testing.Short() || testenv.Race {
		volumes, points = 2, 8
	}
	seed := rand.Uint64()
	if s, err := strconv.ParseUint(os.Getenv("SNAPMOUNT_SEED"), 10, 64); err == nil { // to see a failure again
		seed = s
	}
	for i := range volumes {
		t.Run(fmt.Sprintf("seed %d", seed+uint64(i)), func(t *testing.T) {
			t.Parallel()
			randomScripts(t, seed+uint64(i), points, []int{4096, 512, 4096, 65536}[i%4])
		})
	}
}

func randomScripts(t *testing.T, seed uint64, points, cluster int) {
	image := format(t, cluster)
	m := &model{t: t, r: rand.New(rand.NewPCG(seed, 0)), root: &file{dir: true}, cluster: cluster}
	m.files = map[int]*file{0: m.root}
	var states []*os.File
	var truth []map[int]*frozen
	for k := range points {
		edit(t, image, func(dir string) {
			m.dir = dir
			steps := 1 + m.r.IntN(25)
			if k == 0 {
				steps = 150
			}
			m.script(steps)
			truth = append(truth, m.freeze())
		})
		for range m.r.IntN(3) {
			m.behind(image)
		}
		truth[k] = m.thaw(truth[k])
		states = append(states, keep(t, image, k))
	}
	trees := shadow(t, states)
	kinds := map[string]int{}
	for k := range points * 2 {
		i, j := k, k+1
		if j >= points { // any two, either way round
			i, j = m.r.IntN(points), m.r.IntN(points)
		}
		want := changes(truth[i], truth[j])
		for _, l := range want {
			kinds[l[:strings.IndexByte(l, ' ')]]++
			if strings.HasSuffix(l, " in place") {
				kinds["in place"]++
			}
		}
		sameLines(t, fmt.Sprintf("%d to %d", i, j), told(t, trees[i], trees[j], compare.Options{}), want)
		if k%8 == 0 {
			sameLines(t, fmt.Sprintf("%d to %d, paranoid", i, j), paranoid(told(t, trees[i], trees[j], compare.Options{Paranoid: true})), paranoid(want))
		}
	}
	t.Logf("%d scripts, %v", points, kinds)
}

// thaw brings contents up to date that were changed after the freeze.
func (m *model) thaw(z map[int]*frozen) map[int]*frozen {
	for id, f := range m.files {
		z[id].data, z[id].inPlace = string(f.data), f.inPlace
	}
	return z
}

// paranoid takes out how content was found: there, all is read.
func paranoid(lines []string) []string {
	out := slices.Clone(lines)
	for i, l := range out {
		out[i] = strings.ReplaceAll(l, " extents in place", " bytes")
	}
	return out
}
