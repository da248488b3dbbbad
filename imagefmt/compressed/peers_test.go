package compressed_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/compressed"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

// image is a disk as one is: text, numbers, noise, and holes from short to long.
func image(size int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 3))
	b := make([]byte, size)
	for at := 0; at < size; {
		n := min(size-at, 1+r.IntN(300<<10))
		part := b[at : at+n]
		switch r.IntN(5) {
		case 0:
			for i := range part {
				part[i] = byte(r.Uint32())
			}
		case 1, 2:
			words := bytes.Fields([]byte("the quick brown fox jumps over lazy dog NTFS FILE0 $INDEX_ALLOCATION and so on until it ends"))
			for i := 0; i < n; {
				i += copy(part[i:], words[r.IntN(len(words))])
				i += copy(part[i:], fmt.Sprint(" ", r.IntN(1000), " "))
			}
		case 3:
			for i := range part {
				part[i] = byte(i / 3 * (i >> 9))
			}
		}
		at += n
	}
	return b
}

// open opens packed bytes and fails on a warning.
func open(t testing.TB, b []byte) *compressed.Disk {
	t.Helper()
	d, err := compressed.Open(bytes.NewReader(b), format.Env{Warn: func(err error) { t.Errorf("warning: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// zeros counts the bytes that are known to be zero.
func zeros(d layer.Mapper) (n int64) {
	for e := range layer.Resolve(d, 0, d.Size()) {
		if e.Kind == layer.Zero {
			n += e.Len
		}
	}
	return n
}

// pipe runs a shell command in a folder that has the image as the file "disk", and returns what it prints.
func pipe(t testing.TB, dir, command string) []byte {
	t.Helper()
	for _, tool := range strings.Fields(command) {
		switch tool {
		case "gzip", "pigz", "bgzip", "zstd", "pzstd":
			testenv.Peer(t, tool)
		}
	}
	cmd := exec.Command("sh", "-c", "set -e; "+command)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, stderr.Bytes())
	}
	return out
}

// TestPeers packs a disk with all tools; the disk as it was is what they would unpack it to.
func TestPeers(t *testing.T) {
	want := image(2<<20+777, 1)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "disk"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{
		"gzip -c disk", "gzip -1c disk", "gzip -9nc disk", "gzip --rsyncable -c <disk",
		"pigz -c disk", "tail -c 100000 disk >end; head -c -100000 disk | pigz -c; pigz -11 -c end", "pigz -i -b 128 -c disk", "pigz -0c disk", "pigz -Hc disk", "pigz -Fc disk",
		"bgzip -c disk", "bgzip -l 0 -c disk",
		"head -c 1500001 disk | gzip -c; tail -c +1500002 disk | gzip -c",
		"gzip -c disk; printf '' | gzip -c; head -c 3000 /dev/zero",
		"zstd -qc disk", "zstd -q -9 -c disk", "zstd -q -1 -c <disk", "zstd -q --no-check -c disk", "zstd -q --long=27 -c disk", "zstd -q -T2 -B1048576 -c disk",
		"pzstd -q -p 2 -c disk", "pzstd -q -p 2 -c <disk",
		"head -c 1500001 disk | zstd -qc; tail -c +1500002 disk | zstd -qc",
		`printf '\137\052\115\030\003\000\000\000abc'; zstd -qc disk; printf '\120\052\115\030\000\000\000\000'`,
	} {
		t.Run(strings.ReplaceAll(command, "/", "_"), func(t *testing.T) {
			b := pipe(t, dir, command)
			d := open(t, b)
			imagetest.Same(t, d, bytes.NewReader(want), 160)
			if n := zeros(d); n < 128<<10 {
				t.Errorf("%d bytes are known to be zero", n)
			}
		})
	}
}

func TestContract(t *testing.T) {
	want := image(1<<20+50005, 2)
	layertest.Contract(t, open(t, gzipped(t, want, gzip.DefaultCompression)), want)
	layertest.Contract(t, open(t, gzipped(t, want[:70000], gzip.BestSpeed)), want[:70000])
	layertest.Contract(t, open(t, gzipped(t, []byte{1}, 9)), []byte{1})
	layertest.Contract(t, open(t, slices(t, want, 300<<10, 0)), want)
}

func gzipped(t testing.TB, b []byte, level int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Name, w.Comment, w.Extra = "disk.raw", "a comment", []byte("XY\x03\x00abc")
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestLevels covers stored and fixed blocks, and Huffman codes without matches.
func TestLevels(t *testing.T) {
	want := image(400<<10+5, 4)
	for level := flate.HuffmanOnly; level <= 9; level += 2 {
		imagetest.Same(t, open(t, gzipped(t, want, level)), bytes.NewReader(want), 160)
	}
}

// TestRealImage compares with what gzip(1) makes of a real volume, of 1 GiB of which 80 pieces of 64 KiB are zeros.
func TestRealImage(t *testing.T) {
	if compressed.Raced {
		t.Skip("SKIPPED: takes a minute with the race detector")
	}
	path := testenv.Shared(t, "data", "ntfs-ramslack.raw.gz")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pipe(t, dir, "gzip -dc <'"+path+"' | dd bs=64k conv=sparse of=disk status=none")
	want := testenv.Open(t, filepath.Join(dir, "disk"))
	d := open(t, b)
	if d.Size() != want.Size() || zeros(d) < 80<<16 {
		t.Fatalf("%d bytes, %d zeros", d.Size(), zeros(d))
	}
	p, q := make([]byte, 1<<20), make([]byte, 1<<20)
	for off := int64(0); off < d.Size(); off += int64(len(p)) {
		if err := errors.Join(layer.ReadFull(d, p, off), layer.ReadFull(want, q, off)); err != nil || !bytes.Equal(p, q) {
			t.Fatalf("other bytes at 0x%x, error %v", off, err)
		}
	}
}
