package vhd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	footerLen    = 512
	oldFooterLen = 511 // of Microsoft Virtual PC before 2004
	headerLen    = 1024
	footerMagic  = "conectix"
	headerMagic  = "cxsparse"
	sectorLen    = 512
	unused       = 0xffffffff // block table entry of a block that is not there
	maxEntries   = 16 << 20   // blocks of 128 KiB of the largest disk that Windows makes
	locatorLen   = 24
	maxLocator   = 64 << 10 // bytes, the longest Windows path
)

// Disk types of the footer.
const (
	typeFixed        = 2
	typeDynamic      = 3
	typeDifferencing = 4
)

// footer is the record that ends every file and, but for fixed disks, also begins it. Big-endian.
type footer struct {
	magic       string
	dataOffset  uint64 // of the dynamic header
	created     uint32 // seconds since 2000-01-01T00:00:00Z
	creator     string
	currentSize uint64 // bytes
	diskType    uint32
	checksum    uint32
	id          wintype.GUID
	sum         uint32 // what the checksum should be
}

// decodeFooter reads 512 bytes. Offsets are those of Microsoft's Virtual Hard Disk Image Format Specification 1.0.
func decodeFooter(b []byte) footer {
	be := binary.BigEndian
	return footer{
		magic:       string(b[0:8]),
		dataOffset:  be.Uint64(b[16:]),
		created:     be.Uint32(b[24:]),
		creator:     string(b[28:32]),
		currentSize: be.Uint64(b[48:]),
		diskType:    be.Uint32(b[60:]),
		checksum:    be.Uint32(b[64:]),
		id:          decodeUUID(b[68:]),
		sum:         sum(b, 64),
	}
}

// header is the dynamic header of dynamic and differencing disks. Big-endian.
type header struct {
	magic       string
	tableOffset uint64
	entries     uint32
	blockSize   uint32 // bytes
	checksum    uint32
	parentID    wintype.GUID
	parentName  string
	locators    [8]locator
	sum         uint32
}

// locator says where a path of the parent is kept.
type locator struct {
	code   string
	length uint32 // bytes
	offset uint64
}

// decodeHeader reads 1024 bytes.
func decodeHeader(b []byte) header {
	be := binary.BigEndian
	h := header{
		magic:       string(b[0:8]),
		tableOffset: be.Uint64(b[16:]),
		entries:     be.Uint32(b[28:]),
		blockSize:   be.Uint32(b[32:]),
		checksum:    be.Uint32(b[36:]),
		parentID:    decodeUUID(b[40:]),
		parentName:  decodeName(b[64:576]),
		sum:         sum(b, 36),
	}
	for i := range h.locators {
		l := b[576+i*locatorLen:]
		h.locators[i] = locator{code: string(l[0:4]), length: be.Uint32(l[8:]), offset: be.Uint64(l[16:])}
	}
	return h
}

// decodeUUID turns the order of a UUID in this format, all big-endian, into that of Windows.
func decodeUUID(b []byte) wintype.GUID {
	return wintype.GUID{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]}
}

// decodeName reads big-endian UTF-16 up to a zero.
func decodeName(b []byte) string {
	le := make([]byte, 0, len(b))
	for i := 0; i+1 < len(b) && (b[i] != 0 || b[i+1] != 0); i += 2 {
		le = append(le, b[i+1], b[i])
	}
	return wintype.DecodeUTF16(le)
}

// sum is the complement of the sum of all bytes but the four of the checksum itself.
func sum(b []byte, at int) uint32 {
	var s uint32
	for i, c := range b {
		if i < at || i >= at+4 {
			s += uint32(c)
		}
	}
	return ^s
}

// readFooter finds the footer: at the end, at the end without its last byte, or the copy at the start. One whose
// checksum is right wins. dataEnd is where the footer begins, the size of the file when only the copy is there.
func readFooter(src layer.Source, env format.Env) (f footer, dataEnd int64, err error) {
	size := src.Size()
	places := []struct {
		off, n, dataEnd int64
	}{{size - footerLen, footerLen, size - footerLen}, {size - oldFooterLen, oldFooterLen, size - oldFooterLen}, {0, footerLen, size}}
	var readErr error
	found := -1
	for i, p := range places {
		if p.off < 0 || p.n > size {
			continue
		}
		b := make([]byte, footerLen)
		if err := layer.ReadFull(src, b[:p.n], p.off); err != nil {
			readErr = errors.Join(readErr, fmt.Errorf("footer at 0x%x: %w", p.off, err))
			continue
		}
		g := decodeFooter(b)
		copyOfFixed := p.off == 0 && g.diskType == typeFixed && size > footerLen
		if g.magic != footerMagic || copyOfFixed || found >= 0 && g.checksum != g.sum {
			continue
		}
		if found < 0 || i < 2 { // the copy does not make a damaged footer data
			dataEnd = p.dataEnd
		}
		f, found = g, i
		if g.checksum == g.sum {
			break
		}
	}
	if found < 0 {
		if readErr != nil {
			return footer{}, 0, readErr
		}
		return footer{}, 0, fmt.Errorf("magic %q not at the end nor at the start: %w", footerMagic, layer.ErrFormat)
	}
	if found == 2 {
		env.Fault(errors.New("footer: damaged or missing at the end of the file, its copy at the start is used"))
	}
	if f.checksum != f.sum {
		env.Fault(fmt.Errorf("footer: checksum 0x%08x, want 0x%08x", f.checksum, f.sum))
	}
	return f, dataEnd, nil
}

// readHeader reads and checks the dynamic header.
func readHeader(src layer.Source, f footer, warn func(error)) (header, error) {
	b := make([]byte, headerLen)
	if f.dataOffset > uint64(src.Size()) || uint64(src.Size())-f.dataOffset < headerLen {
		return header{}, layer.Corrupt("footer", 0, "dynamic header at 0x%x, want it within the file of 0x%x bytes", f.dataOffset, src.Size())
	}
	at := int64(f.dataOffset)
	if err := layer.ReadFull(src, b, at); err != nil {
		return header{}, fmt.Errorf("dynamic header: %w", err)
	}
	h := decodeHeader(b)
	if !bytes.Equal(b[:8], []byte(headerMagic)) {
		return h, layer.Corrupt("dynamic header", at, "magic %q, want %q", h.magic, headerMagic)
	}
	if h.checksum != h.sum {
		warn(fmt.Errorf("dynamic header: checksum 0x%08x, want 0x%08x", h.checksum, h.sum))
	}
	if h.blockSize < 4096 || h.blockSize > 256<<20 || h.blockSize&(h.blockSize-1) != 0 {
		return h, layer.Corrupt("dynamic header", at, "blocks of 0x%x bytes, want a power of two from 4 KiB to 256 MiB", h.blockSize)
	}
	return h, nil
}
