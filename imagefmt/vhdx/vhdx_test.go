package vhdx_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

func noise(r *rand.Rand, b []byte) {
	var word [8]byte
	for len(b) > 0 {
		binary.LittleEndian.PutUint64(word[:], r.Uint64())
		b = b[copy(b, word[:]):]
	}
}

func TestConverted(t *testing.T) {
	qemuImg := testenv.Peer(t, "qemu-img")
	data := layertest.Mixed(mib, 3*mib+7*512, 5)
	for _, options := range []string{
		"subformat=dynamic", "subformat=fixed", "subformat=dynamic,block_size=1M", "subformat=dynamic,block_size=2M,log_size=4M",
		"subformat=dynamic,block_size=256M", "subformat=fixed,block_size=1M", "subformat=dynamic,block_size=4M,block_state_zero=off",
	} {
		t.Run(options, func(t *testing.T) {
			image := imagetest.Made(t, "vhdx", options, data)
			d := open(t, testenv.Open(t, image), format.Env{})
			want := imagetest.Content(t, imagetest.Converted(t, "vhdx", image))
			if !bytes.Equal(want[:len(data)], data) || len(want) > len(data)+mib {
				t.Fatalf("qemu-img gives %d other bytes back", len(want))
			}
			layertest.Contract(t, d, want)
			if len(testenv.Run(t, qemuImg, "check", image)) == 0 {
				t.Error("qemu-img check says nothing")
			}
		})
	}
}

// TestChunks writes on both sides of every border between chunks, where the table has an entry for a sector bitmap.
func TestChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse.vhdx")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "create", "-f", "vhdx", "-o", "block_size=1M", path, "13G")
	var commands []string
	want := make(map[int64]byte)
	for i, at := range []int64{0, 4<<30 - mib, 4 << 30, 8<<30 - 512, 8 << 30, 12<<30 - 512, 12<<30 + 3*mib, 13<<30 - 512} {
		commands = append(commands, fmt.Sprintf("write -P %d %d 512", i+1, at))
		want[at] = byte(i + 1)
	}
	imagetest.QemuIO(t, "vhdx", path, commands...)
	d := open(t, testenv.Open(t, path), format.Env{})
	if d.Size() != 13<<30 {
		t.Fatalf("size %d", d.Size())
	}
	var data int64
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		if e.Kind == layer.Zero {
			continue
		}
		data += e.Len
		b := make([]byte, e.Len)
		if err := layer.ReadFull(d, b, e.Off); err != nil {
			t.Fatal(err)
		}
		for i := int64(0); i < e.Len; i += 512 {
			if fill := want[e.Off+i]; !bytes.Equal(b[i:i+512], bytes.Repeat([]byte{fill}, 512)) {
				t.Errorf("byte %d at 0x%x, want %d", b[i], e.Off+i, fill)
			}
		}
	}
	if data != 8*mib {
		t.Errorf("0x%x bytes of data, want 8 blocks", data)
	}
}

// TestLargest holds that opening the largest disk costs little, and that mapping it follows what it holds.
func TestLargest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sparse.vhdx")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "create", "-f", "vhdx", "-o", "block_size=32M", path, "64T")
	imagetest.QemuIO(t, "vhdx", path, "write -P 1 0 64k", "write -P 2 41T 64k", "write -P 3 70368744112128 64k")
	src := testenv.Open(t, path)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	d := open(t, src, format.Env{})
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 || took > time.Second {
		t.Errorf("open took %d bytes and %v", n, took)
	}
	p := make([]byte, 64<<10)
	for i, off := range []int64{0, 41 << 40, 64<<40 - 64<<10} {
		if err := layer.ReadFull(d, p, off); err != nil || !bytes.Equal(p, bytes.Repeat([]byte{byte(i + 1)}, len(p))) {
			t.Errorf("at %d: %v, byte %d", off, err, p[0])
		}
	}
	n := 0
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatalf("%+v: %v", e, err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("%d extents, want 3 of data and 2 of zeros", n)
	}
}

// TestStates holds every state that a dynamic disk can have, and both sector sizes, against libvhdi, and the smaller
// sectors, which alone it reads, against QEMU.
func TestStates(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, sector := range []int64{512, 4096} {
		im := image{id: 1, size: 6*mib + 4096, block: mib, sector: sector, blocks: make(map[int64]block)}
		want := make([]byte, im.size)
		for i, state := range []uint64{6, 0, 1, 2, 3, 6, 6} {
			b := block{state: state}
			if state == 6 || state == 1 || state == 3 { // which keep their place
				b.data = make([]byte, mib)
				noise(r, b.data)
			}
			if state == 6 {
				copy(want[i*mib:], b.data)
			}
			im.blocks[int64(i)] = b
		}
		path := filepath.Join(t.TempDir(), "states.vhdx")
		im.file().save(t, path)
		if sector == 512 && !bytes.Equal(imagetest.Content(t, imagetest.Converted(t, "vhdx", path)), want) {
			t.Error("QEMU sees another disk than the builder meant")
		}
		if !bytes.Equal(imagetest.Libvhdi(t, path, 1), want) {
			t.Error("libvhdi sees another disk than the builder meant")
		}
		layertest.Contract(t, open(t, testenv.Open(t, path), format.Env{}), want)
	}
}

func BenchmarkRead(b *testing.B) {
	const size, step = 256 * mib, 64 << 10
	dir := b.TempDir()
	im := image{id: 1, size: size, block: 32 * mib, sector: 512, blocks: make(map[int64]block)}
	for i := range int64(size / im.block) {
		im.blocks[i] = block{state: 6, data: bytes.Repeat([]byte{byte(i + 1)}, int(im.block))}
	}
	path := filepath.Join(dir, "bench.vhdx")
	im.file().save(b, path)
	d := open(b, testenv.Open(b, path), format.Env{})
	p := make([]byte, step)
	for _, c := range []struct {
		name string
		off  func(i int) int64
	}{
		{"sequential", func(i int) int64 { return int64(i) * step % size }},
		{"random", func(i int) int64 { return int64(uint32(i)*2654435761>>4) % (size - step) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(step)
			b.ReportAllocs()
			for i := range b.N {
				if _, err := d.ReadAt(p, c.off(i)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
