package compressed

import (
	"bytes"
	"compress/gzip"
	"io"
	"runtime"
	"testing"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/inflate"
	"snapmount/imagefmt/layer"
)

// TestIndexIsBounded feeds checkpoints and runs of zeros of a disk of petabytes.
func TestIndexIsBounded(t *testing.T) {
	x := newBuilder(nil)
	window := make([]byte, 16<<10)
	step := checkpoint{at: inflate.Position{Offset: 8 * minSpacing}, out: 1 << 20}
	forced := 0
	for i := int64(0); i < 400000; i++ {
		c := checkpoint{at: inflate.Position{Offset: i * step.at.Offset}, out: i * step.out, window: window, forced: i == 77777}
		if len(x.points) == 0 || c.forced || cost(x.points[len(x.points)-1], c) >= x.spacing {
			x.put(c)
		}
		if x.bytes > indexBytes {
			t.Fatalf("0x%x bytes", x.bytes)
		}
	}
	gap := int64(0)
	for i, p := range x.points {
		if p.forced {
			forced++
		}
		if i > 0 {
			gap = max(gap, p.out-x.points[i-1].out)
		}
	}
	if n := len(x.points); n < indexBytes/len(window)/4 || x.points[0].out != 0 || forced != 1 || gap > 8*400000*step.out/int64(n) {
		t.Errorf("%d checkpoints, %d forced, 0x%x apart at most", n, forced, gap)
	}
	if c := x.before(5<<30 + 3); c.out > 5<<30+3 {
		t.Errorf("checkpoint at 0x%x", c.out)
	}
	page := make([]byte, 4096)
	page[0] = 1
	for i := range 3 * zeroRuns {
		length := int64(minZeros)
		if i%1000 == 0 {
			length *= 100
		}
		x.run = span{x.size, x.size + length}
		x.size += length
		x.add(page)
	}
	long := 0
	for _, z := range x.zeros {
		if z.end-z.off >= 100*minZeros {
			long++
		}
	}
	if len(x.zeros) > zeroRuns || long != 3*zeroRuns/1000+1 {
		t.Errorf("%d runs of zeros, %d long", len(x.zeros), long)
	}
}

// repeated is a Source of many equal members and one more.
func repeated(member []byte, n int, last []byte) layer.Source {
	var r []byte
	for range n {
		r = append(r, member...)
	}
	return bytes.NewReader(append(r, last...))
}

func member(t *testing.T, b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestSparse opens 10 GiB of zeros with something at the end: quickly, in little memory, and as one hole.
func TestSparse(t *testing.T) {
	size := int64(10 << 30)
	if Raced { // watching each byte takes ten times as long
		size = 1 << 30
	}
	src := repeated(member(t, make([]byte, 8<<20)), int(size>>23), member(t, []byte("the end")))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	d, err := Open(src, format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	t.Logf("%v, 0x%x bytes allocated, %d checkpoints", time.Since(begin), after.TotalAlloc-before.TotalAlloc, len(d.data.points))
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes allocated", n)
	}
	e, err := layer.Leaf(d, 5, d.Size())
	if err != nil || e.Kind != layer.Zero || e.Len != size-5 || d.Size() != size+7 {
		t.Errorf("extent %+v of %d bytes, error %v", e, d.Size(), err)
	}
	p := make([]byte, 20)
	if n, err := d.ReadAt(p, size-3); n != 10 || err != io.EOF || string(p[:n]) != "\x00\x00\x00the end" {
		t.Errorf("%q, error %v", p[:n], err)
	}
}

// TestOneDecoderForASequence holds that reading in a row unpacks the disk once, by however many readers.
func TestOneDecoderForASequence(t *testing.T) {
	b := make([]byte, 2<<20)
	for i := range b {
		b[i] = byte(i>>9) ^ byte(i*i>>3)
	}
	d, err := Open(bytes.NewReader(member(t, b)), format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	d.data.points = d.data.points[:1]
	done := make(chan error)
	for g := range 4 {
		go func() {
			p := make([]byte, 128<<10)
			for off := g * len(p); off < len(b); off += 4 * len(p) {
				if err := layer.ReadFull(d, p, int64(off)); err != nil || !bytes.Equal(p, b[off:][:len(p)]) {
					t.Errorf("other bytes at 0x%x, error %v", off, err)
				}
			}
			done <- nil
		}()
	}
	for range 4 {
		<-done
	}
	if n := len(d.data.all); n > 4 {
		t.Errorf("%d decoders", n)
	}
}

// broken is a Source that fails now and then.
type broken struct {
	layer.Source
	count *int
}

func (s broken) ReadAt(p []byte, off int64) (int, error) {
	if *s.count++; *s.count > 0 && *s.count%7 == 0 {
		return 0, io.ErrNoProgress
	}
	return s.Source.ReadAt(p, off)
}

// TestFailingFile reads a file that fails every seventh time: an error, and the right bytes when it answers.
func TestFailingFile(t *testing.T) {
	b := make([]byte, 2<<20)
	for i := range b {
		b[i] = byte(i>>9) ^ byte(i*i>>3) ^ byte(i*7>>5)
	}
	count := 0
	src := broken{bytes.NewReader(member(t, b)), &count}
	count = -1 << 30
	d, err := Open(src, format.Env{})
	if err != nil {
		t.Fatal(err)
	}
	count = 1
	p, failed := make([]byte, 100<<10), 0
	for i := range 40 {
		off := i * 7919 * 13 % (len(b) - len(p))
		if err := layer.ReadFull(d, p, int64(off)); err != nil {
			failed++
		} else if !bytes.Equal(p, b[off:][:len(p)]) {
			t.Fatalf("other bytes at %d", off)
		}
	}
	if failed == 0 || failed > 36 {
		t.Errorf("%d reads failed", failed)
	}
}
