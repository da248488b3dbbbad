package vhdx_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"slices"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/vhdx"
	"snapmount/imagefmt/wintype"
)

const (
	mib        = 1 << 20
	regionsAt  = 192 << 10
	ringAt     = 1 * mib // and 1 MiB long
	metadataAt = 2 * mib
	itemsAt    = metadataAt + 64<<10
	batAt      = 3 * mib
	logHeadLen = 64
)

// file is a file in memory that is mostly holes.
type file struct {
	size   int64
	pieces map[int64][]byte
}

func (f *file) Size() int64 { return f.size }

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n := int(layer.Clip(f.size, off, int64(len(p))))
	clear(p[:n])
	for at, b := range f.pieces {
		lo, hi := max(at, off), min(at+int64(len(b)), off+int64(n))
		if lo < hi {
			copy(p[lo-off:hi-off], b[lo-at:])
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// put adds a piece, which may lie within another one.
func (f *file) put(at int64, b []byte) {
	f.size = max(f.size, at+int64(len(b)))
	for from, p := range f.pieces {
		if from <= at && at+int64(len(b)) <= from+int64(len(p)) {
			copy(p[at-from:], b)
			return
		}
	}
	f.pieces[at] = slices.Clone(b)
}

func (f *file) save(t testing.TB, path string) {
	t.Helper()
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for at, b := range f.pieces {
		if _, err := out.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Truncate(f.size); err != nil {
		t.Fatal(err)
	}
}

func guid(b byte) wintype.GUID { return wintype.GUID(bytes.Repeat([]byte{b}, 16)) }

func parseGUID(s string) wintype.GUID {
	g, err := wintype.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// image is a disk to be written by hand, as MS-VHDX describes it.
type image struct {
	id     byte // all bytes of the data write identifier
	size   int64
	block  int64
	sector int64
	blocks map[int64]block
	parent []string // keys and values of the locator, in turn; nil for none
	log    []logEntry
}

type block struct {
	state uint64
	data  []byte
	set   func(sector int64) bool // of the disk; for state 7
}

// file lays the image out: headers, log, metadata, table, and blocks in the order of their numbers.
func (im image) file() *file {
	f := &file{pieces: make(map[int64][]byte)}
	f.put(0, append([]byte("vhdxfile"), utf("builder")...))
	logID := byte(0)
	if im.log != nil {
		logID = 0x10
		f.put(ringAt, ring(im.log, guid(0x10)))
	}
	f.put(64<<10, im.header(7, logID))
	f.put(128<<10, im.header(8, logID))
	ratio := (1 << 23) * im.sector / im.block
	blocks := (im.size + im.block - 1) / im.block
	chunks := (blocks + ratio - 1) / ratio
	batLen := (8*chunks*(ratio+1) + mib - 1) / mib * mib
	f.put(regionsAt, regions(batLen))
	f.put(regionsAt+64<<10, regions(batLen))
	im.metadata(f)
	end := batAt + batLen
	bitmaps := make(map[int64][]byte)
	for _, i := range slices.Sorted(maps.Keys(im.blocks)) {
		b := im.blocks[i]
		entry := b.state
		if b.data != nil {
			entry |= uint64(end)
			f.put(end, b.data)
			end += im.block
		}
		f.put(batAt+8*(i+i/ratio), binary.LittleEndian.AppendUint64(nil, entry))
		if b.set == nil {
			continue
		}
		c := i / ratio
		if bitmaps[c] == nil {
			bitmaps[c] = make([]byte, mib)
		}
		for s := i * im.block / im.sector; s < (i+1)*im.block/im.sector; s++ {
			if k := s % (1 << 23); b.set(s) {
				bitmaps[c][k/8] |= 1 << (k % 8)
			}
		}
	}
	for _, c := range slices.Sorted(maps.Keys(bitmaps)) {
		f.put(batAt+8*((c+1)*ratio+c), binary.LittleEndian.AppendUint64(nil, uint64(end)|6))
		f.put(end, bitmaps[c])
		end += mib
	}
	f.size = end
	return f
}

func (im image) header(sequence uint64, logID byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 4096)
	copy(b, "head")
	le.PutUint64(b[8:], sequence)
	copy(b[16:], bytes.Repeat([]byte{0xf0}, 16))
	copy(b[32:], bytes.Repeat([]byte{im.id}, 16))
	copy(b[48:], bytes.Repeat([]byte{logID}, 16))
	le.PutUint16(b[66:], 1)
	le.PutUint32(b[68:], mib)
	le.PutUint64(b[72:], ringAt)
	return seal(b)
}

func regions(batLen int64) []byte {
	le := binary.LittleEndian
	b := make([]byte, 64<<10)
	copy(b, "regi")
	le.PutUint32(b[8:], 2)
	for i, r := range []struct {
		id      string
		at, len int64
	}{{"2dc27766-f623-4200-9d64-115e9bfd4a08", batAt, batLen}, {"8b7ca206-4790-4b9a-b8fe-575f050f886e", metadataAt, mib}} {
		e, g := b[16+32*i:], parseGUID(r.id)
		copy(e, g[:])
		le.PutUint64(e[16:], uint64(r.at))
		le.PutUint32(e[24:], uint32(r.len))
		le.PutUint32(e[28:], 1)
	}
	return seal(b)
}

// metadata writes the table and the items, 4 KiB for each.
func (im image) metadata(f *file) {
	le := binary.LittleEndian
	parameters := le.AppendUint32(le.AppendUint32(nil, uint32(im.block)), 0)
	items := []struct {
		id    string
		value []byte
	}{
		{"caa16737-fa36-4d43-b3b6-33f0aa44e76b", parameters},
		{"2fa54224-cd1b-4876-b211-5dbed83bf4b8", le.AppendUint64(nil, uint64(im.size))},
		{"beca12ab-b2e6-4523-93ef-c309e000c746", bytes.Repeat([]byte{im.id}, 16)},
		{"8141bf1d-a96f-4709-ba47-f233a8faab5f", le.AppendUint32(nil, uint32(im.sector))},
		{"cda348c7-445d-4471-9cc9-e9885251c556", le.AppendUint32(nil, 4096)},
	}
	if im.parent != nil {
		parameters[4] = 2
		items = append(items, items[0])
		items[5].id, items[5].value = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c", locator(im.parent)
	}
	b := make([]byte, 32, 64<<10)
	copy(b, "metadata")
	le.PutUint16(b[10:], uint16(len(items)))
	for i, it := range items {
		g := parseGUID(it.id)
		b = append(b, g[:]...)
		b = le.AppendUint32(b, uint32(itemsAt-metadataAt+4096*i))
		b = le.AppendUint32(b, uint32(len(it.value)))
		b = le.AppendUint32(b, 6)
		b = le.AppendUint32(b, 0)
		f.put(itemsAt+4096*int64(i), it.value)
	}
	f.put(metadataAt, b)
}

func utf(s string) (b []byte) {
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

func locator(pairs []string) []byte {
	le := binary.LittleEndian
	g := parseGUID("b04aefb7-d19e-4a81-b789-25b8e9445913")
	b := le.AppendUint16(append(g[:], 0, 0), uint16(len(pairs)/2))
	at := len(b) + 12*len(pairs)/2
	var text []byte
	for i := 0; i < len(pairs); i += 2 {
		key, value := utf(pairs[i]), utf(pairs[i+1])
		b = le.AppendUint32(b, uint32(at+len(text)))
		b = le.AppendUint32(b, uint32(at+len(text)+len(key)))
		b = le.AppendUint16(b, uint16(len(key)))
		b = le.AppendUint16(b, uint16(len(value)))
		text = append(append(text, key...), value...)
	}
	return append(b, text...)
}

// seal writes the CRC-32C of b at 4.
func seal(b []byte) []byte {
	copy(b[4:8], make([]byte, 4))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// logEntry is an entry of the log to be written.
type logEntry struct {
	at            int64 // in the ring
	sequence      uint64
	tail          int64
	flushed, last int64
	changes       []change
}

// change writes data, one sector, or n zeros.
type change struct {
	off  int64
	data []byte
	n    int64
}

func (e logEntry) bytes(id wintype.GUID) []byte {
	le := binary.LittleEndian
	b := make([]byte, 64, (64+32*len(e.changes)+4095)/4096*4096)
	var data []byte
	for _, c := range e.changes {
		if c.data == nil {
			b = append(b, "zero\x00\x00\x00\x00"...)
			b = le.AppendUint64(b, uint64(c.n))
		} else {
			b = append(append(append(b, "desc"...), c.data[4092:]...), c.data[:8]...)
			data = le.AppendUint32(append(data, "data"...), uint32(e.sequence>>32))
			data = le.AppendUint32(append(data, c.data[8:4092]...), uint32(e.sequence))
		}
		b = le.AppendUint64(le.AppendUint64(b, uint64(c.off)), e.sequence)
	}
	b = append(b[:cap(b)], data...)
	copy(b, "loge")
	le.PutUint32(b[8:], uint32(len(b)))
	le.PutUint32(b[12:], uint32(e.tail))
	le.PutUint64(b[16:], e.sequence)
	le.PutUint32(b[24:], uint32(len(e.changes)))
	copy(b[32:], id[:])
	le.PutUint64(b[48:], uint64(e.flushed))
	le.PutUint64(b[56:], uint64(e.last))
	return seal(b)
}

// ring writes entries into a log of 1 MiB.
func ring(entries []logEntry, id wintype.GUID) []byte {
	b := make([]byte, mib)
	for _, e := range entries {
		for i, c := range e.bytes(id) {
			b[(int(e.at)+i)%mib] = c
		}
	}
	return b
}

func open(t testing.TB, src layer.Source, env format.Env) *vhdx.Disk {
	t.Helper()
	if env.Warn == nil {
		env.Warn = func(err error) { t.Errorf("warning: %v", err) }
	}
	d, err := vhdx.Open(src, env)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
