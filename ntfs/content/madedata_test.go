package content

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

func madeFont() []byte {
	tables := [][]byte{prose(6000), noise(2, 7001), prose(54)}
	names := []string{"cmap", "glyf", "head"}
	dir := []byte("\x00\x01\x00\x00\x00\x03\x00\x20\x00\x01\x00\x10")
	var body []byte
	at := 12 + 16*len(tables)
	for i, b := range tables {
		padded := cat(b, make([]byte, -len(b)&3))
		sum := 0
		for j := 0; j < len(padded); j += 4 {
			if names[i] != "head" || j != 8 {
				sum += int(binary.BigEndian.Uint32(padded[j:]))
			}
		}
		dir = cat(dir, []byte(names[i]), u32be(sum, at+len(body), len(b)))
		body = append(body, padded...)
	}
	return cat(dir, body)
}

func madePE() []byte {
	b := make([]byte, 1024+20000)
	put(b, 0, []byte("MZ"))
	put(b, 60, u32le(128))
	put(b, 128, cat([]byte("PE\x00\x00"), u16le(0x8664, 1), make([]byte, 12), u16le(240, 0x22), u16le(0x20b)))
	put(b, 128+24+240, cat([]byte(".text\x00\x00\x00"), u32le(20000, 4096, 20000, 1024), make([]byte, 12), u32le(0x60000020)))
	put(b, 1024, prose(20000))
	f := newFile(context.Background(), of(b))
	put(b, 128+24+64, u32le(int(f.peSum(128+24+64))))
	return b
}

func madeELF() []byte {
	b := make([]byte, 64+20000+128)
	put(b, 0, []byte("\x7fELF\x02\x01\x01"))
	put(b, 40, u32le(64+20000))
	put(b, 58, u16le(64, 2))
	put(b, 64, prose(20000))
	put(b, 64+20000+64+4, u32le(1))
	put(b, 64+20000+64+24, u32le(64, 0, 20000, 0))
	return b
}

func madeClass() []byte {
	b := []byte("\xca\xfe\xba\xbe\x00\x00\x00\x37\x00\x03\x01\x1f\x40")
	b = append(b, prose(8000)...)
	b = append(b, "\x07\x00\x01"...)
	b = append(b, "\x00\x21\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x10\x00"...)
	return append(b, prose(4096)...)
}

func madeMO() []byte {
	const n = 50
	out := u32le(0x950412de, 0, n, 28, 28+8*n, 0, 0)
	at := 28 + 16*n
	for i := range 2 * n {
		out = append(out, u32le(99, at+100*i)...)
	}
	for range 2 * n {
		out = append(append(out, prose(99)...), 0)
	}
	return append(out, 0)
}

func madePDF() []byte {
	out := []byte("%PDF-1.4\n")
	for i := range 6 {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(cat(prose(4000), noise(uint64(i), 3000)))
		_ = w.Close()
		out = fmt.Appendf(out, "%d 0 obj\n<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n", i+1, z.Len(), z.Bytes())
	}
	at := len(out)
	return fmt.Appendf(out, "xref\n0 1\n0000000000 65535 f \ntrailer\n<< /Size 7 >>\nstartxref\n%d\n%%%%EOF\n", at)
}

func madeOLE(stream string) []byte {
	const sectors = 60 // 0 is the table, 1 the directory, the others the stream
	h := make([]byte, 512)
	put(h, 0, []byte(oleSig))
	put(h, 24, u16le(0x3e, 3, 0xfffe, 9, 6))
	put(h, 44, u32le(1, 1, 0, 4096))
	put(h, 60, u32le(int(oleEnd), 0, int(oleEnd), 0))
	put(h, 76, bytes.Repeat([]byte{0xff}, 512-76))
	put(h, 76, u32le(0))
	fat := bytes.Repeat([]byte{0xff}, 512)
	put(fat, 0, u32le(int(oleFAT), int(oleEnd)))
	for i := 2; i < sectors; i++ {
		put(fat, 4*i, u32le(i+1))
	}
	put(fat, 4*(sectors-1), u32le(int(oleEnd)))
	dir := make([]byte, 512)
	size := (sectors - 2) * 512
	for i, name := range []string{"Root Entry", stream} {
		e := dir[128*i:]
		for j, c := range name {
			e[2*j] = byte(c)
		}
		put(e, 64, u16le(2*len(name)+2))
		e[66] = [2]byte{5, 2}[i]
		put(e, 116, u32le([2]int{int(oleEnd), 2}[i], [2]int{0, size}[i]))
	}
	body := prose(size)
	switch stream {
	case "Workbook":
		for at, kind := 0, 0x809; at < size; at, kind = at+504, 0x85 {
			put(body, at, u16le(kind, min(500, size-at-4)))
		}
	case "WordDocument":
		put(body, 0, u16le(0xa5ec))
	case "PowerPoint Document":
		put(body, 0, cat(u16le(15, 1000), u32le(size-8)))
	}
	return cat(h, fat, dir, body)
}

func madeSQLite() []byte {
	const pages = 12
	b := make([]byte, pages*4096)
	put(b, 0, []byte("SQLite format 3\x00\x10\x00\x01\x01\x00\x40\x20\x20"))
	put(b, 24, u32be(1, pages))
	put(b, 92, u32be(1))
	put(b, 100, []byte("\x0d\x00\x00\x00\x00\x10\x00\x00"))
	for i := 1; i < pages; i++ {
		put(b, 4096*i, prose(4096))
		put(b, 4096*i, []byte("\x0d\x00\x00\x00\x02\x0f\x00\x00"))
	}
	return b
}

func madeJet() []byte {
	b := make([]byte, 12*4096)
	put(b, 0, []byte("\x00\x01\x00\x00Standard ACE DB\x00\x02"))
	for i := 1; i < 12; i++ {
		put(b, 4096*i, prose(4096))
		put(b, 4096*i, []byte{1, 1})
	}
	return b
}

// madeESE is a database in a state: 2 is dirty, 3 clean.
func madeESE(state int) []byte {
	const pages = 12
	b := make([]byte, pages*4096)
	for i := range pages {
		p := b[4096*i : 4096*(i+1)]
		if i > 1 {
			put(p, 0, prose(4096))
			put(p, 4, u32le(i-1))
			put(p, 36, u32le(0))
		} else {
			put(p, 4, u32le(eseMagic))
			put(p, 52, u32le(state))
			put(p, 236, u32le(4096))
		}
		put(p, 0, u32le(int(eseMagic^xor(p[4:]))))
	}
	return b
}

func madePST() []byte {
	b := make([]byte, 40<<10)
	put(b, 0, []byte("!BDN"))
	put(b, 8, []byte("SM"))
	put(b, 10, u16le(23))
	put(b, 184, u32le(len(b)))
	put(b, 224, u32le(0x4400))
	put(b, 240, u32le(0x4600))
	b[248], b[512] = 2, 0x80
	put(b, 0x4800, prose(8000))
	for i, at := range []int{0x4400, 0x4600} {
		p := b[at : at+512]
		put(p, 0, prose(496))
		p[496], p[497] = byte(0x80+i), byte(0x80+i)
		put(p, 500, u32le(int(pstCRC(p[:496]))))
	}
	put(b, 4, u32le(int(pstCRC(b[8:8+471]))))
	put(b, 524, u32le(int(pstCRC(b[8:8+516]))))
	return b
}

func madeEVTX(flags int) []byte {
	b := make([]byte, 4096+2<<16)
	put(b, 0, []byte("ElfFile\x00"))
	put(b, 42, u16le(2))
	put(b, 120, u32le(flags))
	put(b, 124, u32le(int(crc32.ChecksumIEEE(b[:120]))))
	for i := range 2 {
		c := b[4096+i<<16:][:1<<16]
		put(c, 0, []byte("ElfChnk\x00"))
		put(c, 48, u32le(60000))
		put(c, 512, prose(60000-512))
		put(c, 52, u32le(int(crc32.ChecksumIEEE(c[512:60000]))))
		put(c, 124, u32le(int(crc32.Update(crc32.ChecksumIEEE(c[:120]), crc32.IEEETable, c[128:512]))))
	}
	return b
}

// madeHive is a hive whose second sequence number is given; the first is 7.
func madeHive(second int) []byte {
	b := make([]byte, 4096*4)
	put(b, 0, cat([]byte("regf"), u32le(7, second)))
	put(b, 40, u32le(3*4096))
	put(b, 508, u32le(int(xor(b[:508]))))
	for i := 1; i < 4; i++ {
		p := b[4096*i:]
		put(p, 32, prose(4096-32))
		put(p, 0, cat([]byte("hbin"), u32le(4096*(i-1), 4096)))
		put(p, 32, u32le(-2032))
		put(p, 32+2032, u32le(2032))
	}
	return b
}
