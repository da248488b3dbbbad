package device

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
)

func TestWindowsName(t *testing.T) {
	for path, want := range map[string]string{
		`\\.\PhysicalDrive0`: "PhysicalDrive0", `//./PhysicalDrive12`: "PhysicalDrive12", `\\.\C:`: "C:", `\\?\c:`: "c:",
		`\\?\Volume{12345678-1234-1234-1234-123456789abc}`: "Volume{12345678-1234-1234-1234-123456789abc}",
		`\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7`:  `GLOBALROOT\Device\HarddiskVolumeShadowCopy7`,
		`\\.\GlobalRoot\Device\Harddisk0\Partition2`:       `GlobalRoot\Device\Harddisk0\Partition2`,
		`\\.\C:\`: "", `\\.\C:\x`: "", `\\?\C:\disk.vhd`: "", `\\?\UNC\server\share\disk.vhd`: "", `\\?\UNC`: "", `\\server\share`: "",
		`\\.\`: "", `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7\`: "", `\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7\Users\x`: "",
		`\\?\GLOBALROOT\Device`: "", `\\?\GLOBALROOT`: "", `C:\disk.vhd`: "", "C:": "", "/dev/sda": "", "": "", "\\\\.\\a\x00b": "",
	} {
		name, ok := windowsName(path)
		if ok != (want != "") || ok && name != want {
			t.Errorf("%s: %q, %v, want %q", path, name, ok, want)
		}
	}
	for name, want := range map[string]bool{`GLOBALROOT\Device\HarddiskVolumeShadowCopy7`: true, "harddiskvolumeshadowcopy12": true, "HarddiskVolumeShadowCopy": false, "HarddiskVolume7": false, "C:": false} {
		if isShadow(name) != want {
			t.Errorf("%s: want %v", name, want)
		}
	}
	for dir, want := range map[string]string{"C:": `\\.\C:`, `d:\`: `\\.\d:`, "C:/": `\\.\C:`, "C:.": `\\.\C:`, `C:\x`: "", `\\.\C:`: "", ".": ""} {
		if got := volumeOf(dir); got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

func TestGeometry(t *testing.T) {
	ex := func(cylinders uint64, tracks, sectors, sector uint32, size int64) []byte {
		b := binary.LittleEndian.AppendUint64(nil, cylinders)
		for _, v := range []uint32{12, tracks, sectors, sector} { // 12 is a fixed disk
			b = binary.LittleEndian.AppendUint32(b, v)
		}
		return append(binary.LittleEndian.AppendUint64(b, uint64(size)), make([]byte, 40)...)
	}
	for name, c := range map[string]struct {
		length int64
		b      []byte
		want   Geometry
	}{
		"both":                    {1000 << 20, ex(100, 255, 63, 512, 900<<20), Geometry{1000 << 20, 512}},
		"4Kn":                     {1000 << 20, ex(100, 255, 63, 4096, 1000<<20), Geometry{1000 << 20, 4096}},
		"no length":               {0, ex(100, 255, 63, 512, 900<<20), Geometry{900 << 20, 512}},
		"no size either":          {0, ex(100, 255, 63, 512, 0)[:24], Geometry{100 * 255 * 63 * 512, 512}},
		"a shadow":                {1000 << 20, nil, Geometry{1000 << 20, usualSector}},
		"sectors of no disk":      {1000 << 20, ex(1, 1, 1, 513, 0), Geometry{1000 << 20, usualSector}},
		"sectors of nothing":      {1000 << 20, ex(1, 1, 1, 0, 0), Geometry{1000 << 20, usualSector}},
		"nothing":                 {0, nil, Geometry{}},
		"more than there is":      {0, ex(1<<63, 1<<31, 1<<31, 512, -1), Geometry{}},
		"cut":                     {0, ex(100, 255, 63, 512, 0)[:23], Geometry{}},
		"a negative length is no": {-1, ex(100, 255, 63, 512, 900<<20), Geometry{900 << 20, 512}},
	} {
		g, err := geometryOf(c.length, c.b)
		if g != c.want || (err == nil) != (c.want.Size > 0) {
			t.Errorf("%s: %v, %v, want %v", name, g, err, c.want)
		}
	}
}

// strict is a device that takes whole sectors only, into buffers that begin at a multiple of its sectors.
type strict struct {
	data   []byte
	sector int64
	bad    int64 // offset of a sector that cannot be read, or -1
	mu     sync.Mutex
	reads  int
}

var errBad = errors.New("bad sector")

func (s *strict) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	switch n := int64(len(p)); {
	case off%s.sector != 0 || n%s.sector != 0 || n == 0:
		return 0, fmt.Errorf("%d bytes at %d: want whole sectors", n, off)
	case beginsAt(p, s.sector) != 0:
		return 0, errors.New("a buffer that begins within a sector")
	case off+n > int64(len(s.data)):
		return 0, fmt.Errorf("%d bytes at %d: behind the end", n, off)
	case s.bad >= off && s.bad < off+n:
		return copy(p, s.data[off:s.bad]), errBad
	}
	return copy(p, s.data[off:]), nil
}

func TestAligned(t *testing.T) {
	for _, c := range []struct{ sector, unit, size int64 }{{512, 512, 3<<20 + 512}, {4096, 4096, 2 << 20}, {512, usualSector, 1<<20 + 1536}, {1 << 16, 1 << 16, 1 << 20}, {512, 512, 512}} {
		data := make([]byte, c.size)
		random := rand.New(rand.NewPCG(1, uint64(c.size)))
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		dev := &strict{data: data, sector: c.sector, bad: -1}
		a := &aligned{device: dev, size: c.size, unit: c.unit}
		if err := iotest.TestReader(io.NewSectionReader(a, 0, min(c.size, 64<<10)), data[:min(c.size, 64<<10)]); err != nil {
			t.Errorf("sectors of %d: %v", c.sector, err)
		}
		var all sync.WaitGroup
		for g := range 4 {
			all.Go(func() {
				random := rand.New(rand.NewPCG(2, uint64(g)))
				backing := make([]byte, 700<<10)
				for range 200 {
					p := backing[random.IntN(5000):][:random.IntN(600<<10)]
					if random.IntN(2) == 0 {
						p = p[:min(len(p), 5000)]
					}
					off := random.Int64N(c.size + 1)
					n, err := a.ReadAt(p, off)
					want := min(int64(len(p)), c.size-off)
					if int64(n) != want || !bytes.Equal(p[:n], data[off:][:want]) || err != nil && err != io.EOF || (err == io.EOF) != (want < int64(len(p))) {
						t.Errorf("sectors of %d: %d bytes at %d: %d, %v", c.sector, len(p), off, n, err)
					}
				}
			})
		}
		all.Wait()
	}
}

// TestAlignedBadSector loses no byte beside a sector that cannot be read, and reads what lies in place without a detour.
func TestAlignedBadSector(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	dev := &strict{data: data, sector: 512, bad: 512 * 9}
	a := &aligned{device: dev, size: int64(len(data)), unit: 512}
	p := make([]byte, 512*3)
	for _, c := range []struct {
		off  int64
		n    int
		fail bool
	}{{512 * 8, 512, true}, {512*8 + 100, 412, true}, {512 * 10, 1536, false}, {512*9 - 1, 1, true}, {512 * 6, 1536, false}} {
		n, err := a.ReadAt(p, c.off)
		if n != c.n || errors.Is(err, errBad) != c.fail || !bytes.Equal(p[:n], data[c.off:][:n]) {
			t.Errorf("at %d: %d, %v", c.off, n, err)
		}
	}
	dev.bad, dev.reads = -1, 0
	whole := make([]byte, 1<<20) // of a size that the allocator places at a page
	if n, err := a.ReadAt(whole, 0); n != 1<<20 || err != nil || dev.reads != 1 {
		t.Errorf("%d, %v in %d reads", n, err, dev.reads)
	}
}

// TestFiles has paths that are no devices be what package os says.
func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := Stat(path)
	b, err2 := Info(f)
	if err != nil || err2 != nil || !Same(a, b) || a.Size() != 3 || !Exists(path) || Exists(path+"y") || Base(path) != "x" {
		t.Errorf("%v, %v, %v, %v", a, err, b, err2)
	}
	if NewReader(f, Geometry{Size: 3}) != io.ReaderAt(f) {
		t.Error("a file is read in a way of its own")
	}
	one, two, other := info{`\\.\C:`}, info{`\\?\c:`}, info{`\\.\D:`}
	if !Same(one, two) || Same(one, other) || Same(one, a) || one.Mode() != fs.ModeDevice || !IsDisk(one.Mode()) || IsDisk(0) || IsDisk(fs.ModeDir) {
		t.Error("devices are told apart in another way")
	}
}
