package vmdk_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What no tool at hand writes is built here: streams with a footer, COWD and seSparse extents.

const sector = 512

var le = binary.LittleEndian

// descriptor is the text of a disk; parent "" for none.
func descriptor(cid, parentCID uint32, parent, createType string, lines ...string) []byte {
	hint := ""
	if parent != "" {
		hint = fmt.Sprintf("parentFileNameHint=%q\n", parent)
	}
	return fmt.Appendf(nil, "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\ncreateType=%q\n%s\n# Extent description\n%s\n\n#DDB\nddb.adapterType = \"ide\"\n",
		cid, parentCID, createType, hint, strings.Join(lines, "\n"))
}

// grainsOf cuts a disk into grains; those that keep says no to are nil.
func grainsOf(disk []byte, size int, keep func(g int, b []byte) bool) [][]byte {
	var list [][]byte
	for g := range slices.Collect(slices.Chunk(disk, size)) {
		b := append(bytes.Clone(disk[g*size:min(len(disk), (g+1)*size)]), make([]byte, size)...)[:size]
		if !keep(g, b) {
			b = nil
		}
		list = append(list, b)
	}
	return list
}

func notZero(_ int, b []byte) bool { return !bytes.Equal(b, make([]byte, len(b))) }

func pad(b []byte) []byte { return append(b, make([]byte, -len(b)&(sector-1))...) }

func put32s(list []uint32) []byte {
	b := make([]byte, 4*len(list))
	for i, v := range list {
		le.PutUint32(b[4*i:], v)
	}
	return pad(b)
}

func hosted(capacity int, flags uint32, grain, perTable int, directory uint64, overhead int, algorithm uint16) []byte {
	h := make([]byte, sector)
	copy(h, "KDMV")
	le.PutUint32(h[4:], 3)
	le.PutUint32(h[8:], flags|1)
	le.PutUint64(h[12:], uint64(capacity))
	le.PutUint64(h[20:], uint64(grain))
	le.PutUint64(h[28:], 1)
	le.PutUint64(h[36:], 4)
	le.PutUint32(h[44:], uint32(perTable))
	le.PutUint64(h[56:], directory)
	le.PutUint64(h[64:], uint64(overhead))
	copy(h[73:], "\n \r\n")
	le.PutUint16(h[77:], algorithm)
	return h
}

func meta(value uint64, kind uint32) []byte {
	m := make([]byte, sector)
	le.PutUint64(m, value)
	le.PutUint32(m[12:], kind)
	return m
}

// stream is a streamOptimized disk whose directory is at the end, with grains of 16 sectors and tables of 128.
func stream(disk []byte) []byte {
	const grain, perTable, overhead = 16, 128, 8
	capacity := len(disk) / sector
	head := hosted(capacity, 3<<16, grain, perTable, 1<<64-1, overhead, 1)
	b := append(bytes.Clone(head), descriptor(7, 0xffffffff, "", "streamOptimized", fmt.Sprintf(`RW %d SPARSE "other-name.vmdk"`, capacity))...)
	b = append(b, make([]byte, overhead*sector-len(b))...)
	var directory, table []uint32
	all := grainsOf(disk, grain*sector, notZero)
	for g, data := range all {
		at := uint32(0)
		if data != nil {
			at = uint32(len(b) / sector)
			var z bytes.Buffer
			w := zlib.NewWriter(&z)
			w.Write(data)
			w.Close()
			b = le.AppendUint64(b, uint64(g*grain))
			b = le.AppendUint32(b, uint32(z.Len()))
			b = pad(append(b, z.Bytes()...))
		}
		table = append(table, at)
		if len(table) == perTable || g == len(all)-1 {
			at = 0
			if slices.Max(table) > 0 {
				b = append(b, meta(perTable*4/sector, 1)...)
				at = uint32(len(b) / sector)
				b = append(b, put32s(append(table, make([]uint32, perTable-len(table))...))...)
			}
			directory, table = append(directory, at), nil
		}
	}
	dir := put32s(directory)
	b = append(b, meta(uint64(len(dir)/sector), 2)...)
	le.PutUint64(head[56:], uint64(len(b)/sector))
	return slices.Concat(b, dir, meta(1, 3), head, meta(0, 0))
}

// cowd is a VMFS sparse extent.
func cowd(capacity, grain int, grains [][]byte) []byte {
	const perTable = 4096
	tables := (len(grains) + perTable - 1) / perTable
	b := make([]byte, 4*sector)
	directory := make([]uint32, tables)
	data := (4+(tables*4+511)/sector)*sector + tables*perTable*4
	var body []byte
	table := make([]uint32, tables*perTable)
	for g, content := range grains {
		if content != nil {
			table[g] = uint32((data + len(body)) / sector)
			body = append(body, content...)
			directory[g/perTable] = uint32(4 + (tables*4+511)/sector + g/perTable*perTable*4/sector)
		}
	}
	b = slices.Concat(b, put32s(directory), put32s(table), body)
	copy(b, "COWD")
	for i, v := range []int{1, 3, capacity, grain, 4, tables, len(b) / sector} {
		le.PutUint32(b[4+4*i:], uint32(v))
	}
	return b
}

// seSparse is a space-efficient sparse extent, laid out as ESXi does and QEMU wants it. Grains of no bytes are zeroed.
func seSparse(capacity int, grains [][]byte) []byte {
	const perTable, dirAt, tablesAt = 4096, 4096, 4096 + 64
	tables := (len(grains) + perTable - 1) / perTable
	grainsAt := tablesAt + tables*64
	b := make([]byte, grainsAt*sector)
	for i, v := range []uint64{0xcafebabe, 2<<32 | 1, uint64(capacity), 8, 64, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2048, 2048,
		dirAt, 64, tablesAt, uint64(tables * 64), 0, 0, 0, 0, uint64(grainsAt), 1 << 40} {
		le.PutUint64(b[8*i:], v)
	}
	le.PutUint64(b[sector:], 0xcafecafe)
	n := 0
	for g, content := range grains {
		if content == nil {
			continue
		}
		t := tables - 1 - g/perTable // tables in another order than the directory's
		le.PutUint64(b[dirAt*sector+8*(g/perTable):], 1<<60|uint64(t))
		entry := uint64(1+g&1) << 60
		if len(content) > 0 {
			entry = 3<<60 | uint64(n&0xfff)<<48 | uint64(n>>12)
			b = append(b, content...)
			n++
		}
		le.PutUint64(b[tablesAt*sector+t*64*sector+8*(g%perTable):], entry)
	}
	return b
}

// folder writes the files of a disk.
func folder(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		write(t, filepath.Join(dir, name), b)
	}
	return dir
}
