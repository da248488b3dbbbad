package campaign

import (
	"bytes"
	"compress/zlib"
	"crypto/md5"
	"hash/adler32"
	"os"
	"path/filepath"
)

// containerKinds are losses of the file that holds the disk. Where less than 99 % is given of what one does not touch, a
// directory's record or index is lost: what was done below it is told as unknown, as its path is.
var containerKinds = []kind{
	{"raw image cut", func(m *mutation) bool {
		if m.seed.size > 64<<20 {
			return false
		}
		m.cut = m.seed.size * int64(1+m.IntN(19)) / 20 &^ 511
		m.touched = spans{{m.cut, m.seed.size - m.cut}}
		m.what = "cut"
		m.notef("at 0x%x", m.cut)
		return true
	}},
	{"raw image with a hole", func(m *mutation) bool {
		m.blind = "zeros are no loss that is told"
		n := int64(4096 << m.IntN(6))
		off := min(m.somewhere(), m.seed.size-n) &^ 4095
		m.what = "zeros"
		m.notef("0x%x bytes at 0x%x", n, off)
		return m.edit(spans{{off, n}}, func(b []byte) { clear(b) })
	}},
	{"raw image with a map of what was not read", func(m *mutation) bool {
		n := int64(4096 << m.IntN(8))
		off := min(m.somewhere(), m.seed.size-n) &^ 4095
		m.what = "map"
		m.notef("0x%x bytes at 0x%x", n, off)
		m.touched = spans{{off, n}}
		m.build = func(disk *os.File, dir string) (string, error) {
			return mapped(disk, dir, m.seed.size, off, n)
		}
		return m.seed.size <= 64<<20
	}},
	{"E01: a chunk, its sum wrong", func(m *mutation) bool { return m.ewf(false) }},
	{"E01: a chunk, its sum mended", func(m *mutation) bool {
		m.blind = "a chunk whose sum is right is told by the hash of all alone"
		return m.ewf(true)
	}},
	{"E01: an entry of both tables", func(m *mutation) bool {
		if m.seed.size > 64<<20 {
			return false
		}
		c := int(m.somewhere() / ewfChunk)
		m.what = "entry"
		m.notef("chunk 0x%x", c)
		m.touched = spans{{int64(c) * ewfChunk, ewfChunk}}
		m.build = func(disk *os.File, dir string) (string, error) {
			e := ewf{disk: disk, size: m.seed.size, entry: func(i int, off uint32) uint32 {
				if i == c {
					return off ^ 0x1010
				}
				return off
			}}
			return e.write(dir)
		}
		return true
	}},
}

// mapped copies a disk without a range, and the map that ddrescue keeps of that.
func mapped(disk *os.File, dir string, size, off, n int64) (string, error) {
	b := make([]byte, size)
	if _, err := disk.ReadAt(b, 0); err != nil {
		return "", err
	}
	clear(b[off:][:n])
	name := filepath.Join(dir, "mapped.raw")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		return "", err
	}
	text := "# Mapfile. Created by GNU ddrescue version 1.27\n0x00000000     +               1\n"
	text += line(0, off, '+') + line(off, n, '-') + line(off+n, size-off-n, '+')
	return name, os.WriteFile(name+".map", []byte(text), 0o600)
}

func line(off, n int64, status byte) string {
	if n == 0 {
		return ""
	}
	return hex(off) + "  " + hex(n) + "  " + string(status) + "\n"
}

func hex(v int64) string {
	const digits = "0123456789ABCDEF"
	b := []byte("0x000000000000")
	for i := len(b) - 1; v > 0; i-- {
		b[i], v = digits[v&15], v>>4
	}
	return string(b)
}

const ewfChunk = 32 << 10

// ewf changes a chunk of an E01 of the disk.
func (m *mutation) ewf(mended bool) bool {
	if m.seed.size > 64<<20 {
		return false
	}
	c := int(m.somewhere() / ewfChunk)
	m.what = "chunk"
	m.notef("0x%x", c)
	m.touched = spans{{int64(c) * ewfChunk, ewfChunk}}
	off, bit := m.IntN(ewfChunk), byte(1+m.IntN(255))
	m.build = func(disk *os.File, dir string) (string, error) {
		e := ewf{disk: disk, size: m.seed.size, stored: func(i int, data []byte) bool { return i == c }}
		if mended {
			e.before = func(i int, b []byte) {
				if i == c {
					b[off] ^= bit
				}
			}
		} else {
			e.after = func(i int, b []byte) {
				if i == c {
					b[off] ^= bit
				}
			}
		}
		return e.write(dir)
	}
	return true
}

// An ewf writes a disk as an image of version 1 in one segment with one table.
type ewf struct {
	disk          *os.File
	size          int64
	stored        func(chunk int, b []byte) bool // as it is
	before, after func(chunk int, b []byte)      // it is summed
	entry         func(chunk int, off uint32) uint32
}

func summed(b []byte) []byte { return le.AppendUint32(b, adler32.Checksum(b)) }

func section(off int, name string, data []byte) []byte {
	b := make([]byte, 72)
	copy(b, name)
	next := off + 76 + len(data)
	if name == "done" {
		next = off
	}
	le.PutUint64(b[16:], uint64(next))
	le.PutUint64(b[24:], uint64(next-off))
	return append(summed(b), data...)
}

func (e *ewf) write(dir string) (string, error) {
	chunks := int(e.size / ewfChunk)
	volume := make([]byte, 1048)
	volume[0] = 1
	le.PutUint32(volume[4:], uint32(chunks))
	le.PutUint32(volume[8:], ewfChunk/512)
	le.PutUint32(volume[12:], 512)
	le.PutUint64(volume[16:], uint64(e.size/512))
	volume[36], volume[52] = 3, 1
	f := []byte("EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00")
	f = append(f, section(len(f), "volume", summed(volume))...)
	data, offs, digest, err := e.chunks(chunks)
	if err != nil {
		return "", err
	}
	table := make([]byte, 20)
	le.PutUint32(table, uint32(chunks))
	le.PutUint64(table[8:], uint64(len(f)))
	table = append(summed(table), summed(offs)...)
	f = append(f, section(len(f), "sectors", data)...)
	f = append(f, section(len(f), "table", table)...)
	f = append(f, section(len(f), "table2", table)...)
	f = append(f, section(len(f), "hash", summed(append(digest, make([]byte, 16)...)))...)
	f = append(f, section(len(f), "done", nil)...)
	name := filepath.Join(dir, "made.E01")
	return name, os.WriteFile(name, f, 0o600)
}

// chunks packs the disk; entries are in front of what is packed, after the descriptor of its section.
func (e *ewf) chunks(n int) (data, offs, digest []byte, err error) {
	h, b := md5.New(), make([]byte, ewfChunk)
	packedZeros := deflated(make([]byte, ewfChunk))
	zeros := make([]byte, ewfChunk)
	for i := range n {
		if _, err := e.disk.ReadAt(b, int64(i)*ewfChunk); err != nil {
			return nil, nil, nil, err
		}
		h.Write(b)
		off := uint32(76 + len(data))
		switch {
		case e.stored != nil && e.stored(i, b):
			if e.before != nil {
				e.before(i, b)
			}
			at := len(data)
			data = append(data, summed(bytes.Clone(b))...)
			if e.after != nil {
				e.after(i, data[at:])
			}
		case bytes.Equal(b, zeros):
			off |= 1 << 31
			data = append(data, packedZeros...)
		default:
			off |= 1 << 31
			data = append(data, deflated(b)...)
		}
		if e.entry != nil {
			off = e.entry(i, off)
		}
		offs = le.AppendUint32(offs, off)
	}
	return data, offs, h.Sum(nil), nil
}

func deflated(b []byte) []byte {
	var out bytes.Buffer
	z, _ := zlib.NewWriterLevel(&out, zlib.BestSpeed)
	z.Write(b)
	z.Close()
	return out.Bytes()
}
