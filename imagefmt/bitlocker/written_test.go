package bitlocker

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
)

// image is a volume in memory.
type image []byte

func (m image) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

func (m image) open(t testing.TB) layer.Mapper { return mapper(t, bytes.NewReader(m)) }

// plain is a volume with the boot sector of NTFS, noise, and room for what BitLocker keeps.
func plain(size, sector int) []byte {
	b := make([]byte, size)
	copy(b, noise(12<<10, 1))
	copy(b, "\xeb\x52\x90NTFS    ")
	binary.LittleEndian.PutUint16(b[11:], uint16(sector))
	b[13] = byte(4096 / sector)
	b[510], b[511] = 0x55, 0xaa
	for at := 64 << 10; at+(96<<10) <= size; at += 256 << 10 {
		copy(b[at:], noise(32<<10, uint64(at)))
	}
	copy(b[size-8192:], noise(8192, 3))
	return b
}

const smallVolume = 1 << 20

// written is an encrypted volume with what is known of it.
type written struct {
	*bitlockertest.Volume
	image image
	plain []byte
}

func write(t testing.TB, o bitlockertest.Options) *written {
	t.Helper()
	sector := o.Sector
	if sector == 0 {
		sector = 512
	}
	w := &written{plain: plain(smallVolume, sector)}
	if o.Version == 1 { // where NTFS has its second table, which the metadata of Vista takes the place of
		binary.LittleEndian.PutUint64(w.plain[56:], 7)
	}
	w.image = make(image, len(w.plain))
	var err error
	if w.Volume, err = bitlockertest.Write(w.image, bytes.NewReader(w.plain), int64(len(w.plain)), o); err != nil {
		t.Fatal(err)
	}
	return w
}

// edit changes the copies of the metadata, all or some, and makes their checksums right.
func (w *written) edit(change func(block []byte), copies ...int) {
	if len(copies) == 0 {
		copies = []int{0, 1, 2}
	}
	for _, i := range copies {
		b := w.image[w.Metadata[i]:]
		n := len(w.Block)
		change(b[:n])
		binary.LittleEndian.PutUint32(b[n+4:], crc32.ChecksumIEEE(b[:n]))
	}
}

func (w *written) mustOpen(t testing.TB) *Volume {
	t.Helper()
	v, err := Open(w.image.open(t))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *written) mustUnlock(t testing.TB, keys ...*Secret) *Unlocked {
	t.Helper()
	u, err := w.mustOpen(t).Unlock(t.Context(), NewKeyring(keys...))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// differs says where a volume is not the plain one; ranges that cannot be read are left to the caller, by refused.
func (w *written) differs(t testing.TB, m layer.Mapper) (refused []span) {
	t.Helper()
	for off := int64(0); off < m.Size(); off += 512 {
		b := make([]byte, 512)
		if err := layer.ReadFull(m, b, off); err != nil {
			if n := len(refused); n > 0 && refused[n-1].off+refused[n-1].n == off {
				refused[n-1].n += 512
			} else {
				refused = append(refused, span{off, 512})
			}
		} else if !bytes.Equal(b, w.plain[off:][:512]) {
			t.Fatalf("sector at 0x%x: %x, want %x", off, b[:32], w.plain[off:][:32])
		}
	}
	return refused
}

var clearKey = []bitlockertest.Protector{{Kind: bitlockertest.ClearKey}}

// TestWritten reads volumes of all methods, sectors, versions and states as they were before they were encrypted.
func TestWritten(t *testing.T) {
	for name, o := range map[string]bitlockertest.Options{
		"xts 128":             {},
		"xts 256, 4096":       {Method: bitlockertest.XTS256, Sector: 4096},
		"cbc 128":             {Method: bitlockertest.CBC128},
		"cbc 256, 4096":       {Method: bitlockertest.CBC256, Sector: 4096},
		"elephant 128":        {Method: bitlockertest.CBC128Elephant},
		"elephant 256":        {Method: bitlockertest.CBC256Elephant},
		"Vista":               {Method: bitlockertest.CBC128Elephant, Version: 1},
		"to go":               {ToGo: true, Header: 128 << 10},
		"paused":              {State: bitlockertest.Paused, Offset: 300 << 10},
		"paused at the start": {State: bitlockertest.Paused},
		"Vista, paused":       {Version: 1, State: bitlockertest.Paused, Offset: 300 << 10},
		"decrypted":           {State: bitlockertest.Decrypted},
		"encrypt-on-write":    {State: bitlockertest.OnWrite, Chunk: 16 << 10},
		"the same, 4096":      {State: bitlockertest.OnWrite, Chunk: 16 << 10, Sector: 4096},
	} {
		t.Run(name, func(t *testing.T) {
			if o.State != bitlockertest.Decrypted {
				o.Protectors = clearKey
			}
			o.Description = "PC C: 11/29/2026"
			w := write(t, o)
			u := w.mustUnlock(t)
			v := u.Volume
			if len(v.Warnings)+len(u.Warnings) > 0 {
				t.Errorf("warnings %v, %v", v.Warnings, u.Warnings)
			}
			if v.ID != w.ID || v.sector != int64(w.Sector) || v.Description != o.Description && o.State != bitlockertest.Decrypted {
				t.Errorf("volume %v, sectors of %d, %q", v.ID, v.sector, v.Description)
			}
			if list := w.differs(t, u); list != nil {
				t.Errorf("not read: %x", list)
			}
			encrypted := int64(0)
			for p := int64(0); p < w.Size; p += 512 {
				if w.IsEncrypted(p) {
					encrypted += 512
				}
			}
			if v.Encrypted != encrypted {
				t.Errorf("0x%x bytes encrypted, want 0x%x: %s", v.Encrypted, encrypted, v.Progress())
			}
		})
	}
}

// TestProgress says states for people.
func TestProgress(t *testing.T) {
	for _, c := range []struct {
		want  string
		state bitlockertest.State
		edit  func(block []byte)
	}{
		{"encrypted", bitlockertest.Encrypted, nil},
		{"decrypted", bitlockertest.Decrypted, nil},
		{"encryption under way: 0.5 of 1.0 MiB are encrypted", bitlockertest.OnWrite, nil},
		{"decryption paused: 0.5 of 1.0 MiB are encrypted", bitlockertest.Paused, func(b []byte) { b[12], b[14] = 3, 1 }},
		{"encryption under way: 0.5 of 1.0 MiB are encrypted", bitlockertest.Paused, func(b []byte) { b[12], b[14] = 5, 4 }},
		{"encryption interrupted: 0.5 of 1.0 MiB are encrypted", bitlockertest.Paused, func(b []byte) { b[12], b[14] = 2, 4 }},
		{"unknown state 9", bitlockertest.Encrypted, func(b []byte) { b[12] = 9 }},
	} {
		o := bitlockertest.Options{State: c.state, Offset: smallVolume / 2, Chunk: 4096}
		w := write(t, o)
		if c.edit != nil {
			w.edit(c.edit)
		}
		if got := w.mustOpen(t).Progress(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestConversion refuses what a conversion that was interrupted leaves unknown, and nothing else.
func TestConversion(t *testing.T) {
	const half = 0x91000 // in noise
	w := write(t, bitlockertest.Options{State: bitlockertest.Paused, Offset: half, Protectors: clearKey})
	w.edit(func(b []byte) { b[12] = 2; binary.LittleEndian.PutUint32(b[24:], 4096) })
	if got := w.differs(t, w.mustUnlock(t)); len(got) != 1 || got[0] != (span{half, 4096}) {
		t.Errorf("not read: %x", got)
	}
	w.edit(func(b []byte) { b[12] = 5 }) // and so no log
	w.edit(func(b []byte) { binary.LittleEndian.PutUint64(b[16:], half+8192) }, 1)
	u := w.mustUnlock(t)
	if got := w.differs(t, u); len(got) != 1 || got[0] != (span{half, 8192}) || len(u.Volume.Warnings) != 1 {
		t.Errorf("copies that disagree: not read: %x; warnings %v", got, u.Volume.Warnings)
	}
	w = write(t, bitlockertest.Options{State: bitlockertest.OnWrite, Chunk: 16 << 10, Protectors: clearKey})
	last := w.OnWrite.Regions[len(w.OnWrite.Regions)-1]
	w.image[last.Bitmap.Off+0x200+36] ^= 1 // of one record: the other stays
	if u := w.mustUnlock(t); len(u.Volume.Warnings) > 1 {
		t.Error(u.Volume.Warnings)
	}
	w.image[last.Bitmap.Off] ^= 1
	u = w.mustUnlock(t)
	for _, s := range w.differs(t, u) {
		if s.off < last.Off || s.off+s.n > last.Off+last.Len {
			t.Errorf("not read: %x, which is not of the region %x", s, last.Range)
		}
	}
	if len(u.Volume.Warnings) == 0 || u.Volume.Encrypted >= half {
		t.Errorf("warnings %v, 0x%x encrypted", u.Volume.Warnings, u.Volume.Encrypted)
	}
}
