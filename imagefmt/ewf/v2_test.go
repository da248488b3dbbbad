package ewf_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

// bzipped packs with bzip2, which the standard library only unpacks; without the program it does as zlib.
func bzipped(b []byte) []byte {
	cmd := exec.Command("bzip2", "-c")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		return deflated(b)
	}
	return out
}

// disk2 is the only segment of an image of version 2, of chunks of some sectors: packed, as they are, and, where all
// bytes are alike, as a pattern. One in each table has no checksum when bare is set.
func disk2(content []byte, method, sectors int, flags uint32, bare int) []byte {
	pack, str := deflated, text
	if method == 2 {
		pack = bzipped
		str = func(s string) []byte { return bzipped(inflated(text(s))) }
	}
	size := sectors * 512
	f := newBuilder2(1, method)
	f.section(1, flags, str(fmt.Sprintf("1\nmain\nsn\tmd\tlb\tts\tdt\tbp\tph\nS1\tM1\tL1\t%d\tf\t512\t1\n\n", len(content)/512)))
	f.section(2, flags, str(fmt.Sprintf("1\nmain\nnm\tcn\ten\tex\tnt\tav\tos\ttt\tat\ttb\tcp\tsb\nDé\tC1\tE1\tAnn\ta\x01b\t7.04\tLinux\t1600000000\t1600000060\t%d\t%d\t%d\n\n", (len(content)+size-1)/size, method, sectors)))
	var list []chunk2
	first := 0
	for at := 0; at < len(content); at += size {
		b := content[at:min(len(content), at+size)]
		i := len(list)
		switch {
		case bytes.Count(b, b[:1]) == len(b):
			v := uint64(b[0]) * 0x0101010101010101
			list = append(list, chunk2{flags: 1 | 4, value: v})
		case i%3 == 2:
			list = append(list, chunk2{data: sum(bytes.Clone(b)), flags: 2})
		case bare > 0 && i == bare:
			list = append(list, chunk2{data: b})
		default:
			list = append(list, chunk2{data: pack(b), flags: 1})
		}
		if len(list) == 10 {
			f.chunks(first, list)
			first += len(list)
			list = nil
		}
	}
	if len(list) > 0 {
		f.chunks(first, list)
	}
	m, s := md5.Sum(content), sha1.Sum(content)
	f.section(8, 0, sum(m[:]))
	f.section(9, 0, sum(s[:]))
	f.section(15, 0, nil)
	return f.b
}

func TestVersion2(t *testing.T) {
	content := layertest.Mixed(200_000, 60*1024+512, 30)
	clear(content[4096:8192])
	copy(content[9216:], bytes.Repeat([]byte{0xee}, 2048))
	for method := 1; method <= 2; method++ {
		if method == 2 {
			testenv.Peer(t, "bzip2")
		}
		b := disk2(content, method, 2, 0, 4)
		d := openBytes(t, [][]byte{b}, format.Env{Warn: func(err error) { t.Error(err) }})
		if imagetest.Same(t, d, bytes.NewReader(content), 16); method == 1 {
			layertest.Contract(t, d, content)
		}
		r, err := d.Verify(context.Background(), nil)
		if err != nil || !r.Intact() || r.Stored.MD5 == "" || r.Stored.SHA1 == "" {
			t.Errorf("%+v, %v", r, err)
		}
		i := d.Info()
		want := format.Info{
			Version: 2, Segments: 1, Set: i.Set, Media: "fixed", Physical: true, SectorSize: 512, Sectors: 121, ChunkSize: 1024,
			Compression: [...]string{1: "zlib", 2: "bzip2"}[method], Case: "C1", Evidence: "E1", Description: "Dé", Examiner: "Ann", Notes: "a\nb",
			Model: "M1", Serial: "S1", Label: "L1", Software: "7.04", System: "Linux", Acquired: "2020-09-13T12:26:40Z", Clock: "2020-09-13T12:27:40Z",
		}
		if fmt.Sprint(i) != fmt.Sprint(want) || i.Set.IsZero() {
			t.Errorf("%+v, want %+v", i, want)
		}
		for e := range layer.Extents(d, 4096, 4096) {
			if e.Kind != layer.Zero {
				t.Errorf("extent %+v, want a hole", e)
			}
		}
	}
}

func TestVersion2Segments(t *testing.T) {
	content := layertest.Mixed(200_000, 30*1024, 31)
	var files [][]byte
	for n := range 3 {
		f := newBuilder2(n+1, 1)
		f.section(1, 0, text("1\nmain\nts\tbp\n60\t512\n\n"))
		f.section(2, 0, text("1\nmain\nsb\n2\n\n"))
		var list []chunk2
		for at := n * 10240; at < (n+1)*10240; at += 1024 {
			list = append(list, chunk2{data: deflated(content[at : at+1024]), flags: 1})
		}
		f.chunks(n*10, list)
		kind := uint32(13)
		if n == 2 {
			rows := le.AppendUint64(nil, 5)
			rows = append(rows, 3, 0, 0, 0, 0, 0, 0, 0)
			f.section(5, 0, append(pad(sum(append([]byte{1}, make([]byte, 15)...))), sum(rows)...))
			kind = 15
		}
		f.section(kind, 0, nil)
		files = append(files, f.b)
	}
	damage(t, files, content, 0, 0, "")
	if e := openBytes(t, files, format.Env{}).Info().ReadErrors; len(e) != 1 || e[0] != (format.Sectors{First: 5, Count: 3}) {
		t.Errorf("read errors %v", e)
	}
	damage(t, files[:2], content, 20*1024, 10*1024, "segment 3: file does not exist")
	edit := func(n int, f func([]byte) []byte) [][]byte {
		list := append([][]byte{}, files...)
		list[n] = f(bytes.Clone(list[n]))
		return list
	}
	table := bytes.Index(files[1], pad(sum(append(le.AppendUint64(nil, 10), 10, 0, 0, 0, 0, 0, 0, 0))))
	flip := func(at int) func([]byte) []byte { return func(b []byte) []byte { b[at]++; return b } }
	damage(t, edit(1, flip(table)), content, 10*1024, 10*1024, "section of kind 0x4")
	damage(t, edit(1, flip(table+40)), content, 10*1024, 10*1024, "chunks 10 to 19: adler-32")
	damage(t, edit(1, func(b []byte) []byte { return b[:len(b)-10] }), content, 0, 0, "segment 2: ends without")
	damage(t, edit(1, func(b []byte) []byte { return b[:table+20] }), content, 10*1024, 10*1024, "segment 2: ends without")
	damage(t, edit(2, flip(20)), content, 20*1024, 10*1024, "segment 3: is segment 3 of another image")
	damage(t, edit(0, func(b []byte) []byte { // the first section's descriptor points behind itself
		at := 32 + len(pad(text("1\nmain\nts\tbp\n60\t512\n\n")))
		le.PutUint64(b[at+8:], uint64(at))
		reseal(b, at+60, 60)
		return b
	}), content, 0, 0, "the previous one is at")
}

func TestEncrypted(t *testing.T) {
	_, err := openFiles([][]byte{disk2(make([]byte, 4096), 1, 2, 2, 0)}, format.Env{})
	if !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("error %v", err)
	}
	f := newBuilder2(1, 1)
	f.section(11, 0, make([]byte, 64))
	if _, err := openFiles([][]byte{f.b}, format.Env{}); !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), "encrypted") {
		t.Errorf("error %v", err)
	}
}

// TestOverflow has a segment of more than 2 GiB without a base, as EnCase 6.7 wrote it: from there on the top bit is
// part of the offset. The file is sparse, and ewfexport reads it beside us.
func TestOverflow(t *testing.T) {
	const size, chunks = 4 << 20, 530
	path := filepath.Join(t.TempDir(), "large.E01")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put := func(b []byte, off int64) {
		if _, err := f.WriteAt(b, off); err != nil {
			t.Fatal(err)
		}
	}
	zero := make([]byte, size)
	zeroSum := sum(zero)[size:]
	marked := append([]byte("here"), zero[4:]...)
	markedSum := sum(marked)[size:]
	head := append([]byte("EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00"), section1(13, "volume", volume(chunks, size/512, 512, chunks*size/512))...)
	sectors := int64(len(head))
	offs := make([]uint32, chunks)
	at := sectors + 76
	for c := range offs {
		offs[c] = uint32(at)
		if c%10 == 9 {
			put([]byte("here"), at)
			put(markedSum, at+size)
		} else {
			put(zeroSum, at+size)
		}
		at += size + 4
	}
	d := section1(0, "sectors", nil)[:72]
	le.PutUint64(d[16:], uint64(at))
	le.PutUint64(d[24:], uint64(at-sectors))
	put(append(head, sum(d)...), 0)
	table := section1(int(at), "table", entries(0, offs))
	table = append(table, section1(int(at)+len(table), "table2", entries(0, offs))...)
	put(append(table, section1(int(at)+len(table), "done", nil)...), at)
	disk := open(t, path, nil)
	for _, c := range []int64{0, 9, 510, 511, 512, 513, 519, 529} {
		p := make([]byte, 1000)
		if _, err := disk.ReadAt(p, c*size); err != nil || (string(p[:4]) == "here") != (c%10 == 9) {
			t.Errorf("chunk %d: %q, %v", c, p[:4], err)
		}
	}
	if out := exported(t, path, "-o", fmt.Sprint(int64(529*size)), "-B", "4096"); len(out) != 4096 || string(out[:4]) != "here" {
		t.Errorf("ewfexport gives %d bytes, %q", len(out), out[:4])
	}
}

func inflated(b []byte) []byte {
	out, _ := unzlib(b)
	return out
}
