package vmdk_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/vmdk"
)

// TestStream reads a stream with a footer, as VMware writes it, and QEMU sees the same.
func TestStream(t *testing.T) {
	want := layertest.Mixed(300_000, 2500*sector, 21)
	clear(want[100<<10 : 1160<<10]) // a table that is not there
	dir := folder(t, map[string][]byte{"disk.vmdk": stream(want), "padded.vmdk": append(stream(want), make([]byte, 10*sector+7)...)})
	layertest.Contract(t, open(t, filepath.Join(dir, "disk.vmdk")), want)
	imagetest.Same(t, open(t, filepath.Join(dir, "padded.vmdk")), bytes.NewReader(want), 2000)
	imagetest.Same(t, bytes.NewReader(want), imagetest.Converted(t, "vmdk", filepath.Join(dir, "disk.vmdk")), 2000)
}

// TestTornStream cuts a stream everywhere: what is before the cut reads, all behind it is an error, zeros too.
func TestTornStream(t *testing.T) {
	want := layertest.Mixed(300_000, 2*mib, 29)
	clear(want[300<<10 : 1500<<10])
	whole := stream(want)
	before := 0
	for cut := 8 * sector; cut < len(whole)-2*sector; cut += 1 + len(whole)/100 {
		var warned []error
		d, err := vmdk.Open(bytes.NewReader(whole[:cut]), format.Env{Warn: func(err error) { warned = append(warned, err) }})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		good := 0
		p := make([]byte, 8<<10)
		for off := 0; off < len(want); off += len(p) {
			switch err := layer.ReadFull(d, p, int64(off)); {
			case err != nil && !imagetest.Lost(err):
				t.Fatal(err)
			case err == nil && (good != off || !bytes.Equal(p, want[off:][:len(p)])):
				t.Fatalf("cut at %d: read %d, where good ones end at %d, or other bytes", cut, off, good)
			case err == nil:
				good += len(p)
			}
		}
		if len(warned) != 1 || good < len(want) && !strings.Contains(warned[0].Error(), "torn") {
			t.Errorf("cut at %d: warned %v, %d bytes read", cut, warned, good)
		}
		if good < before {
			t.Errorf("cut at %d of %d: %d bytes read, %d with less of the file", cut, len(whole), good, before)
		}
		before = good
	}
	if before != len(want) {
		t.Errorf("%d bytes read before the footer, want all %d", before, len(want))
	}
}

// TestLostFooter recovers all grains of a stream whose last sectors are lost, and of one whose directory is misplaced.
func TestLostFooter(t *testing.T) {
	want := layertest.Mixed(300_000, mib-sector, 23)
	whole := stream(want)
	misplaced := bytes.Clone(whole)
	le.PutUint64(misplaced[len(misplaced)-2*sector+56:], 1<<40)
	for _, b := range [][]byte{whole[:len(whole)-sector-1], misplaced} {
		n := 0
		d, err := vmdk.Open(bytes.NewReader(b), format.Env{Warn: func(err error) { n++; t.Log(err) }})
		if err != nil || n != 1 {
			t.Fatalf("error %v, %d warnings", err, n)
		}
		imagetest.Same(t, d, bytes.NewReader(want), 2000)
	}
}

// TestCOWD reads VMFS sparse disks with one and several grain tables, alone and as snapshots; QEMU sees the same.
func TestCOWD(t *testing.T) {
	for grain, size := range map[int]int{1: 2*mib + 300*sector, 8: 150 * sector, 128: mib + 3*sector} {
		t.Run(fmt.Sprint(grain), func(t *testing.T) {
			want := layertest.Mixed(300_000, size, 24)
			capacity := size / sector
			dir := folder(t, map[string][]byte{
				"disk.vmdk":              descriptor(5, 0xffffffff, "", "vmfsSparse", fmt.Sprintf(`RW %d VMFSSPARSE "disk-delta.vmdk"`, capacity)),
				"disk-delta.vmdk":        cowd(capacity, grain, grainsOf(want, grain*sector, notZero)),
				"disk-000001.vmdk":       descriptor(6, 5, "disk.vmdk", "vmfsSparse", fmt.Sprintf(`RW %d VMFSSPARSE "disk-000001-delta.vmdk"`, capacity)),
				"disk-000001-delta.vmdk": cowd(capacity, grain, grainsOf(bytes.Repeat([]byte{9}, len(want)), grain*sector, func(g int, _ []byte) bool { return g%3 == 1 })),
			})
			if grain == 8 {
				layertest.Contract(t, open(t, filepath.Join(dir, "disk.vmdk")), want)
			}
			imagetest.Same(t, open(t, filepath.Join(dir, "disk.vmdk")), imagetest.Converted(t, "vmdk", filepath.Join(dir, "disk.vmdk")), 2000)
			imagetest.Same(t, open(t, filepath.Join(dir, "disk-000001.vmdk")), imagetest.Converted(t, "vmdk", filepath.Join(dir, "disk-000001.vmdk")), 2000)
		})
	}
}

// TestSESparse reads a space-efficient snapshot over a flat VMFS disk; QEMU sees the same.
func TestSESparse(t *testing.T) {
	want := layertest.Mixed(300_000, 17*mib+3*sector, 25) // two tables
	capacity := len(want) / sector
	changed := grainsOf(bytes.Repeat([]byte{9}, len(want)), 4096, func(g int, _ []byte) bool { return g%7 == 3 || g > 4000 && g < 4200 })
	for g := range changed {
		if g%11 == 5 {
			changed[g] = []byte{} // zeroed
		}
	}
	dir := folder(t, map[string][]byte{
		"disk.vmdk":                 descriptor(5, 0xffffffff, "", "vmfs", fmt.Sprintf(`RW %d VMFS "disk-flat.vmdk"`, capacity)),
		"disk-flat.vmdk":            want,
		"disk-000001.vmdk":          descriptor(6, 5, "disk.vmdk", "seSparse", fmt.Sprintf(`RW %d SESPARSE "disk-000001-sesparse.vmdk"`, capacity)),
		"disk-000001-sesparse.vmdk": seSparse(capacity, changed),
	})
	imagetest.Same(t, open(t, filepath.Join(dir, "disk.vmdk")), bytes.NewReader(want), 2000)
	imagetest.Same(t, open(t, filepath.Join(dir, "disk-000001.vmdk")), imagetest.Converted(t, "vmdk", filepath.Join(dir, "disk-000001.vmdk")), 2000)
}

// TestRedundant damages the grain directory or tables of a disk of QEMU's: the second ones are used.
func TestRedundant(t *testing.T) {
	want := layertest.Mixed(300_000, 36*mib, 26) // two tables
	good := imagetest.Content(t, testenv.Open(t, imagetest.Made(t, "vmdk", "subformat=monolithicSparse", want)))
	directory := int(le.Uint64(good[56:])) * sector
	table := int(le.Uint32(good[directory:])) * sector
	for _, c := range []struct {
		name   string
		edit   func(b []byte)
		warned string
	}{
		{"directory outside", func(b []byte) { le.PutUint64(b[56:], 1<<50) }, "redundant grain directory is used"},
		{"no directory", func(b []byte) { le.PutUint64(b[56:], 0) }, "redundant grain directory is used"},
		{"redundant outside", func(b []byte) { le.PutUint64(b[48:], 1<<50) }, "redundant grain directory is not used"},
		{"directory wiped", func(b []byte) { clear(b[directory:][:8]) }, "576 grains are found by the redundant"},
		{"table outside", func(b []byte) { le.PutUint32(b[directory+4:], 0xfffffff0) }, "64 grains are found by the redundant"},
		{"grains outside", func(b []byte) { copy(b[table+40:], bytes.Repeat([]byte{0xf0}, 200)) }, "50 grains are found by the redundant"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := bytes.Clone(good)
			c.edit(b)
			var warned []string
			d, err := vmdk.Open(bytes.NewReader(b), format.Env{Warn: func(err error) { warned = append(warned, err.Error()) }})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(warned, "; "); !strings.Contains(got, c.warned) || (got == "") != (c.warned == "") {
				t.Errorf("warned %q, want %q", got, c.warned)
			}
			got := make([]byte, len(want))
			if err := layer.ReadFull(d, got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, or other bytes", err)
			}
		})
	}
}
