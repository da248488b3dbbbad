package bitlockertest

import (
	"crypto/sha256"
	"hash/crc32"
	"slices"

	"snapmount/imagefmt/wintype"
)

const signature = "-FVE-FS-"

// dataset is 48 bytes (u32 size, u32 1, u32 48, u32 end, GUID, u32 next nonce, u16 method, u16 the same, u64 time) and entries.
func dataset(id wintype.GUID, method uint16, nonce uint32, entries []byte) []byte {
	size := uint32(48 + len(entries))
	b := make([]byte, 48, size)
	le.PutUint32(b[0:], size)
	le.PutUint32(b[4:], 1)
	le.PutUint32(b[8:], 48)
	le.PutUint32(b[12:], size)
	copy(b[16:], id[:])
	le.PutUint32(b[32:], nonce)
	le.PutUint16(b[36:], method)
	le.PutUint16(b[38:], method)
	le.PutUint64(b[40:], uint64(Created))
	return append(b, entries...)
}

// entries are all of the metadata.
func (w *writer) entries() ([]byte, error) {
	var all []byte
	if w.Description != "" {
		all = append(all, text(roleDescription, w.Description)...)
	}
	for i, p := range w.Options.Protectors {
		one, err := w.protector(i, p)
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	if w.State != Decrypted {
		all = append(all, w.box(roleVolumeKey, w.Master, key(w.Options.Method, w.Key))...)
	}
	if w.Version == 2 {
		header := le.AppendUint64(nil, uint64(w.Volume.Header.Off))
		all = append(all, entry(roleHeader, typeOffset, le.AppendUint64(header, uint64(w.Volume.Header.Len)))...)
	}
	return all, nil
}

// metadata is a copy: 64 bytes (signature, u16 size, version, state, next state, u64 encrypted up to, u32 log, u32 sectors
// moved, 3 x u64 copies, u64 where the start is or the cluster of $MFTMirr), the dataset, and what it is validated by.
func (w *writer) metadata() ([]byte, error) {
	entries, err := w.entries()
	if err != nil {
		return nil, err
	}
	method := w.Options.Method
	if w.State == Decrypted {
		method = 0
	}
	b := append(make([]byte, 64), dataset(w.ID, method, w.nonce+2, entries)...)
	b = append(b, make([]byte, -len(b)&15)...)
	copy(b, signature)
	unit := 1
	if w.Version == 2 {
		unit = 16
	}
	le.PutUint16(b[8:], uint16(len(b)/unit))
	le.PutUint16(b[10:], uint16(w.Version))
	state, upTo := w.conversion()
	le.PutUint16(b[12:], state)
	le.PutUint16(b[14:], map[bool]uint16{true: 1, false: 4}[w.State == Decrypted])
	le.PutUint64(b[16:], uint64(upTo))
	for i, off := range w.Metadata {
		le.PutUint64(b[32+8*i:], uint64(off))
	}
	if w.Version == 2 {
		le.PutUint32(b[28:], uint32(w.Volume.Header.Len/int64(w.Options.Sector)))
		le.PutUint64(b[56:], uint64(w.Volume.Header.Off))
	} else {
		le.PutUint64(b[56:], le.Uint64(w.boot[56:]))
	}
	w.Block = slices.Clone(b)
	check := make([]byte, 8)
	le.PutUint16(check[0:], uint16(w.Reserved-int64(len(b))))
	le.PutUint16(check[2:], uint16(w.Version))
	le.PutUint32(check[4:], crc32.ChecksumIEEE(b))
	b = append(b, check...)
	if w.State != Decrypted {
		sum := sha256.Sum256(w.Block)
		b = append(b, w.box(roleProperty, w.Master, key(keyHash, sum[:]))...)
	}
	return append(b, make([]byte, int(w.Reserved)-len(b))...), nil
}

// conversion is the state, and up to where the volume is encrypted.
func (w *writer) conversion() (state uint16, upTo int64) {
	switch {
	case w.State == Decrypted:
		return 1, 0
	case w.State == Paused:
		return 3, w.Offset
	case w.Version == 1:
		return 4, w.Offset
	}
	return 4, w.Size
}

var (
	guid        = mustGUID("4967d63b-2e29-4ad8-8399-f6a339e3d001")
	guidOnWrite = mustGUID("92a84d3b-dd80-4d0e-9e4e-b1e3284eaed8")
)

func mustGUID(s string) wintype.GUID {
	g, err := wintype.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// bootSector is what the volume begins with. Of version 1 it is the plain one, but for the name of the file system and the
// number of the cluster of the first copy, in place of that of $MFTMirr.
func (w *writer) bootSector() []byte {
	b := make([]byte, w.Options.Sector)
	if w.Version == 1 {
		copy(b, w.boot)
		copy(b, "\xeb\x52\x90"+signature)
		le.PutUint64(b[56:], uint64(w.Metadata[0]/w.cluster))
		return b
	}
	copy(b, "\xeb\x58\x90"+signature)
	at, id := 160, guid
	if w.ToGo {
		copy(b[3:], "MSWIN4.1")
		at = 424
	}
	if w.State == OnWrite {
		id = guidOnWrite
		for i, off := range w.OnWrite.Blocks {
			le.PutUint64(b[at+40+8*i:], uint64(off))
		}
	}
	le.PutUint16(b[11:], uint16(w.Options.Sector))
	b[13] = byte(w.cluster / int64(w.Options.Sector))
	b[21] = 0xf8
	b[24], b[26] = 63, 255
	le.PutUint32(b[36:], 0x1fe0)
	b[48], b[50], b[64], b[66] = 1, 6, 0x80, 0x29
	copy(b[71:], "NO NAME    FAT32   ")
	copy(b[at:], id[:])
	for i, off := range w.Metadata {
		le.PutUint64(b[at+16+8*i:], uint64(off))
	}
	b[510], b[511] = 0x55, 0xaa
	return b
}
