package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
)

// TestLostParts has raw disks of which a range is lost in the midst of a file: by the map of ddrescue, in a part that is
// short, and in one that is missing. Every answer tells of it, nothing moves, and zeros can be had.
func TestLostParts(t *testing.T) {
	a := makeEvidence(t)
	const count = 64 // of parts until the middle of the file
	size := (a.at + int64(len(a.content))/2) / count
	border := count * size
	for name, c := range map[string]struct {
		off, end int64 // of the disk
		why      layer.Reason
		write    func(put func(name string, b []byte)) string
	}{
		"map": {a.at + 5000, a.at + 9000, layer.NotAcquired, func(put func(string, []byte)) string {
			put("disk.dd", a.disk)
			put("disk.dd.map", fmt.Appendf(nil, "# Mapfile\n0x0 + 1\n0 %d +\n%d 1000 ?\n%d 3000 -\n%d %d +\n", a.at+5000, a.at+5000, a.at+6000, a.at+9000, int64(len(a.disk))-a.at-9000))
			return "disk.dd"
		}},
		"short part": {border - 1000, border, layer.Missing, func(put func(string, []byte)) string {
			a.split(size, func(i int, b []byte) {
				if i == count-1 {
					b = b[:len(b)-1000]
				}
				put(fmt.Sprintf("d.%03d", i+1), b)
			})
			return "d.001"
		}},
		"missing part": {border - size, border, layer.Missing, func(put func(string, []byte)) string {
			a.split(size, func(i int, b []byte) {
				if i != count-1 {
					put(fmt.Sprintf("d.img.part%02d", i), b)
				}
			})
			return "d.img.part00"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			image := filepath.Join(dir, c.write(func(name string, b []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}))
			reasons(t, image+acquiredCurrent, []report.Gap{a.gap(c.off, c.end, c.why)})
			zeros := bytes.Clone(a.disk)
			clear(zeros[c.off:c.end])
			if code, got, errs := run("cat", "--raw", "--unknown", "zero", image); code != exitOK || got != string(zeros) {
				t.Errorf("cat --raw --unknown zero: exit %d, %s", code, errs)
			}
			if code, out, errs := run("info", image); code != exitDamaged || strings.Count(out, "DAMAGED: ") < 1 || !strings.Contains(out, fmt.Sprintf(" %d bytes in all: ", c.end-c.off)) || !strings.Contains(out, c.why.String()) {
				t.Errorf("info: exit %d, %s%s", code, out, errs)
			}
		})
	}
}

// split cuts the disk in parts of a size.
func (a evidenceImage) split(size int64, each func(i int, part []byte)) {
	for i, at := 0, int64(0); at < int64(len(a.disk)); i, at = i+1, at+size {
		each(i, bytes.Clone(a.disk[at:min(at+size, int64(len(a.disk)))]))
	}
}

// TestCutBeforeVolumes has an image that ends before its partition table: that no volume is found in the rest says nothing.
func TestCutBeforeVolumes(t *testing.T) {
	whole, err := os.ReadFile(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.qcow2")
	if err := os.WriteFile(cut, whole[:300000], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"info", cut}, {"ls", cut}, {"ls", cut + ":/Letters"}, {"find", cut, "*"}, {"history", cut + ":/Letters"}, {"undelete", cut, "x"},
		{"restore", cut, t.TempDir()}, {"timeline", cut, "-o", "-", "--format", "csv"}} {
		if code, out, errs := run(args...); code != exitDamaged || !strings.Contains(out+errs, "cut at 0x493e0") {
			t.Errorf("%q: %d, %s%s", args, code, out, errs)
		}
	}
}
