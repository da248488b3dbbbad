package bitlocker

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
)

// fuzzed opens, unlocks and reads whatever a volume is.
func fuzzed(t *testing.T, src layer.Mapper) {
	v, err := Open(src)
	if err != nil {
		if err.Error() == "" {
			t.Error("an error without a text")
		}
		return
	}
	at := int64(0)
	for _, p := range v.pieces {
		if p.off != at || p.n <= 0 || p.from < 0 || p.kind == pieceRefused && p.err == nil {
			t.Fatalf("piece %+v, want one at 0x%x", p, at)
		}
		at += p.n
	}
	if v.refused == nil && at != src.Size() || v.Encrypted < 0 || v.Encrypted > src.Size() || v.Progress() == "" {
		t.Fatalf("pieces up to 0x%x of 0x%x; 0x%x encrypted", at, src.Size(), v.Encrypted)
	}
	if (&LockedError{Volume: v}).Error() == "" {
		t.Error("nothing is said of a locked volume")
	}
	u, err := v.Unlock(t.Context(), NewKeyring(rawKey(make([]byte, 32))))
	if err != nil {
		return
	}
	if _, err := u.RecoveryPasswords(); err != nil && err.Error() == "" {
		t.Error("an error without a text")
	}
	b := make([]byte, 4096)
	for off := int64(0); off < u.Size(); off += int64(len(b)) {
		_, _ = u.ReadAt(b, off) // an error is as good as any bytes
	}
}

// sealed makes the CRC-32 at an offset right, that of bytes with zeros there.
func sealed(b []byte, at int) {
	clear(b[at : at+4])
	binary.LittleEndian.PutUint32(b[at:], crc32.ChecksumIEEE(b))
}

func FuzzBoot(f *testing.F) {
	for _, o := range []bitlockertest.Options{{}, {Version: 1}, {ToGo: true}, {State: bitlockertest.OnWrite, Chunk: 1 << 16}} {
		f.Add([]byte(write(f, o).image[:512]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := decodeBoot(b)
		if !ok {
			return
		}
		for _, off := range append(s.copies, s.blocks[:]...) {
			if off < 0 || off > maxOffset {
				t.Errorf("offset 0x%x", off)
			}
		}
		m := append(bytes.Clone(b), make([]byte, 64<<10)...)
		fuzzed(t, mapper(t, bytes.NewReader(m)))
	})
}

// FuzzBlock reads a volume whose metadata has a right checksum, whatever is in it.
func FuzzBlock(f *testing.F) {
	for _, o := range []bitlockertest.Options{{}, {Version: 1}, {State: bitlockertest.Paused, Offset: 1 << 16}, {State: bitlockertest.Decrypted}} {
		if o.State != bitlockertest.Decrypted {
			o.Protectors = []bitlockertest.Protector{{Kind: bitlockertest.ClearKey}, {Kind: bitlockertest.StartupKey}, {Kind: bitlockertest.TPM}}
		}
		w := write(f, o)
		f.Add(w.Block, []byte(w.image[w.Metadata[0]+int64(len(w.Block))+8:][:80]))
	}
	boot := write(f, bitlockertest.Options{}).image[:512]
	f.Fuzz(func(t *testing.T, block, hash []byte) {
		const at = 64 << 10
		if len(block) > maxBlock {
			return
		}
		m := make([]byte, 256<<10)
		copy(m, boot)
		binary.LittleEndian.PutUint64(m[176:], at)
		n := copy(m[at:], block)
		copy(m[at+n+8:], hash)
		binary.LittleEndian.PutUint32(m[at+n+4:], crc32.ChecksumIEEE(block))
		if b, err := readBlock(bytes.NewReader(m), at); err == nil && len(b.raw) != n && n%16 == 0 && b.version == 2 && len(b.raw) > n {
			t.Errorf("a block of 0x%x bytes, of 0x%x", len(b.raw), n)
		}
		fuzzed(t, mapper(t, bytes.NewReader(m)))
	})
}

func FuzzEntries(f *testing.F) {
	w := write(f, bitlockertest.Options{Protectors: []bitlockertest.Protector{{Kind: bitlockertest.StartupKey}}})
	f.Add(w.Block[blockHeader+datasetHeader:])
	f.Add([]byte{8, 0, 1, 0, 2, 0, 3, 0, 7, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := entries(b, 0)
		size := 0
		for _, e := range list {
			size += 8 + len(e.data)
			_, _ = e.nested(28)
			_ = e.text()
			_, _ = e.key()
			_, _ = e.salt()
		}
		if size > len(b) || err == nil && size != len(b) {
			t.Errorf("0x%x bytes of entries in 0x%x: %v", size, len(b), err)
		}
	})
}

func FuzzBox(f *testing.F) {
	w := write(f, bitlockertest.Options{Protectors: clearKey})
	v := w.mustOpen(f)
	f.Add(w.Master, v.meta.find(roleVolumeKey, typeBox)[0].data)
	f.Fuzz(func(t *testing.T, key, box []byte) {
		if plain, ok := openBox(key, box); ok && len(plain) != len(box)-boxHeader {
			t.Errorf("%d bytes in a box of %d", len(plain), len(box))
		}
		_, _, _ = openKey(key, entry{typ: typeBox, data: box})
	})
}

func FuzzReadKeys(f *testing.F) {
	w := write(f, bitlockertest.Options{Protectors: []bitlockertest.Protector{{Kind: bitlockertest.StartupKey, VolumeID: true}}})
	f.Add(w.StartupKeys[0])
	f.Add([]byte("# one\n" + aRecovery + "\r\npassword\n" + "00112233445566778899aabbccddeeff\n"))
	f.Add([]byte("\xff\xfeB\x00i\x00t\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ReadKeys("k", b)
		if (len(list) == 0) != (err != nil) {
			t.Errorf("%d secrets, %v", len(list), err)
		}
		for _, s := range list {
			if s == nil || s.Kind() == "" {
				t.Error("no secret")
			}
		}
		if n, err := recoveryBytes(string(b)); err == nil {
			if again, err := recoveryBytes(recoveryText(n)); err != nil || !bytes.Equal(again, n) {
				t.Errorf("%x, %v, want %x", again, err, n)
			}
		}
	})
}

// FuzzOnWrite reads blocks, bitmaps and records whose checksums are right, whatever is in them.
func FuzzOnWrite(f *testing.F) {
	w := write(f, bitlockertest.Options{State: bitlockertest.OnWrite, Chunk: 1 << 16})
	r := w.OnWrite.Regions[0]
	f.Add([]byte(w.image[w.OnWrite.Blocks[0]:][:80]), []byte(w.image[r.Bitmap.Off:][:0x600]))
	f.Fuzz(func(t *testing.T, b, bitmap []byte) {
		const at, second = 4096, 72 << 10
		if len(b) < 64 || len(b) > maxEOW || len(bitmap) < 0x400 || len(bitmap) > 1<<16 {
			return
		}
		m := make([]byte, 256<<10)
		binary.LittleEndian.PutUint16(b[10:], uint16(len(b)))
		binary.LittleEndian.PutUint64(b[56:], second)
		sealed(b, 36)
		copy(m[at:], b)
		sealed(bitmap[:0x200], 56)
		if n := int(binary.LittleEndian.Uint32(bitmap[0x200+12:])); n >= 36 && n <= len(bitmap)-0x200 {
			sealed(bitmap[0x200:][:n], 32)
		}
		copy(m[second:], bitmap)
		src := mapper(t, bytes.NewReader(m))
		v := &Volume{src: src, sector: 512, meta: &block{version: 2, state: Encrypted}, boot: &bootSector{eow: true, blocks: [2]int64{at, at}}}
		base, _, err := v.conversion(src.Size())
		if err != nil {
			return
		}
		next := int64(0)
		for _, p := range base {
			if p.off != next || p.n <= 0 || p.kind == pieceRefused && p.err == nil {
				t.Fatalf("piece %+v, want one at 0x%x", p, next)
			}
			next += p.n
		}
		if next != src.Size() {
			t.Fatalf("pieces up to 0x%x", next)
		}
	})
}
