package ewf_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/ewf"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

const kib = 1 << 10

// open opens the image whose first segment is at path, with those beside it. Warnings are errors unless warn is given.
func open(t testing.TB, path string, warn func(error)) *ewf.Disk {
	t.Helper()
	if warn == nil {
		warn = func(err error) { t.Errorf("%s: warning: %v", filepath.Base(path), err) }
	}
	files := imagetest.Files{Format: ewf.Format, Get: imagetest.InFolder(t, filepath.Dir(path))}
	d, err := ewf.Open(testenv.Open(t, path), format.Env{Warn: warn, Name: filepath.Base(path), Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// acquire packs a raw file with ewfacquire and returns the path of the first segment.
func acquire(t testing.TB, raw string, args ...string) string {
	t.Helper()
	target := raw + ".image"
	testenv.Run(t, testenv.Peer(t, "ewfacquire"), append(append([]string{"-q", "-u", "-t", target}, args...), raw)...)
	found, err := filepath.Glob(target + ".[eEs]01")
	if err != nil || len(found) != 1 {
		t.Fatalf("ewfacquire made %q, %v", found, err)
	}
	return found[0]
}

// exported is the disk, or a part of it, as ewfexport sees it.
func exported(t testing.TB, path string, args ...string) []byte {
	t.Helper()
	target := filepath.Join(t.TempDir(), "exported")
	testenv.Run(t, testenv.Peer(t, "ewfexport"), append(append([]string{"-q", "-u", "-f", "raw", "-t", target}, args...), path)...)
	b, err := os.ReadFile(target + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAcquired(t *testing.T) {
	testenv.Peer(t, "ewfacquire")
	content := layertest.Mixed(200_000, 1200*kib+7*512, 1)
	for _, kind := range []string{"ewf", "smart", "ftk", "encase2", "encase3", "encase4", "encase5", "encase6", "encase7", "linen5", "linen6", "linen7", "ewfx"} {
		levels := []string{"none", "best"}
		if kind == "smart" || kind == "encase6" {
			levels = []string{"none", "empty-block", "fast", "best"}
		}
		for _, level := range levels {
			t.Run(kind+","+level, func(t *testing.T) {
				t.Parallel()
				d := open(t, acquire(t, imagetest.Write(t, content), "-f", kind, "-c", level, "-S", "1MiB", "-d", "sha1"), nil)
				imagetest.Same(t, d, bytes.NewReader(content), 16)
				r, err := d.Verify(context.Background(), nil)
				if err != nil || !r.Intact() || r.Stored.MD5 == "" {
					t.Errorf("%+v, %v", r, err)
				}
				if wantSHA1 := kind[len(kind)-1] >= '6' && kind[len(kind)-1] <= '7'; wantSHA1 != (r.Stored.SHA1 != "") {
					t.Errorf("SHA-1 %q", r.Stored.SHA1)
				}
			})
		}
	}
}

func TestContract(t *testing.T) {
	content := layertest.Mixed(200_000, 1100*kib+512, 2)
	for _, args := range [][]string{{"-f", "encase6", "-c", "none"}, {"-f", "smart", "-c", "fast", "-b", "16"}} {
		layertest.Contract(t, open(t, acquire(t, imagetest.Write(t, content), args...), nil), content)
	}
	content = content[:60*kib+512] // enough to be read byte by byte as well
	layertest.Contract(t, openBytes(t, disk1{content, 3, 10, 2}.build(), format.Env{}), content)
}

// TestGeometry has chunks of all sizes, and disks that end within one.
func TestGeometry(t *testing.T) {
	for _, args := range [][]string{{"-b", "16"}, {"-b", "1024"}, {"-b", "32768"}, {"-b", "128", "-P", "4096"}, {"-b", "64", "-g", "64", "-m", "removable", "-M", "logical"}} {
		for _, level := range []string{"none", "fast"} {
			content := layertest.Mixed(200_000, 1700*kib, 3)
			d := open(t, acquire(t, imagetest.Write(t, content), append(args, "-f", "encase7", "-c", level)...), nil)
			imagetest.Same(t, d, bytes.NewReader(content), 16)
		}
	}
}

// TestRandomReads reads 2,000 times alone and 2,000 times from eight goroutines.
func TestRandomReads(t *testing.T) {
	content := layertest.Mixed(200_000, 3000*kib, 9)
	for _, level := range []string{"none", "fast"} {
		imagetest.Same(t, open(t, acquire(t, imagetest.Write(t, content), "-c", level), nil), bytes.NewReader(content), 2000)
	}
}

func TestStream(t *testing.T) {
	content := layertest.Mixed(200_000, 2500*kib+512, 4)
	for _, kind := range []string{"ftk", "encase5", "encase7"} {
		target := filepath.Join(t.TempDir(), "image")
		cmd := exec.Command(testenv.Peer(t, "ewfacquirestream"), "-q", "-f", kind, "-S", "1MiB", "-c", "fast", "-t", target)
		cmd.Stdin = bytes.NewReader(content)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		imagetest.Same(t, open(t, target+".E01", nil), bytes.NewReader(content), 16)
	}
}

func TestRealImages(t *testing.T) {
	for name, segments := range map[string]int{"ext2.E01": 1, "ext2.split.E01": 2} {
		path := testenv.Shared(t, "data", "formats", name)
		d := open(t, path, nil)
		imagetest.Same(t, d, bytes.NewReader(exported(t, path)), 100)
		i := d.Info()
		if i.Segments != segments || i.Case != "case" || i.Examiner != "examiner" || i.Evidence != "evidence" || i.Description != "description" ||
			i.Notes != "notes" || i.Sectors != 8192 || i.ChunkSize != 32768 || i.Media != "fixed" || i.Physical || i.System != "Linux" ||
			i.Software != "20140812" || !strings.HasPrefix(i.Acquired, "2021-07-22T15:33:") || i.Acquired != i.Clock {
			t.Errorf("%s: %+v", name, i)
		}
		var done int64
		r, err := d.Verify(context.Background(), func(_ string, n, _ int64) { done = n << 20 })
		if err != nil || !r.Intact() || r.Stored.MD5 != "196066add11fb71c4c49cf1bb50d6d24" || done != d.Size() {
			t.Errorf("%s: %+v, %v, %d bytes", name, r, err, done)
		}
	}
}

// TestInfo compares with what was given to ewfacquire, also where only the old header has it.
func TestInfo(t *testing.T) {
	for _, kind := range []string{"smart", "ftk", "encase4", "encase6", "linen7"} {
		d := open(t, acquire(t, imagetest.Write(t, layertest.Mixed(200_000, 64*kib, 5)), "-f", kind, "-c", "best", "-A", "windows-1252", "-C", "c 1", "-D", "dé", "-e", "Ann", "-E", "e2", "-N", "n", "-m", "removable"), nil)
		i := d.Info()
		if i.Case != "c 1" || i.Description != "dé" || i.Examiner != "Ann" || i.Evidence != "e2" || i.Notes != "n" || len(i.Acquired) < 19 || i.SectorSize != 512 {
			t.Errorf("%s: %+v", kind, i)
		}
		if kind != "smart" && (i.Media != "removable" || !i.Physical) {
			t.Errorf("%s: %+v", kind, i)
		}
	}
}

// TestVerifyFinds flips a bit in the data of one chunk.
func TestVerifyFinds(t *testing.T) {
	content := layertest.Mixed(200_000, 1000*kib, 6)
	for _, level := range []string{"none", "best"} {
		path := acquire(t, imagetest.Write(t, content), "-c", level)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 4
		for _, zeroBad := range []bool{false, true} {
			var warned []error
			d := openBytes(t, [][]byte{b}, format.Env{ZeroBad: zeroBad, Warn: func(err error) { warned = append(warned, err) }})
			r, err := d.Verify(context.Background(), nil)
			if err != nil || r.Intact() || len(r.Bad) != 1 || r.Bad[0].Len != 32768 || r.Computed.MD5 == r.Stored.MD5 || !errors.Is(r.Bad[0].Err, layer.ErrCorrupt) {
				t.Fatalf("%+v, %v", r, err)
			}
			want, bad := bytes.Clone(content), r.Bad[0]
			clear(want[bad.Off:][:bad.Len])
			if zeroBad {
				imagetest.Same(t, d, bytes.NewReader(want), 16)
				if len(warned) != 1 || !strings.Contains(warned[0].Error(), "read as zeros: segment 1: chunk ") {
					t.Errorf("warned %v", warned)
				}
				continue
			}
			p := make([]byte, 512)
			for off := int64(0); off < d.Size(); off += 512 {
				_, err := d.ReadAt(p, off)
				if in := off >= bad.Off && off < bad.Off+bad.Len; in != (err != nil) || in != errors.Is(err, layer.ErrCorrupt) {
					t.Fatalf("at %d: %v", off, err)
				} else if !in && !bytes.Equal(p, want[off:off+512]) {
					t.Fatalf("at %d: other bytes", off)
				}
			}
		}
	}
}

func TestVerifyStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	d := openBytes(t, disk1{layertest.Mixed(200_000, 1500*kib, 7), 64, 100, 0}.build(), format.Env{})
	if _, err := d.Verify(ctx, func(string, int64, int64) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestSequential reads a disk with several readers in sequence at once, which the read-ahead has to tell apart.
func TestSequential(t *testing.T) {
	content := layertest.Mixed(200_000, 6000*kib, 8)
	d := open(t, acquire(t, imagetest.Write(t, content), "-c", "fast"), nil)
	var wg sync.WaitGroup
	for g := range 12 {
		wg.Go(func() {
			p := make([]byte, 20_000+g)
			for off := g * 300_000; off < len(content); off += len(p) {
				n := min(len(p), len(content)-off)
				if err := layer.ReadFull(d, p[:n], int64(off)); err != nil || !bytes.Equal(p[:n], content[off:off+n]) {
					t.Errorf("at %d: %v, or other bytes", off, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSegmentName(t *testing.T) {
	for _, c := range []struct {
		name   string
		number int
		want   string
	}{
		{"a.E01", 1, "a.E01"}, {"a.E01", 2, "a.E02"}, {"a.E01", 99, "a.E99"}, {"a.E01", 100, "a.EAA"}, {"a.E01", 126, "a.EBA"},
		{"a.E01", 775, "a.EZZ"}, {"a.E01", 776, "a.FAA"}, {"a.E01", 99 + 22*676, "a.ZZZ"}, {"a.E01", 100 + 22*676, ""},
		{"a.b.e01", 100, "a.b.eaa"}, {"a.s01", 3, "a.s03"}, {"a.s01", 101, "a.sab"}, {"a.S01", 776, "a.TAA"},
		{"a.Ex01", 2, "a.Ex02"}, {"a.Ex01", 100, "a.ExAA"}, {"a.Ex01", 776, "a.EyAA"}, {"a.Ex01", 99 + 3*676, "a.EzZZ"}, {"a.Ex01", 100 + 3*676, ""},
		{"a.E02", 1, "a.E01"}, {"a.EAC", 1, "a.E01"}, {"a.FAC", 3, "a.E03"}, {"a.eab", 1, "a.e01"}, {"a.EyAA", 1, "a.Ex01"}, {"a.ex07", 100, "a.exaa"},
		{"E01", 2, ""}, {"a.001", 2, ""}, {"a.dat", 2, ""}, {"a.E1", 2, ""}, {"a", 2, ""}, {"a.E01", 0, ""}, {"a.Fx01", 2, ""}, {"a.E0A", 2, ""}, {"a.é1", 2, ""},
	} {
		got, ok := ewf.SegmentName(c.name, c.number)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("segment %d beside %s: %q, %v, want %q", c.number, c.name, got, ok, c.want)
		}
	}
}

// BenchmarkRead reads 256 MiB, a third of which is text, zeros and random.
func BenchmarkRead(b *testing.B) {
	content := layertest.Mixed(200_000, 256<<20, 10)
	for _, level := range []string{"none", "fast"} {
		path := acquire(b, imagetest.Write(b, content), "-c", level)
		for _, random := range []bool{false, true} {
			name := map[bool]string{false: "sequential", true: "random"}[random]
			b.Run(level+","+name, func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 1))
				p := make([]byte, 64*kib)
				b.SetBytes(int64(len(p)))
				d := open(b, path, nil)
				at := int64(0)
				for b.Loop() {
					if at += int64(len(p)); random {
						at = r.Int64N(d.Size()>>16) << 16
					} else if at >= d.Size() {
						at = 0
						b.StopTimer()
						d = open(b, path, nil) // what was verified is forgotten
						b.StartTimer()
					}
					if err := layer.ReadFull(d, p, at); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// TestTail has what was no whole number of sectors: the rest is in the last chunk, or in one of its own, and in the hash.
func TestTail(t *testing.T) {
	for _, c := range []struct{ size, tail int }{{4097, 1}, {32*kib + 1, 1}, {64*kib + 511, 511}, {100*kib + 300, 300}, {96 * kib, 0}, {96*kib + 512, 0}} {
		content := layertest.Mixed(200_000, c.size, 61)
		for _, level := range []string{"none", "best"} {
			if level == "best" && c.tail > 0 && (c.size-c.tail)%(32*kib) == 0 {
				continue // ewfacquire cannot pack a chunk as small as this
			}
			path := acquire(t, imagetest.Write(t, content), "-f", "encase6", "-c", level, "-d", "sha1")
			d := open(t, path, nil)
			imagetest.Same(t, d, bytes.NewReader(content[:c.size-c.tail]), 16)
			r, err := d.Verify(context.Background(), nil)
			if err != nil || !r.Intact() || r.Tail != int64(c.tail) || r.Stored.SHA1 == "" || r.Computed.SHA256 != fmt.Sprintf("%x", sha256.Sum256(content)) {
				t.Errorf("%d bytes, %s: %+v, %v", c.size, level, r, err)
			}
		}
	}
}

// TestTailChunk has a chunk of its own for the tail, packed and as it is.
func TestTailChunk(t *testing.T) {
	for _, chunks := range []int{9, 10, 11} {
		content := layertest.Mixed(200_000, chunks*kib+100, 63)
		files := disk1{content, 2, 4, 2}.build()
		d := openBytes(t, files, format.Env{Warn: func(err error) { t.Error(err) }})
		imagetest.Same(t, d, bytes.NewReader(content[:chunks*kib]), 16)
		if r, err := d.Verify(context.Background(), nil); err != nil || !r.Intact() || r.Tail != 100 {
			t.Errorf("%d chunks: %+v, %v", chunks, r, err)
		}
		last := files[len(files)-1]
		last[where(t, last, "table", 0)-40]++ // in the last chunk of its sectors
		if r, err := openBytes(t, files, format.Env{}).Verify(context.Background(), nil); err != nil || r.Sound() {
			t.Errorf("%d chunks, damaged: %+v, %v", chunks, r, err)
		}
	}
}

// TestPeers verifies the images of other projects.
func TestPeers(t *testing.T) {
	for name, tail := range map[string]int64{"ewf.E01": 1, "ansi.E01": 0, "ctf_file6.E01": 0, "kml_samples.E01": 0, "nps-2010-emails.E01": 0} {
		d := open(t, testenv.Shared(t, "data", "peers", name), nil)
		if r, err := d.Verify(context.Background(), nil); err != nil || !r.Intact() || r.Tail != tail || len(d.Faults()) > 0 {
			t.Errorf("%s: %+v, %v, %v", name, r, d.Faults(), err)
		}
	}
}

// TestUnread gives ranges in any order, overlapping, and past the end of the disk.
func TestUnread(t *testing.T) {
	content := layertest.Mixed(200_000, 20*kib, 62)
	b := disk1{content, 2, 50, 0}.build()[0]
	b = b[:where(t, b, "done", 0)]
	head := make([]byte, 516)
	rows := []uint32{30, 5, 3, 2, 4, 4, 8, 1, 39, 1<<32 - 1, 40, 1, 1<<32 - 1, 7, 20, 0}
	le.PutUint32(head, uint32(len(rows)/2))
	var body []byte
	for _, n := range rows {
		body = le.AppendUint32(body, n)
	}
	b = append(b, section1(len(b), "error2", append(sum(head), sum(body)...))...)
	b = append(b, section1(len(b), "done", nil)...)
	d := openBytes(t, [][]byte{b}, format.Env{})
	var got [][2]int64
	for e, err := range layer.Extents(d, 0, d.Size()) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == layer.Unknown && e.Why == layer.NotAcquired {
			got = append(got, [2]int64{e.Off / 512, (e.Off + e.Len) / 512})
		}
	}
	if want := [][2]int64{{3, 9}, {30, 35}, {39, 40}}; !slices.Equal(got, want) {
		t.Errorf("sectors %v, want %v", got, want)
	}
	r, err := d.Verify(context.Background(), nil)
	if err != nil || !r.Intact() || len(r.Unread) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	damage(t, [][]byte{b}, content, 0, 0, "")
}
