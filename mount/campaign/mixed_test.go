package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
)

// mixedImage makes a volume of ntfs-3g's with three states: large directories, files of many runs and streams, deleted files.
func mixedImage(t *testing.T, dir string) string {
	t.Helper()
	mkntfs := testenv.Peer(t, "mkntfs")
	img := filepath.Join(dir, "mixed.img")
	const size = 24 << 20
	if err := os.WriteFile(img, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(img, size); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, mkntfs, "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "Mixed", img)
	var states []io.ReaderAt
	for _, step := range []func(dir string) error{mixedFirst, mixedSecond, mixedThird} {
		root, unmount := ntfstest.MountNTFS3G(t, img, "streams_interface=xattr,compression")
		err := step(root)
		unmount()
		b, err2 := os.ReadFile(img)
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		states = append(states, bytes.NewReader(b))
	}
	volume := vsstest.NewMemory(size)
	free := vsstest.Blocks{First: size/vsstest.BlockSize - 260, Count: 250} // no file is that far back
	_, err := vsstest.FromStates(vsstest.Config{Volume: volume, Area: []vsstest.Blocks{free}, NoTruth: true}, states[:2], states[2], nil)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "made.raw")
	copySparse(t, volume, out)
	return out
}

func mixedFirst(dir string) (err error) {
	write := func(name string, b []byte) {
		name = filepath.Join(dir, name)
		err = errors.Join(err, os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, b, 0o644))
	}
	for i := range 160 {
		write(fmt.Sprintf("many/a file of the many with number %04d.txt", i), fmt.Appendf(nil, "file %d\n", i))
	}
	for i := range 40 {
		write(fmt.Sprintf("deep/%d/%d/file %d.dat", i%3, i%7, i), bytes.Repeat([]byte{byte(i), byte(i >> 1), 7}, 700+100*i))
	}
	write("large.bin", noise(500<<10, 3))
	write("other.bin", noise(300<<10, 4))
	return errors.Join(err, fragmented(dir, "runs.bin", "gaps.bin", 220), streams(dir, "streams.txt", 24),
		os.Link(filepath.Join(dir, "large.bin"), filepath.Join(dir, "deep", "large too.bin")))
}

func mixedSecond(dir string) (err error) {
	for i := 0; i < 160; i += 9 {
		name := filepath.Join(dir, fmt.Sprintf("many/a file of the many with number %04d.txt", i))
		switch i % 4 {
		case 0:
			err = errors.Join(err, os.Remove(name))
		case 1:
			err = errors.Join(err, os.WriteFile(name, []byte("changed in the second\n"), 0o644))
		default:
			err = errors.Join(err, os.Rename(name, strings.Replace(name, "a file", "renamed", 1)))
		}
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "other.bin"), noise(200<<10, 9), 0o644),
		os.WriteFile(filepath.Join(dir, "new.txt"), []byte("new in the second\n"), 0o644), os.Remove(filepath.Join(dir, "gaps.bin")))
}

func mixedThird(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "large.bin"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(noise(64<<10, 17), 100<<10)
	return errors.Join(err, f.Close(), os.RemoveAll(filepath.Join(dir, "deep", "1")), os.Rename(filepath.Join(dir, "deep"), filepath.Join(dir, "deeper")),
		os.Remove(filepath.Join(dir, "new.txt")), os.WriteFile(filepath.Join(dir, "last.txt"), []byte("the last\n"), 0o644))
}

// fragmented writes two files cluster by cluster in turn, so that both have many runs.
func fragmented(dir, a, b string, clusters int) error {
	fa, err := os.Create(filepath.Join(dir, a))
	if err != nil {
		return err
	}
	fb, err2 := os.Create(filepath.Join(dir, b))
	if err2 != nil {
		return errors.Join(err2, fa.Close())
	}
	for i := range clusters {
		for j, f := range []*os.File{fa, fb} {
			_, err2 := f.WriteAt(noise(4096, uint32(2*i+j)), int64(i)*2*4096)
			err = errors.Join(err, err2, f.Sync())
		}
	}
	return errors.Join(err, fa.Close(), fb.Close())
}

// noise are bytes that are unlike those of another seed.
func noise(n int, seed uint32) []byte {
	b := make([]byte, n)
	for i, r := 0, rand.New(rand.NewPCG(uint64(seed), 5)); i+8 <= n; i += 8 {
		le.PutUint64(b[i:], r.Uint64())
	}
	return b
}
