package bitlocker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// TestDamage reads all of a volume whose metadata is damaged in part, and tells of it.
func TestDamage(t *testing.T) {
	onWrite := bitlockertest.Options{State: bitlockertest.OnWrite, Chunk: 16 << 10}
	vista := bitlockertest.Options{Version: 1, Method: bitlockertest.CBC128Elephant}
	for _, c := range []struct {
		name   string
		o      bitlockertest.Options
		edit   func(w *written)
		warned string // of the volume, or when it is unlocked
	}{
		{"copy 1", bitlockertest.Options{}, func(w *written) { w.image[w.Metadata[0]+99] ^= 1 }, "checksum"},
		{"copy 2", bitlockertest.Options{}, func(w *written) { w.image[w.Metadata[1]] ^= 1 }, "signature"},
		{"copy 3, size", bitlockertest.Options{}, func(w *written) { w.image[w.Metadata[2]+9] = 0xff }, "a size of"},
		{"copies 1 and 2", bitlockertest.Options{}, func(w *written) { clear(w.image[w.Metadata[0]:][:512]); clear(w.image[w.Metadata[1]:][:512]) }, "signature"},
		{"Vista, copies 1 and 2", vista, func(w *written) { clear(w.image[w.Metadata[0]:][:512]); clear(w.image[w.Metadata[1]:][:512]) }, "signature"},
		{"boot sector", bitlockertest.Options{}, func(w *written) { clear(w.image[:512]) }, "it is lost"},
		{"boot sector of Vista", vista, func(w *written) { clear(w.image[:512]); clear(w.plain[:512]) }, "nothing tells how many"},
		{"boot sector and copy 1", bitlockertest.Options{Sector: 4096}, func(w *written) { clear(w.image[:4096]); clear(w.image[w.Metadata[0]:][:512]) }, "it is lost"},
		{"GUID", bitlockertest.Options{}, func(w *written) { w.image[165] ^= 1 }, "no GUID"},
		{"GUID of encrypt-on-write", onWrite, func(w *written) { w.image[165] ^= 1 }, "no GUID"},
		{"places in the boot sector", bitlockertest.Options{}, func(w *written) { clear(w.image[176:200]) }, "names"},
		{"bytes per sector, none", bitlockertest.Options{}, func(w *written) { w.image[11], w.image[12] = 0, 0 }, ""},
		{"bytes per sector, odd", bitlockertest.Options{}, func(w *written) { w.image[11] = 1 }, "sectors of 0 bytes"},
		{"bytes per sector, others", bitlockertest.Options{}, func(w *written) { w.image[12] = 16 }, "sectors of 4096 bytes"},
		{"a changed text", bitlockertest.Options{Description: "PC C: 11/29/2026"}, func(w *written) {
			w.edit(func(b []byte) { copy(b[bytes.Index(b, []byte("P\x00C\x00")):], "M") })
		}, "it was changed"},
		{"method in the header", bitlockertest.Options{}, func(w *written) { w.edit(func(b []byte) { b[64+36] = 6 }) }, "unknown method 0x8006, but the key is for XTS-AES 128"},
		{"a copy that differs", bitlockertest.Options{}, func(w *written) { w.edit(func(b []byte) { b[64+32]++ }, 1) }, "differs"},
		{"a copy of another volume", bitlockertest.Options{}, func(w *written) { w.edit(func(b []byte) { b[64+16]++ }, 2) }, "it is of volume"},
		{"the last entry", bitlockertest.Options{}, func(w *written) {
			w.edit(func(b []byte) {
				binary.LittleEndian.PutUint32(b[64:], le.Uint32(b[64:])+4)
				binary.LittleEndian.PutUint32(b[64+12:], le.Uint32(b[64+12:])+4)
			})
		}, "not all of its entries"},
		{"the first block of encrypt-on-write", onWrite, func(w *written) { w.image[w.OnWrite.Blocks[0]+60] ^= 1 }, "wrong checksum"},
		{"the second block of encrypt-on-write", onWrite, func(w *written) { w.image[w.OnWrite.Blocks[1]] ^= 1 }, "signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Protectors = clearKey
			w := write(t, c.o)
			c.edit(w)
			u := w.mustUnlock(t)
			if got := w.differs(t, u); got != nil {
				t.Errorf("not read: %x", got)
			}
			all := fmt.Sprint(u.Volume.Warnings, u.Warnings)
			if (all == "[] []") != (c.warned == "") || !strings.Contains(all, c.warned) {
				t.Errorf("warnings %s, want %q", all, c.warned)
			}
		})
	}
}

// TestRefused gives the kinds of bad news.
func TestRefused(t *testing.T) {
	damage := func(o bitlockertest.Options, edit func(w *written)) *written {
		o.Protectors = clearKey
		w := write(t, o)
		edit(w)
		return w
	}
	three := damage(bitlockertest.Options{}, func(w *written) {
		for _, off := range w.Metadata {
			w.image[off+70] ^= 1
		}
	})
	for _, c := range []struct {
		name  string
		image image
		is    error
		want  []string
	}{
		{"nothing", nil, layer.ErrFormat, nil},
		{"a short one", make(image, 100), layer.ErrFormat, nil},
		{"NTFS", plain(smallVolume, 512), layer.ErrFormat, []string{"no boot sector of it"}},
		{"no copy", three.image, layer.ErrCorrupt, []string{"no copy of the metadata holds", fmt.Sprintf("metadata block at 0x%x: checksum", three.Metadata[0]), fmt.Sprintf("; metadata block at 0x%x: checksum", three.Metadata[2])}},
		{"cut", three.image[:three.Metadata[0]+100], layer.ErrUnknown, []string{"the file is cut"}},
		{"version 3", damage(bitlockertest.Options{}, func(w *written) { w.edit(func(b []byte) { b[10] = 3 }) }).image, layer.ErrUnsupported, []string{"version 3"}},
		{"no places", damage(bitlockertest.Options{}, func(w *written) { clear(w.image[160:200]); clear(w.image[512:]) }).image, layer.ErrCorrupt, nil},
	} {
		_, err := Open(c.image.open(t))
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", c.name, err, c.is)
		}
		for _, s := range c.want {
			if !strings.Contains(fmt.Sprint(err), s) {
				t.Errorf("%s: %v, want %q in it", c.name, err, s)
			}
		}
	}
	for name, c := range map[string]struct {
		w  *written
		is error
	}{
		"both blocks of encrypt-on-write": {damage(bitlockertest.Options{State: bitlockertest.OnWrite, Chunk: 16 << 10}, func(w *written) {
			w.image[w.OnWrite.Blocks[0]] ^= 1
			w.image[w.OnWrite.Blocks[1]] ^= 1
		}), layer.ErrCorrupt},
		"unknown state": {damage(bitlockertest.Options{}, func(w *written) { w.edit(func(b []byte) { b[12] = 7 }) }), layer.ErrUnsupported},
		"no relocated sectors": {damage(bitlockertest.Options{}, func(w *written) {
			w.edit(func(b []byte) { binary.LittleEndian.PutUint64(b[56:], 1<<40) })
		}), layer.ErrUnknown},
		"sectors of 2048": {damage(bitlockertest.Options{}, func(w *written) {
			w.image[12] = 8
			w.edit(func(b []byte) { b[28] = 4; copy(b[bytes.Index(b, []byte("\x0f\x00\x0f\x00"))+2:], "\x77") })
		}), layer.ErrUnsupported},
	} {
		v := c.w.mustOpen(t)
		u, err := v.Unlock(t.Context(), nil)
		if err == nil {
			err = layer.ReadFull(u, make([]byte, 512), 0)
		}
		if locked := new(LockedError); errors.As(err, &locked) || !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %v", name, err, c.is)
		}
		if len(v.Warnings) == 0 {
			t.Errorf("%s: no warning without a key", name)
		}
	}
	v := write(t, bitlockertest.Options{}).mustOpen(t)
	v.Method = 0x8006
	if _, err := v.mapper(&opened{key: make([]byte, 32)}); !errors.Is(err, layer.ErrUnsupported) || !strings.Contains(err.Error(), "0x8006") {
		t.Errorf("unknown method: %v", err)
	}
}

// TestLocked says what would open a volume, and of what does not open it why.
func TestLocked(t *testing.T) {
	one, two := bitlockertest.NewRecoveryPassword("one"), bitlockertest.NewRecoveryPassword("two")
	recovery := func(digits string) bitlockertest.Protector {
		return bitlockertest.Protector{Kind: bitlockertest.RecoveryPassword, Secret: digits}
	}
	startup, password := bitlockertest.Protector{Kind: bitlockertest.StartupKey}, bitlockertest.Protector{Kind: bitlockertest.Password, Secret: "right"}
	tpm, pin := bitlockertest.Protector{Kind: bitlockertest.TPM}, bitlockertest.Protector{Kind: bitlockertest.TPMAndPIN}
	other, err := RecoveryPassword(bitlockertest.NewRecoveryPassword("three"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		protectors []bitlockertest.Protector
		secrets    []*Secret
		want       string // #1 is the identifier of the first protector, @1 the start of it
	}{
		{[]bitlockertest.Protector{recovery(one), password, startup}, nil, "give a recovery password for key @1 (#1), a password, or #3.BEK"},
		{[]bitlockertest.Protector{tpm, recovery(one)}, nil, "give a recovery password for key @2 (#2)"},
		{[]bitlockertest.Protector{recovery(one), recovery(two)}, []*Secret{other}, "the recovery password is well formed, but opens none of the keys @1, @2: it belongs to another volume, or two groups are exchanged; give a recovery password for key @1 (#1) or @2 (#2)"},
		{[]bitlockertest.Protector{recovery(one), password}, []*Secret{Password("123456")}, "the password opens no protector; a PIN of Windows is not a BitLocker password; give a recovery password for key @1 (#1), or a password"},
		{[]bitlockertest.Protector{password}, []*Secret{other, Password("a"), Password("b"), rawKey(make([]byte, 32))}, "the recovery password is well formed, but opens nothing: the volume has no key for one; the password and the key of 32 bytes open no protector; give a password"},
		{[]bitlockertest.Protector{tpm}, nil, "only TPM protectors: this image cannot be opened without its computer"},
		{[]bitlockertest.Protector{tpm, pin}, []*Secret{Password("a")}, "the password opens no protector; only TPM and TPM and PIN protectors: this image cannot be opened without its computer"},
		{nil, nil, "no protector is left, and only a key of the volume opens it"},
	} {
		w := write(t, bitlockertest.Options{Protectors: c.protectors})
		want := "BitLocker, locked: " + c.want
		for i, id := range w.Protectors {
			want = strings.ReplaceAll(want, fmt.Sprint("#", i+1), strings.ToUpper(id.String()))
			want = strings.ReplaceAll(want, fmt.Sprint("@", i+1), short(id))
		}
		_, err := w.mustOpen(t).Unlock(t.Context(), NewKeyring(c.secrets...))
		locked := new(LockedError)
		if !errors.As(err, &locked) || !errors.Is(err, layer.ErrUnsupported) || errors.Is(err, layer.ErrCorrupt) || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if len(locked.Tried) != len(c.secrets) {
			t.Errorf("tried %q", locked.Tried)
		}
	}
}

// TestDamagedBox opens nothing with the right password where the box is damaged, and says what a wrong password says.
func TestDamagedBox(t *testing.T) {
	w := write(t, bitlockertest.Options{Protectors: []bitlockertest.Protector{{Kind: bitlockertest.Password, Secret: "right"}}})
	unlock := func(password string) error {
		_, err := w.mustOpen(t).Unlock(t.Context(), NewKeyring(Password(password)))
		return err
	}
	wrong := unlock("wrong")
	if err := unlock("right"); err != nil {
		t.Fatal(err)
	}
	v := w.mustOpen(t)
	list := v.protectors[0].entries
	box := list[len(list)-1]
	if box.typ != typeBox {
		t.Fatalf("the last entry is of type %d", box.typ)
	}
	for _, at := range []int64{0, 12, 20, 28, int64(len(box.data)) - 1} {
		w.edit(func(b []byte) { b[box.off-v.meta.off+8+at] ^= 1 })
		if err := unlock("right"); err == nil || err.Error() != wrong.Error() {
			t.Errorf("byte %d of the box: %v, want %v", at, err, wrong)
		}
		w.edit(func(b []byte) { b[box.off-v.meta.off+8+at] ^= 1 })
	}
}

// mutations is how many there are of each volume: more were run once.
const mutations = 300

// TestMutations flips bytes of all that is metadata. What is read then is what was encrypted, or it is told that something
// was changed.
func TestMutations(t *testing.T) {
	for name, o := range map[string]bitlockertest.Options{
		"normal":           {Description: "PC"},
		"Vista":            {Version: 1},
		"paused":           {State: bitlockertest.Paused, Offset: 300 << 10},
		"encrypt-on-write": {State: bitlockertest.OnWrite, Chunk: 16 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			o.Protectors = clearKey
			w := write(t, o)
			intact := bytes.Clone(w.image)
			places := []span{{0, 512}}
			for _, off := range w.Metadata {
				places = append(places, span{off, int64(len(w.Block)) + 120})
			}
			if o.State == bitlockertest.OnWrite {
				places = append(places, span{w.OnWrite.Blocks[0], 100}, span{w.OnWrite.Blocks[1], 100})
				for _, r := range w.OnWrite.Regions {
					places = append(places, span{r.Bitmap.Off, r.Bitmap.Len})
				}
			}
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			var before, after runtime.MemStats
			for i := range mutations {
				copy(w.image, intact)
				sealed := i%2 == 0
				if sealed { // by who knows the format
					at, by := r.IntN(len(w.Block)), byte(1<<r.IntN(8))
					w.edit(func(b []byte) { b[at] ^= by })
				} else {
					for range 1 + r.IntN(3) {
						p := places[r.IntN(len(places))]
						w.image[p.off+r.Int64N(p.n)] ^= byte(1 << r.IntN(8))
					}
				}
				runtime.ReadMemStats(&before)
				w.mutated(t, i)
				runtime.ReadMemStats(&after)
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
					t.Errorf("mutation %d: 0x%x bytes were allocated", i, grown)
				}
			}
		})
	}
}

func (w *written) mutated(t *testing.T, i int) {
	v, err := Open(w.image.open(t))
	if err != nil {
		if !errors.Is(err, layer.ErrCorrupt) && !errors.Is(err, layer.ErrUnsupported) && !errors.Is(err, layer.ErrUnknown) {
			t.Errorf("mutation %d: %v", i, err)
		}
		return
	}
	u, err := v.Unlock(t.Context(), nil)
	if err != nil {
		if err.Error() == "" {
			t.Errorf("mutation %d: an error without a text", i)
		}
		return
	}
	b := make([]byte, 4096)
	start := int64(0)
	if v.Version == 1 {
		start = 4096 // what is read of the boot sector is what it holds, and nothing else holds it
	}
	for off := start; off < u.Size(); off += int64(len(b)) {
		if layer.ReadFull(u, b, off) == nil && !bytes.Equal(b, w.plain[off:][:len(b)]) && len(v.Warnings)+len(u.Warnings) == 0 {
			t.Errorf("mutation %d: other bytes at 0x%x, and nothing is told", i, off)
			return
		}
	}
}

// TestFind recognises metadata on a disk.
func TestFind(t *testing.T) {
	w := write(t, bitlockertest.Options{})
	disk := bytes.NewReader(append(make([]byte, 12345*512), w.image...))
	for _, off := range w.Metadata {
		f, err := Find(disk, 12345*512+off)
		if err != nil || f.Copies != w.Metadata || f.Size != w.Size || f.Volume != w.ID {
			t.Errorf("%+v, %v", f, err)
		}
	}
	if f, err := Find(disk, 12345*512); err == nil || f.Volume != (wintype.GUID{}) {
		t.Errorf("%+v, %v", f, err)
	}
}
