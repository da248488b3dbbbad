package cmd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/adler32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

const (
	acquiredSector  = 512
	descriptorLen   = 76      // of a section of an E01
	acquiredMiB     = 1 << 20 // of a segment
	acquiredFile    = "Pictures/bridge.raw"
	acquiredChunk   = 64 * acquiredSector
	acquiredVolume  = "p1"
	acquiredCurrent = ":" + acquiredVolume + "@current:/" + acquiredFile
)

// evidenceImage is an E01 of the demo's disk in segments of 1 MiB, and a file in it that lies in one piece.
type evidenceImage struct {
	dir, image string
	disk       []byte // in it
	content    string // of the file
	at         int64  // where the file lies in the disk
}

// makeEvidence makes one. Nothing is packed, so that all segments but the first and the last have as many chunks.
func makeEvidence(t *testing.T) evidenceImage {
	t.Helper()
	tool := testenv.Peer(t, "ewfacquire")
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, _, err := s.Volumes[0].Current().Lookup(acquiredFile, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err := n.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	e, err := layer.Leaf(m, 0, m.Size())
	if err != nil {
		t.Fatal(err)
	}
	a := evidenceImage{dir: t.TempDir(), disk: make([]byte, s.Images[0].Disk.Size())}
	if err := layer.ReadFull(s.Images[0].Disk, a.disk, 0); err != nil {
		t.Fatal(err)
	}
	content := make([]byte, m.Size())
	if err := layer.ReadFull(m, content, 0); err != nil {
		t.Fatal(err)
	}
	a.content = string(content)
	if a.at = int64(bytes.Index(a.disk, content[:min(e.Len, 4096)])); a.at < 0 || !bytes.Equal(a.disk[a.at:][:len(content)], content) {
		t.Fatalf("%s does not lie in one piece", acquiredFile)
	}
	raw := filepath.Join(a.dir, "raw")
	if err := os.WriteFile(raw, a.disk, 0o600); err != nil {
		t.Fatal(err)
	}
	a.image = filepath.Join(a.dir, "a.E01")
	testenv.Run(t, tool, "-u", "-q", "-t", filepath.Join(a.dir, "a"), "-f", "encase5", "-c", "none", "-S", "1MiB", raw)
	return a
}

// segment is the path of a segment, and which bytes of the disk are in it.
func (a evidenceImage) segment(t *testing.T, n int) (path string, off, end int64) {
	t.Helper()
	for i := 1; i <= n; i++ {
		path, off = filepath.Join(a.dir, fmt.Sprintf("a.E%02d", i)), end
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; ; {
			k := bytes.Index(b[at:], append([]byte("table\x00"), make([]byte, 10)...))
			if k < 0 {
				break
			}
			at += k + descriptorLen
			end += int64(binary.LittleEndian.Uint32(b[at:])) * acquiredChunk
		}
	}
	return path, off, min(end, int64(len(a.disk)))
}

// holds finds the segment that has a byte of the disk.
func (a evidenceImage) holds(t *testing.T, at int64) int {
	for n := 1; ; n++ {
		if _, _, end := a.segment(t, n); end > at {
			return n
		}
	}
}

// gap is what of the file lies in a range of the disk.
func (a evidenceImage) gap(off, end int64, why layer.Reason) report.Gap {
	off, end = max(off-a.at, 0), min(end-a.at, int64(len(a.content)))
	return report.Gap{Offset: off, Length: end - off, Reason: why}
}

// sectionOf is a section for the offset at of its file.
func sectionOf(kind string, at, next int, data []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, descriptorLen-4)
	copy(b, kind)
	le.PutUint64(b[16:], uint64(next))
	le.PutUint64(b[24:], uint64(descriptorLen+len(data)))
	return append(le.AppendUint32(b, adler32.Checksum(b)), data...)
}

// skip has the image say that it did not read these sectors of the disk, each a first one and a number of them.
func (a evidenceImage) skip(t *testing.T, sectors ...[2]int64) {
	t.Helper()
	last, err := filepath.Glob(filepath.Join(a.dir, "a.E*"))
	if err != nil || len(last) < 3 {
		t.Fatal(last, err)
	}
	path := last[len(last)-1]
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	at := bytes.LastIndex(b, append([]byte("done"), make([]byte, 12)...))
	head := make([]byte, 516)
	le.PutUint32(head, uint32(len(sectors)))
	data := le.AppendUint32(head, adler32.Checksum(head))
	var rows []byte
	for _, s := range sectors {
		rows = le.AppendUint32(le.AppendUint32(rows, uint32(s[0])), uint32(s[1]))
	}
	data = append(append(data, rows...), 0, 0, 0, 0)
	le.PutUint32(data[len(data)-4:], adler32.Checksum(rows))
	b = append(b[:at], sectionOf("error2", at, at+descriptorLen+len(data), data)...)
	b = append(b, sectionOf("done", len(b), len(b), nil)...)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestNotAcquired has images that say what they have not read: once in the midst of a file, once in two places that touch,
// and once past its end.
func TestNotAcquired(t *testing.T) {
	for _, list := range [][][2]int64{{{8, 64}}, {{16, 8}, {24, 8}, {100, 1}}, {{-4, 5}, {90, 1 << 20}}} {
		a := makeEvidence(t)
		first := a.at / acquiredSector
		var sectors [][2]int64
		var want []report.Gap
		for _, s := range list {
			sectors = append(sectors, [2]int64{first + s[0], s[1]})
			g := a.gap((first+s[0])*acquiredSector, (first+s[0]+s[1])*acquiredSector, layer.NotAcquired)
			if last := len(want) - 1; last >= 0 && want[last].Offset+want[last].Length == g.Offset {
				want[last].Length += g.Length
				continue
			}
			want = append(want, g)
		}
		a.skip(t, sectors...)
		reasons(t, a.image+acquiredCurrent, want)
		zeros := []byte(a.content)
		for _, g := range want {
			clear(zeros[g.Offset:][:g.Length])
		}
		if code, got, errs := run("cat", "--unknown", "zero", a.image+acquiredCurrent); code != exitOK || got != string(zeros) {
			t.Errorf("cat --unknown zero: exit %d, %s", code, errs)
		}
		if code, out, errs := run("info", a.image); code != exitDamaged || !strings.Contains(out+errs, " bytes in all: ") || !strings.Contains(out, layer.NotAcquired.String()) {
			t.Errorf("info: exit %d, %s%s", code, out, errs)
		}
		code, out, errs := run("verify", a.image)
		if code != exitOK || !strings.Contains(out, "as stored") || !strings.Contains(out, "intact but for ") {
			t.Errorf("verify: exit %d, %s%s", code, out, errs)
		}
	}
}

// TestMissingSegments takes away a segment of many, two that lie apart, and one whose file is empty.
func TestMissingSegments(t *testing.T) {
	for name, c := range map[string]struct {
		also int // another segment, this many further on
		take func(path string) error
	}{
		"one":   {0, os.Remove},
		"two":   {3, os.Remove},
		"empty": {2, func(path string) error { return os.Truncate(path, 0) }},
		"start": {0, func(path string) error { return os.Truncate(path, 13) }},
	} {
		t.Run(name, func(t *testing.T) {
			a := makeEvidence(t)
			n := a.holds(t, a.at)
			path, off, end := a.segment(t, n)
			also, from, to := a.segment(t, n+c.also)
			for _, p := range []string{also, path} {
				if err := c.take(p); err != nil && c.also > 0 {
					t.Fatal(err)
				}
			}
			want := []report.Gap{a.gap(off, end, layer.Missing)}
			if c.also > 0 && from < a.at+int64(len(a.content)) {
				want = append(want, a.gap(from, to, layer.Missing))
			}
			reasons(t, a.image+acquiredCurrent, want)
			disk := bytes.Clone(a.disk)
			clear(disk[off:end])
			clear(disk[from:to])
			if code, got, errs := run("cat", "--raw", "--unknown", "zero", a.image); code != exitOK || got != string(disk) {
				t.Errorf("cat --raw --unknown zero: exit %d, %s", code, errs)
			}
			code, out, errs := run("verify", a.image)
			if code != exitDamaged || !strings.Contains(out, fmt.Sprintf("BAD    0x%x bytes at 0x%x: in a missing part", end-off, off)) || !strings.Contains(out, "FAULT  segment") {
				t.Errorf("verify: exit %d, %s%s", code, out, errs)
			}
		})
	}
}

// TestSegmentNames exchanges the names of segments.
func TestSegmentNames(t *testing.T) {
	for _, pair := range [][2]int{{2, 7}, {1, 2}, {5, 58}} {
		a := makeEvidence(t)
		one, other, between := filepath.Join(a.dir, fmt.Sprintf("a.E%02d", pair[0])), filepath.Join(a.dir, fmt.Sprintf("a.E%02d", pair[1])), filepath.Join(a.dir, "x")
		for _, r := range [][2]string{{one, between}, {other, one}, {between, other}} {
			if err := os.Rename(r[0], r[1]); err != nil {
				t.Fatal(err)
			}
		}
		code, got, errs := run("cat", "--raw", a.image)
		if code != exitOK || got != string(a.disk) {
			t.Errorf("%v: exit %d, %s", pair, code, errs)
		}
		if _, out, errs := run("info", a.image); !strings.Contains(out, fmt.Sprintf("segment %d: is in the file that has the name of segment %d", pair[0], pair[1])) {
			t.Errorf("%v: info: %s%s", pair, out, errs)
		}
		if code, out, errs := run("verify", a.image); code != exitOK || !strings.HasSuffix(out, ", intact\n") {
			t.Errorf("%v: verify: exit %d, %s%s", pair, code, out, errs)
		}
	}
}

// TestZeroed damages a chunk of a file and asks for zeros in it.
func TestZeroed(t *testing.T) {
	a := makeEvidence(t)
	path, off, _ := a.segment(t, a.holds(t, a.at+acquiredChunk))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := (a.at + acquiredChunk) / acquiredChunk * acquiredChunk // where a chunk begins within the file
	at := bytes.Index(b, a.disk[c:][:acquiredSector])
	if at < 0 || c < off {
		t.Fatal("no such chunk")
	}
	b[at+100] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	zeros := []byte(a.content)
	gap := a.gap(c, c+acquiredChunk, layer.Zeroed)
	clear(zeros[gap.Offset:][:gap.Length])
	if code, got, errs := run("cat", "--bad-chunks", "zero", a.image+acquiredCurrent); code != exitOK || got != string(zeros) {
		t.Errorf("cat: exit %d, %s", code, errs)
	}
	var stat struct {
		Verdict string
		Ranges  []report.Gap
	}
	_, out, errs := run("stat", "--json", "--bad-chunks", "zero", a.image+acquiredCurrent)
	if err := json.Unmarshal([]byte(out), &stat); err != nil || len(stat.Ranges) != 1 || stat.Ranges[0] != gap || !strings.Contains(stat.Verdict, "for which zeros were asked") {
		t.Errorf("stat: %s%s, %v, want %+v", out, errs, err, gap)
	}
	if _, out, _ := run("explain", "--bad-chunks", "zero", a.image+acquiredCurrent); !strings.Contains(out, layer.Zeroed.String()) {
		t.Errorf("explain: %s", out)
	}
	file := filepath.Join(t.TempDir(), "r.json")
	run("restore", "--bad-chunks", "zero", "--receipt", file, a.image+acquiredCurrent, filepath.Join(t.TempDir(), "dest"))
	if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte(`"zeroed"`)) {
		t.Errorf("receipt: %s, %v", b, err)
	}
	if code, out, _ := run("stat", a.image+acquiredCurrent); strings.Contains(out, "intact") {
		t.Errorf("stat without zeros: exit %d, %s", code, out)
	}
}

// TestVerifySections breaks what only one section's own checksum vouches for.
func TestVerifySections(t *testing.T) {
	a := makeEvidence(t)
	all, err := filepath.Glob(filepath.Join(a.dir, "a.E*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, kind string
		at         int // in the data
		says       string
	}{
		{a.image, "header2", 20, "FAULT  segment 1: header2 section at"},
		{a.image, "header", 20, "FAULT  segment 1: header section at"},
		{a.image, "volume", 80, "FAULT  segment 1: volume section at"},
		{all[2], "data", 70, "FAULT  segment 3: data section at"},
		{all[2], "table2", 30, "FAULT  segment 3: table2 section at"},
		{all[2], "table", 30, "FAULT  segment 3: table section at"},
		{all[len(all)-1], "hash", 3, "NOT COMPARED"},
	} {
		b, err := os.ReadFile(c.path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(b, append([]byte(c.kind), make([]byte, 16-len(c.kind))...))
		broken := bytes.Clone(b)
		broken[at+descriptorLen+c.at] ^= 1
		if err := os.WriteFile(c.path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := run("verify", a.image)
		if code != exitDamaged || !strings.Contains(out, c.says) || !strings.Contains(out, "NOT INTACT") {
			t.Errorf("%s: exit %d, %s%s", c.kind, code, out, errs)
		}
		if err := os.WriteFile(c.path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, _ := run("verify", a.image); code != exitOK || !strings.HasSuffix(out, ", intact\n") {
		t.Errorf("whole: exit %d, %s", code, out)
	}
}
