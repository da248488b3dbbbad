package ntfs_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// originals are contents of many kinds.
func originals(t testing.TB) map[string][]byte {
	r := rand.New(rand.NewPCG(4, 5))
	random := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	words := strings.Fields("the quick brown fox jumps over a lazy dog while seven wizards quietly box")
	var text bytes.Buffer
	for text.Len() < 3<<20 {
		fmt.Fprintf(&text, "%s %d ", words[r.IntN(len(words))], r.IntN(1000))
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{
		"code":  code[:min(len(code), 3<<20)],
		"text":  text.Bytes(),
		"zeros": make([]byte, 300_001),
		"mixed": append(append(bytes.Clone(text.Bytes()[:100_000]), random(70_000)...), text.Bytes()[:50_000]...),
	}
	for _, n := range []int{1, 4095, 4096, 4097, 32768, 32769, 65536} {
		out[fmt.Sprint("text", n)] = text.Bytes()[7:][:n]
	}
	return out
}

// resource finds the data with that SHA-1 in a WIM archive: a chunk table and chunks, just as WOF keeps them.
func resource(t testing.TB, wim []byte, content []byte) (b []byte, compressed bool) {
	le := binary.LittleEndian
	sum := sha1.Sum(content)
	table := wim[le.Uint64(wim[0x38:]):][:le.Uint64(wim[0x30:])&(1<<56-1)]
	for ; len(table) >= 50; table = table[50:] {
		if bytes.Equal(table[30:50], sum[:]) {
			size, flags := le.Uint64(table)&(1<<56-1), table[7]
			return wim[le.Uint64(table[8:]):][:size], flags&4 != 0
		}
	}
	t.Fatalf("the archive has no content of SHA-1 %x", sum)
	return nil, false
}

// wofFormats are how wimlib makes the chunks of each format.
var wofFormats = []struct {
	compress, chunk string
	format          byte
}{{"xpress", "4096", 0}, {"lzx", "32768", 1}, {"xpress", "8192", 2}, {"xpress", "16384", 3}}

// wofVolume puts chunks that wimlib compressed into files, name.format, of a volume that ntfs-3g writes. It returns its
// image, and how many bytes the chunks take.
func wofVolume(t testing.TB, contents map[string][]byte) (image string, packed int) {
	wimlib, mkntfs := testenv.Peer(t, "wimlib-imagex"), testenv.Peer(t, "mkntfs")
	testenv.Peer(t, "setfattr")
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	for name, b := range contents {
		if err := errors.Join(os.MkdirAll(source, 0o700), os.WriteFile(filepath.Join(source, name), b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	image = filepath.Join(dir, "wof.img")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 512<<20)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, mkntfs, "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	mnt, unmount := ntfstest.MountNTFS3G(t, image, "streams_interface=windows,big_writes")
	for _, f := range wofFormats {
		path := filepath.Join(dir, f.chunk+".wim")
		testenv.Run(t, wimlib, "capture", source, path, "--compress="+f.compress, "--chunk-size="+f.chunk, "--no-acls")
		wim, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range contents {
			b, compressed := resource(t, wim, content)
			if !compressed { // one chunk, as it is
				b = content
				if len(content) > 4096 {
					t.Errorf("%s: wimlib did not compress it", name)
				}
			}
			packed += len(b)
			file := filepath.Join(mnt, fmt.Sprintf("%s.%d", name, f.format))
			if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Truncate(file, int64(len(content))), os.WriteFile(file+":WofCompressedData", b, 0o600)); err != nil {
				t.Fatal(err)
			}
			tag := []byte{0x17, 0, 0, 0x80, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, f.format, 0, 0, 0}
			testenv.Run(t, "setfattr", "-n", "system.ntfs_reparse_data", "-v", fmt.Sprintf("0x%x", tag), file)
		}
	}
	unmount()
	return image, packed
}

// TestWOF reads chunks that wimlib compressed.
func TestWOF(t *testing.T) {
	contents := originals(t)
	image, packed := wofVolume(t, contents)
	tree := openTree(t, testenv.Open(t, image))
	total := 0
	for _, f := range wofFormats {
		for name, content := range contents {
			checkWOF(t, tree, fmt.Sprintf("%s.%d", name, f.format), content)
			total += len(content)
		}
	}
	t.Logf("%d files, %d bytes from %d", len(wofFormats)*len(contents), total, packed)
	damageWOF(t, tree, contents["text"])
}

func checkWOF(t *testing.T, tree *ntfs.Tree, path string, content []byte) {
	t.Helper()
	n, err := tree.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.Stream("")
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(content) <= 100_000 { // else the contract's reads decompress the same for seconds
		layertest.Contract(t, s, content)
	}
	if b, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size())); err != nil || !bytes.Equal(b, content) {
		t.Errorf("%s: %d bytes, not those that were compressed, %v", path, len(b), err)
	}
	for e, err := range layer.Unkept(s) {
		t.Errorf("%s: %+v is not kept: %v", path, e, err)
	}
	if n.Allocated == 0 || n.Allocated > int64(len(content))+64<<10 {
		t.Errorf("%s: %d bytes allocated for %d", path, n.Allocated, len(content))
	}
	if _, err := fs.Stat(tree.FS(), path); err != nil || n.Size != int64(len(content)) {
		t.Errorf("%s: size %d, %v", path, n.Size, err)
	}
}

// damageWOF checks that damage of one chunk stays with that chunk.
func damageWOF(t *testing.T, tree *ntfs.Tree, content []byte) {
	n, err := tree.Lookup("text.1")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := n.Stream("WofCompressedData")
	if err != nil {
		t.Fatal(err)
	}
	const chunk = 32 << 10
	entry := make([]byte, 8) // where chunk 3 starts and ends, behind the table
	if err := layer.ReadFull(kept, entry, 2*4); err != nil {
		t.Fatal(err)
	}
	tableLen := int64(len(content)-1) / chunk * 4
	start, end := tableLen+int64(binary.LittleEndian.Uint32(entry)), tableLen+int64(binary.LittleEndian.Uint32(entry[4:]))
	e, err := layer.Leaf(kept, start, end-start)
	if err != nil || e.Len < 100 {
		t.Fatalf("%+v, %v", e, err)
	}
	torn, err := ntfs.Open(flipped{e.Base, e.BaseOff}, ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err = torn.Lookup("text.1"); err != nil {
		t.Fatal(err)
	}
	s, err := n.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(len(content) / chunk) {
		b := make([]byte, chunk)
		err := layer.ReadFull(s, b, i*chunk)
		if same := err == nil && bytes.Equal(b, content[i*chunk:][:chunk]); same != (i != 3) {
			t.Errorf("chunk %d: %v, same %v", i, err, same)
		}
	}
}

// flipped is a volume whose bytes at an offset are others: the first ones of a compressed chunk.
type flipped struct {
	layer.Source
	at int64
}

func (f flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.Source.ReadAt(p, off)
	for i := range p[:n] {
		if d := off + int64(i) - f.at; d >= 0 && d < 64 {
			p[i] ^= 0xff
		}
	}
	return n, err
}
