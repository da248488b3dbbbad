package bitlockertest_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
)

const plainSize = 16 << 20

// plain is a volume that holds numbers, and zeros in every second MiB.
func plain() []byte {
	b := make([]byte, plainSize)
	for at := 0; at < len(b); at += 8 {
		if at>>20&1 == 0 {
			binary.LittleEndian.PutUint64(b[at:], uint64(at)+1)
		}
	}
	return b
}

// TestStates has a volume in each state: where it is not encrypted it is as it was, and elsewhere it is not, but for what
// is told to be metadata, which lies in zeros.
func TestStates(t *testing.T) {
	want := plain()
	for name, o := range map[string]bitlockertest.Options{
		"encrypted":         {},
		"version 1":         {Version: 1},
		"paused":            {State: bitlockertest.Paused, Offset: 6 << 20},
		"paused, version 1": {State: bitlockertest.Paused, Offset: 6 << 20, Version: 1},
		"decrypted":         {State: bitlockertest.Decrypted},
		"on write":          {State: bitlockertest.OnWrite, Chunk: 64 << 10},
		"on write, 4096":    {State: bitlockertest.OnWrite, Chunk: 64 << 10, Sector: 4096, Method: bitlockertest.CBC256Elephant},
		"on a stick":        {ToGo: true, Header: 512 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			image, again := make(memory, plainSize), make(memory, plainSize)
			v, err := bitlockertest.Write(image, bytes.NewReader(want), plainSize, o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bitlockertest.Write(again, bytes.NewReader(want), plainSize, o); err != nil || !bytes.Equal(image, again) {
				t.Errorf("the same once more: %v, or other bytes", err)
			}
			meta := []bitlockertest.Range{{Off: 0, Len: 8192}, v.Header}
			for _, off := range v.Metadata {
				meta = append(meta, bitlockertest.Range{Off: off, Len: v.Reserved})
				if string(image[off:][:8]) != "-FVE-FS-" || !bytes.Equal(image[off:][:len(v.Block)], v.Block) {
					t.Errorf("no metadata at 0x%x", off)
				}
			}
			for _, off := range v.OnWrite.Blocks {
				if off > 0 {
					meta = append(meta, bitlockertest.Range{Off: off, Len: 4096})
				}
			}
			for _, r := range v.OnWrite.Regions {
				meta = append(meta, bitlockertest.Range{Off: r.Bitmap.Off, Len: 4096}, r.Log)
				head := image[r.Bitmap.Off:][:0x200]
				if sum := crc32.ChecksumIEEE(append(bytes.Clone(head[:56]), append(make([]byte, 4), head[60:]...)...)); sum != binary.LittleEndian.Uint32(head[56:]) {
					t.Errorf("bitmap at 0x%x: a checksum of 0x%x", r.Bitmap.Off, sum)
				}
			}
			for i, r := range meta {
				if i > 0 && len(bytes.Trim(want[r.Off:][:r.Len], "\x00")) > 0 {
					t.Errorf("0x%x bytes at 0x%x of metadata lie over something", r.Len, r.Off)
				}
				for _, other := range meta[:i] {
					if r.Off < other.Off+other.Len && other.Off < r.Off+r.Len {
						t.Errorf("metadata at 0x%x and 0x%x", r.Off, other.Off)
					}
				}
			}
			encrypted := 0
			for at := int64(0); at < plainSize; at += int64(v.Sector) {
				isMeta := false
				for _, r := range meta {
					isMeta = isMeta || at >= r.Off && at < r.Off+r.Len
				}
				equal := bytes.Equal(image[at:][:v.Sector], want[at:][:v.Sector])
				if !isMeta && equal == v.IsEncrypted(at) {
					t.Fatalf("the sector at 0x%x is as it was: %v", at, equal)
				}
				if !equal {
					encrypted++
				}
			}
			if all := plainSize / v.Sector; o.State == bitlockertest.OnWrite && (encrypted < all/4 || encrypted > all*3/4) {
				t.Errorf("%d of %d sectors are encrypted", encrypted, all)
			}
		})
	}
}

// TestRefuses has what cannot be written.
func TestRefuses(t *testing.T) {
	for name, o := range map[string]bitlockertest.Options{
		"method":     {Method: 0x8006},
		"sector":     {Sector: 1024},
		"version":    {Version: 3},
		"chunks":     {State: bitlockertest.OnWrite, Chunk: 1000},
		"offset":     {State: bitlockertest.Paused, Offset: 100},
		"kind":       {Protectors: []bitlockertest.Protector{{Kind: 0x4000}}},
		"digits":     {Protectors: []bitlockertest.Protector{{Kind: bitlockertest.RecoveryPassword, Secret: "123456"}}},
		"protectors": {State: bitlockertest.Decrypted, Protectors: []bitlockertest.Protector{{}}},
		"no room":    {Header: 8 << 20},
	} {
		if _, err := bitlockertest.Write(make(memory, plainSize), bytes.NewReader(plain()), plainSize, o); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if _, err := bitlockertest.Write(make(memory, 1<<20), bytes.NewReader(make([]byte, 1<<20)), 1000, bitlockertest.Options{}); err == nil {
		t.Error("a part of a sector: written")
	}
}
