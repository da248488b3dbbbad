package ewf_test

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"encoding/binary"
	"hash/adler32"
	"io"
	"unicode/utf16"
)

var le = binary.LittleEndian

// sum appends the Adler-32 of b.
func sum(b []byte) []byte { return le.AppendUint32(b, adler32.Checksum(b)) }

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

// section1 is a section of version 1 at off; a next or done section points to itself.
func section1(off int, kind string, data []byte) []byte {
	b := make([]byte, 72)
	copy(b, kind)
	next := off + 76 + len(data)
	if kind == "next" || kind == "done" {
		next = off
	}
	le.PutUint64(b[16:], uint64(next))
	le.PutUint64(b[24:], uint64(next-off))
	return append(sum(b), data...)
}

// volume is the data of a volume section.
func volume(chunks, sectors, bytes int, total uint64) []byte {
	b := make([]byte, 1048)
	b[0] = 1
	le.PutUint32(b[4:], uint32(chunks))
	le.PutUint32(b[8:], uint32(sectors))
	le.PutUint32(b[12:], uint32(bytes))
	le.PutUint64(b[16:], total)
	b[36], b[52] = 3, 1
	copy(b[64:], "0123456789abcdef")
	return sum(b)
}

// entries is the data of a table section.
func entries(base uint64, offs []uint32) []byte {
	b := make([]byte, 20)
	le.PutUint32(b, uint32(len(offs)))
	le.PutUint64(b[8:], base)
	b = sum(b)
	var list []byte
	for _, o := range offs {
		list = le.AppendUint32(list, o)
	}
	return append(b, sum(list)...)
}

// disk1 is how to build an image of version 1.
type disk1 struct {
	content  []byte
	sectors  int // of a chunk
	perTable int // chunks
	perFile  int // tables of a segment, 0 for all
}

// build returns the segments. Every third chunk is stored as it is.
func (d disk1) build() [][]byte {
	size := d.sectors * 512
	chunks := (len(d.content) + size - 1) / size
	v := volume(chunks, d.sectors, 512, uint64(len(d.content)/512))
	var files [][]byte
	var f []byte
	begin := func(kind string) {
		f = append([]byte("EVF\x09\x0d\x0a\xff\x00\x01"), byte(len(files)+1), 0, 0, 0)
		f = append(f, section1(len(f), kind, v)...)
	}
	begin("volume")
	for c, tables := 0, 0; c < chunks; tables++ {
		if d.perFile > 0 && tables == d.perFile {
			files = append(files, append(f, section1(len(f), "next", nil)...))
			tables = 0
			begin("data")
		}
		var offs []uint32
		var data []byte
		for range min(d.perTable, chunks-c) {
			b := d.content[c*size : min(len(d.content), (c+1)*size)]
			off := uint32(76 + len(data))
			if c%3 == 2 {
				data = append(data, sum(bytes.Clone(b))...)
			} else {
				off |= 1 << 31
				data = append(data, deflated(b)...)
			}
			offs = append(offs, off)
			c++
		}
		t := entries(uint64(len(f)), offs)
		f = append(f, section1(len(f), "sectors", data)...)
		f = append(f, section1(len(f), "table", t)...)
		f = append(f, section1(len(f), "table2", t)...)
	}
	digest := md5.Sum(d.content)
	f = append(f, section1(len(f), "hash", sum(append(digest[:], make([]byte, 16)...)))...)
	return append(files, append(f, section1(len(f), "done", nil)...))
}

// pad fills up to a multiple of 16.
func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&15)...) }

// builder2 is a segment of version 2 that grows.
type builder2 struct {
	b        []byte
	previous int
}

func newBuilder2(number, method int) *builder2 {
	b := append([]byte("EVF2\x0d\x0a\x81\x00\x02\x01"), byte(method), 0, byte(number), 0, 0, 0)
	return &builder2{b: append(b, "set of this disk"...)}
}

// section appends data, which is padded, and the descriptor behind it.
func (f *builder2) section(kind uint32, flags uint32, data []byte) {
	padding := -len(data) & 15
	data = pad(data)
	d := make([]byte, 60)
	le.PutUint32(d[0:], kind)
	le.PutUint32(d[4:], flags|1)
	le.PutUint64(d[8:], uint64(f.previous))
	le.PutUint64(d[16:], uint64(len(data)))
	le.PutUint32(d[24:], 64)
	le.PutUint32(d[28:], uint32(padding))
	hash := md5.Sum(data)
	copy(d[32:], hash[:])
	f.previous = len(f.b) + len(data)
	f.b = append(append(f.b, data...), sum(d)...)
}

// text is an object of version 2, packed.
func text(s string) []byte {
	b := []byte{0xff, 0xfe}
	for _, c := range utf16.Encode([]rune(s)) {
		b = le.AppendUint16(b, c)
	}
	return deflated(b)
}

// chunk2 is a chunk of version 2 as it is stored.
type chunk2 struct {
	data  []byte
	flags uint32
	value uint64 // in place of the offset, for a pattern
}

// chunks appends a sector data section and its table.
func (f *builder2) chunks(first int, list []chunk2) {
	table := make([]byte, 16)
	le.PutUint64(table, uint64(first))
	le.PutUint32(table[8:], uint32(len(list)))
	table = pad(sum(table))
	var data, rows []byte
	for _, c := range list {
		off := uint64(len(f.b) + len(data))
		if c.flags&4 != 0 {
			off = c.value
		}
		rows = le.AppendUint32(le.AppendUint32(le.AppendUint64(rows, off), uint32(len(c.data))), c.flags)
		data = pad(append(data, c.data...))
	}
	f.section(3, 0, data)
	f.section(4, 0, append(table, sum(rows)...))
}

func unzlib(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
