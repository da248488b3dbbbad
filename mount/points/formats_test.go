package points_test

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// wrapping is a way to put a disk into an image.
type wrapping struct {
	name   string
	format string                                     // that the image has then
	wrap   func(t *testing.T, raw, dir string) string // returns the image, in dir, of the disk in raw
	opts   func(disk int64) (opts points.Options)     // nil for none
}

// converted is a wrapping by qemu-img.
func converted(format, qemu, file string, args ...string) wrapping {
	return wrapping{name: strings.TrimSpace(file + " " + strings.Join(args, " ")), format: format, wrap: func(t *testing.T, raw, dir string) string {
		args := append([]string{"convert", "-f", "raw", "-O", qemu}, args...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "DIR", dir)
		}
		testenv.Run(t, testenv.Peer(t, "qemu-img"), append(args, raw, filepath.Join(dir, file))...)
		return filepath.Join(dir, file)
	}}
}

// onBase is a wrapping that keeps what differs from a base in another format.
func onBase(format, qemu, file, baseQemu, base string) wrapping {
	return wrapping{name: file + " on " + base, format: format, wrap: func(t *testing.T, raw, dir string) string {
		b, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		clear(b[len(b)/4:][:len(b)/2])
		copy(b[len(b)/2:], "what the upper image overwrites")
		old := filepath.Join(dir, "old.raw")
		if err := os.WriteFile(old, b, 0o600); err != nil {
			t.Fatal(err)
		}
		qemuImg, basePath := testenv.Peer(t, "qemu-img"), filepath.Join(dir, base)
		args := []string{"convert", "-f", "raw", "-O", baseQemu}
		if baseQemu == "vpc" {
			args = append(args, "-o", "force_size=on")
		}
		testenv.Run(t, qemuImg, append(args, old, basePath)...)
		testenv.Run(t, qemuImg, "convert", "-f", "raw", "-O", qemu, "-B", basePath, "-F", baseQemu, raw, filepath.Join(dir, file))
		if qemu == "qcow2" { // of VMDKs it cannot: the name stays absolute
			testenv.Run(t, qemuImg, "rebase", "-u", "-b", base, "-F", baseQemu, "-f", qemu, filepath.Join(dir, file))
		}
		return filepath.Join(dir, file)
	}}
}

// acquired is a wrapping by ewfacquire.
func acquired(file string, args ...string) wrapping {
	return wrapping{name: file + " " + strings.Join(args, " "), format: "ewf", wrap: func(t *testing.T, raw, dir string) string {
		stem := filepath.Join(dir, strings.TrimSuffix(file, filepath.Ext(file)))
		testenv.Run(t, testenv.Peer(t, "ewfacquire"), append(append([]string{"-u", "-q", "-t", stem}, args...), raw)...)
		return filepath.Join(dir, file)
	}}
}

// cut is a wrapping by split.
func cut(first string, args ...string) wrapping {
	return wrapping{name: first, format: "split raw", wrap: func(t *testing.T, raw, dir string) string {
		stem := filepath.Join(dir, strings.TrimRight(first, "a01"))
		testenv.Run(t, testenv.Peer(t, "split"), append(args, "-b", "7777777", raw, stem)...)
		return filepath.Join(dir, first)
	}}
}

// within is a wrapping in the midst of something else, up to its end or not.
func within(before, after int) wrapping {
	return wrapping{name: fmt.Sprintf("%d bytes before, %d behind", before, after), format: "raw", wrap: func(t *testing.T, raw, dir string) string {
		b, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "memory.dump")
		b = append(append(bytes.Repeat([]byte("odd"), before/3), b...), bytes.Repeat([]byte{0xee}, after)...)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}, opts: func(disk int64) points.Options { return points.Options{Offset: int64(before), Size: disk} }}
}

func wrappings() []wrapping {
	return []wrapping{
		converted("raw", "raw", "disk.img"), cut("disk.000", "-d", "-a", "3"), cut("disk.001", "--numeric-suffixes=1", "-a", "3"), cut("disk.aa"), within(12345, 1000), within(3, 0),
		converted("qcow2", "qcow2", "a.qcow2"), converted("qcow2", "qcow2", "b.qcow2", "-o", "compat=0.10"), converted("qcow2", "qcow2", "c.qcow2", "-o", "cluster_size=512"),
		converted("qcow2", "qcow2", "d.qcow2", "-o", "cluster_size=2M"), converted("qcow2", "qcow2", "e.qcow2", "-o", "extended_l2=on,cluster_size=128k"),
		converted("qcow2", "qcow2", "f.qcow2", "-c"), converted("qcow2", "qcow2", "g.qcow2", "-c", "-o", "compression_type=zstd"),
		converted("qcow2", "qcow2", "h.qcow2", "-c", "-o", "cluster_size=4k"), converted("qcow2", "qcow2", "i.qcow2", "-o", "data_file=DIR/i.data"),
		converted("qcow2", "qcow2", "j.qcow2", "-o", "data_file=DIR/j.data,data_file_raw=on"),
		onBase("qcow2", "qcow2", "k.qcow2", "qcow2", "base.qcow2"), onBase("qcow2", "qcow2", "l.qcow2", "vpc", "base.vhd"), onBase("qcow2", "qcow2", "m.qcow2", "vmdk", "base.vmdk"),
		converted("vhd", "vpc", "a.vhd", "-o", "force_size=on"), converted("vhd", "vpc", "b.vhd", "-o", "force_size=on,subformat=fixed"),
		converted("vhdx", "vhdx", "a.vhdx"), converted("vhdx", "vhdx", "b.vhdx", "-o", "subformat=fixed"), converted("vhdx", "vhdx", "c.vhdx", "-o", "block_size=1M"),
		converted("vmdk", "vmdk", "a.vmdk"), converted("vmdk", "vmdk", "b.vmdk", "-o", "zeroed_grain=on"), converted("vmdk", "vmdk", "c.vmdk", "-o", "subformat=monolithicFlat"),
		converted("vmdk", "vmdk", "d.vmdk", "-o", "subformat=twoGbMaxExtentSparse"), converted("vmdk", "vmdk", "e.vmdk", "-o", "subformat=twoGbMaxExtentFlat"),
		converted("vmdk", "vmdk", "f.vmdk", "-o", "subformat=streamOptimized"), onBase("vmdk", "vmdk", "g.vmdk", "vmdk", "base.vmdk"),
		converted("vdi", "vdi", "a.vdi"), converted("vdi", "vdi", "b.vdi", "-o", "static=on"),
		acquired("a.E01", "-f", "encase6", "-c", "fast", "-S", "1MiB"), acquired("b.E01", "-f", "encase2", "-c", "best"), acquired("c.E01", "-f", "ftk", "-c", "none", "-S", "9MiB", "-b", "16"),
		acquired("d.s01", "-f", "smart", "-c", "empty-block"), acquired("e.e01", "-f", "ewfx", "-c", "fast"), acquired("f.E01", "-f", "linen5", "-c", "fast", "-S", "3MiB"),
	}
}

// images returns the checksum of each point's block image.
func images(t *testing.T, s *points.Set) map[string]uint32 {
	out := map[string]uint32{}
	for _, v := range s.Volumes {
		for _, p := range v.Points {
			m, err := p.Image()
			if err != nil {
				t.Fatal(err)
			}
			h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
			if _, err := io.CopyBuffer(h, struct{ io.Reader }{io.NewSectionReader(m, 0, m.Size())}, make([]byte, 1<<20)); err != nil {
				t.Errorf("%s@%s: %v", v.Name, p.Name, err)
			}
			out[v.Name+"@"+p.Name] = h.Sum32()
		}
	}
	return out
}

// TestFormats shows all files and block images of all points of the demo disk, out of every format.
func TestFormats(t *testing.T) {
	want, raw := manifest(t), filepath.Join(t.TempDir(), "demo.raw")
	testenv.Run(t, testenv.Peer(t, "qemu-img"), "convert", "-O", "raw", demo(t), raw)
	s := open(t, raw)
	size, blocks := s.Images[0].Disk.Size(), images(t, s)
	if len(blocks) != 7 {
		t.Fatalf("%d points", len(blocks))
	}
	for i, w := range wrappings() {
		if testenv.Race && i%4 > 0 { // each takes seconds then
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			dir := filepath.Join(filepath.Dir(raw), fmt.Sprint(i)) // t.TempDir() has the test's name, with commas
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			image, opts := w.wrap(t, raw, dir), points.Options{Warn: func(err error) { t.Errorf("warning: %v", err) }}
			if w.opts != nil {
				more := w.opts(size)
				opts.Offset, opts.Size = more.Offset, more.Size
			}
			s, err := points.Open(t.Context(), []string{image}, opts)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if d := s.Images[0].Disk; d.Format() != w.format || d.Size() != size {
				t.Errorf("%s of %d bytes, want %s of %d", d.Format(), d.Size(), w.format, size)
			}
			if got := images(t, s); !maps.Equal(got, blocks) {
				t.Errorf("block images %v, want %v", got, blocks)
			}
			for _, v := range s.Volumes {
				for _, p := range v.Points {
					name := "current"
					if p.Snapshot != nil {
						name = fmt.Sprintf("vss%d", p.Snapshot.Index)
					}
					if got := contents(t, p); len(got) == 0 || !maps.Equal(got, want[v.Label][name]) {
						t.Errorf("%s@%s: %d files differ from %d", v.Name, name, len(got), len(want[v.Label][name]))
					}
				}
			}
		})
	}
}
