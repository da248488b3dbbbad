package qcow2

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
)

const (
	magic        = "QFI\xfb"
	headerLenV2  = 72
	headerLenV3  = 104
	maxL1Bytes   = 32 << 20 // qemu's own limit
	maxSize      = 1 << 56
	maxBackLen   = 1023
	extBacking   = 0xe2792aca // header extension: format of the backing file
	extFeatures  = 0x6803f857 // header extension: names of feature bits
	extData      = 0x44415441 // header extension: name of the external data file
	featureEntry = 48
)

// Bits of the incompatible features.
const (
	featDirty = 1 << iota // reference counts may be stale; they are not used here
	featCorrupt
	featExternalData
	featCompression // the compression type field counts
	featExtendedL2
	featKnown = featDirty | featCorrupt | featExternalData | featCompression | featExtendedL2
)

const (
	compressZlib = 0
	compressZstd = 1
)

// header is the file's first record, big-endian.
type header struct {
	version      uint32
	backingOff   uint64
	backingLen   uint32
	clusterBits  uint32
	size         uint64
	crypt        uint32
	l1Entries    uint32
	l1Off        uint64
	refOff       uint64 // of the table of reference counts
	refClusters  uint32 // its length
	snapshots    uint32
	snapshotsOff uint64
	incompatible uint64
	refBits      uint32 // log2 of the bits of a reference count
	headerLen    uint32
	compression  byte

	backing       string // name of the backing file, "" for none
	backingFormat string // its format, "" when not told
	dataFile      string // name of the external data file, "" when not told
}

// decodeHeader reads the fixed fields. Offsets are those of docs/interop/qcow2.txt in qemu; a version 2 header ends
// at 72.
func decodeHeader(b []byte) header {
	be := binary.BigEndian
	h := header{
		version:      be.Uint32(b[4:]),
		backingOff:   be.Uint64(b[8:]),
		backingLen:   be.Uint32(b[16:]),
		clusterBits:  be.Uint32(b[20:]),
		size:         be.Uint64(b[24:]),
		crypt:        be.Uint32(b[32:]),
		l1Entries:    be.Uint32(b[36:]),
		l1Off:        be.Uint64(b[40:]),
		refOff:       be.Uint64(b[48:]),
		refClusters:  be.Uint32(b[56:]),
		refBits:      4,
		snapshots:    be.Uint32(b[60:]),
		snapshotsOff: be.Uint64(b[64:]),
		headerLen:    headerLenV2,
	}
	if h.version >= 3 && len(b) >= headerLenV3 {
		h.incompatible = be.Uint64(b[72:])
		h.refBits = be.Uint32(b[96:])
		h.headerLen = be.Uint32(b[100:])
		if h.headerLen > headerLenV3 && len(b) > headerLenV3 {
			h.compression = b[104]
		}
	}
	return h
}

// readHeader reads and checks the header with what follows it in the first cluster.
func readHeader(src layer.Source) (header, error) {
	b := make([]byte, min(headerLenV3+8, src.Size()))
	if err := layer.ReadFull(src, b, 0); err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return header{}, fmt.Errorf("magic %q, want %q: %w", b[:min(4, len(b))], magic, layer.ErrFormat)
	}
	if len(b) < headerLenV2 {
		return header{}, layer.Corrupt("header", 0, "%d bytes, want %d or more", len(b), headerLenV2)
	}
	h := decodeHeader(b)
	if err := h.check(src.Size()); err != nil {
		return header{}, err
	}
	b = make([]byte, min(int64(1)<<h.clusterBits, src.Size()))
	if err := layer.ReadFull(src, b, 0); err != nil {
		return header{}, fmt.Errorf("header: %w", err)
	}
	features, err := h.extensions(b)
	if err != nil {
		return header{}, err
	}
	return h, h.supported(features)
}

// check holds every field against its limits and against the size of the file.
func (h *header) check(fileSize int64) error {
	switch {
	case h.version != 2 && h.version != 3:
		return fmt.Errorf("version %d, want 2 or 3: %w", h.version, layer.ErrUnsupported)
	case h.version == 3 && fileSize < headerLenV3:
		return layer.Corrupt("header", 0, "%d bytes, want %d or more", fileSize, headerLenV3)
	case h.clusterBits < 9 || h.clusterBits > 21:
		return layer.Corrupt("header", 20, "clusters of 2^%d bytes, want 2^9 to 2^21", h.clusterBits)
	case h.version == 3 && (h.headerLen < headerLenV3 || h.headerLen%8 != 0 || h.headerLen > 1<<h.clusterBits):
		return layer.Corrupt("header", 100, "header of %d bytes, want a multiple of 8 from %d within a cluster", h.headerLen, headerLenV3)
	case h.size > maxSize:
		return layer.Corrupt("header", 24, "disk of 0x%x bytes, want 2^56 at most", h.size)
	case h.backingOff != 0 && h.backingLen > maxBackLen:
		return layer.Corrupt("header", 16, "backing file name of %d bytes, want %d at most", h.backingLen, maxBackLen)
	}
	return nil
}

// l2Bits is the binary logarithm of the entries of an L2 table, which is one cluster.
func (h *header) l2Bits() uint32 {
	if h.incompatible&featExtendedL2 != 0 {
		return h.clusterBits - 4
	}
	return h.clusterBits - 3
}

// state is a state of the disk: the active one, or that of an internal snapshot.
type state struct {
	size      uint64 // of the disk
	l1Off     uint64
	l1Entries uint32
}

// l1Need is the number of L1 entries that a size asks for, after checking that the file of that many bytes has some.
func (h *header) l1Need(s state, fileSize int64) (int, error) {
	span := uint64(1) << (h.clusterBits + h.l2Bits())
	need := (s.size + span - 1) / span
	switch {
	case uint64(s.l1Entries) < need:
		return 0, layer.Corrupt("L1 table", int64(s.l1Off), "%d entries, want %d", s.l1Entries, need)
	case need*8 > maxL1Bytes:
		return 0, fmt.Errorf("L1 table of %d bytes, want %d at most: %w", need*8, maxL1Bytes, layer.ErrUnsupported)
	case need > 0 && s.l1Off >= uint64(fileSize):
		return 0, layer.Corrupt("header", 40, "L1 table of %d bytes at 0x%x, want it within the file of 0x%x", need*8, s.l1Off, fileSize)
	}
	return int(need), nil
}

// supported refuses what the header says is needed and is not known here.
func (h *header) supported(features map[byte]string) error {
	for bit := range 64 {
		if h.incompatible&^featKnown&(1<<bit) != 0 {
			name := ""
			if n := features[byte(bit)]; n != "" {
				name = fmt.Sprintf(" (%q)", n)
			}
			return fmt.Errorf("incompatible feature bit %d%s: %w", bit, name, layer.ErrUnsupported)
		}
	}
	switch {
	case h.crypt == 1:
		return fmt.Errorf("AES encryption: %w", layer.ErrUnsupported)
	case h.crypt == 2:
		return fmt.Errorf("LUKS encryption: %w", layer.ErrUnsupported)
	case h.crypt != 0:
		return fmt.Errorf("encryption method %d: %w", h.crypt, layer.ErrUnsupported)
	case h.incompatible&featExtendedL2 != 0 && h.clusterBits < 14:
		return layer.Corrupt("header", 20, "extended L2 entries with clusters of 2^%d bytes, want 2^14 or more", h.clusterBits)
	case h.incompatible&featCompression == 0 && h.compression != compressZlib:
		return layer.Corrupt("header", 104, "compression type %d without its feature bit", h.compression)
	case h.compression > compressZstd:
		return fmt.Errorf("compression type %d: %w", h.compression, layer.ErrUnsupported)
	}
	return nil
}

// extensions walks the header extensions in b, the first cluster, and takes the name of the backing file. It returns
// the names of incompatible feature bits.
func (h *header) extensions(b []byte) (map[byte]string, error) {
	end := len(b)
	if h.backingOff != 0 {
		if h.backingOff > uint64(len(b)) || uint64(len(b))-h.backingOff < uint64(h.backingLen) {
			return nil, layer.Corrupt("header", 8, "backing file name of %d bytes at 0x%x, want it within the first 0x%x",
				h.backingLen, h.backingOff, len(b))
		}
		end = int(h.backingOff)
		h.backing = string(b[end:][:h.backingLen])
	}
	var features map[byte]string
	be := binary.BigEndian
	for at := int(h.headerLen); at+8 <= end; {
		kind, n := be.Uint32(b[at:]), be.Uint32(b[at+4:])
		if kind == 0 {
			break
		}
		if uint64(n) > uint64(end-at-8) {
			return nil, layer.Corrupt("header extension", int64(at), "%d bytes, want %d at most", n, end-at-8)
		}
		data := b[at+8:][:n]
		switch kind {
		case extBacking:
			h.backingFormat = string(data)
		case extFeatures:
			features = decodeFeatures(data)
		case extData:
			h.dataFile = string(data)
		}
		at += 8 + int(n+7)&^7
	}
	return features, nil
}

// decodeFeatures reads the name table: kind, bit, and 46 bytes of name padded with zeros; kind 0 is incompatible.
func decodeFeatures(b []byte) map[byte]string {
	names := make(map[byte]string)
	for ; len(b) >= featureEntry; b = b[featureEntry:] {
		if b[0] == 0 {
			names[b[1]] = strings.TrimRight(string(b[2:featureEntry]), "\x00")
		}
	}
	return names
}
