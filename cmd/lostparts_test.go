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
			if _, out, errs := run("info", image); strings.Count(out, "warning: "+image) != 1 {
				t.Errorf("info: %s%s", out, errs)
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
