package bitlocker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// vectors are what is known of the samples.
type vectors struct {
	Steps []struct {
		Image string
		Paths []struct {
			BlockSHA256    string `json:"block_sha256"`
			FVEKDatum      string `json:"fvek_datum"`
			FVEKKey        string `json:"fvek_key"`
			IntegrityDatum string `json:"integrity_datum"`
			Initial        string
			Key128         string
			Kind           string
			Protector      string
			Salt           string
			Secret         string
			Stretched      string
			VMK            string
			VMKDatum       string `json:"vmk_datum"`
		}
		First8192 string `json:"first_8192_sha256"`
	}
	Images []struct {
		File, Method, Volume, SHA256 string
		Keys                         []struct{ Kind, Secret, Protector string }
	}
}

func readVectors(t testing.TB) (v vectors) {
	t.Helper()
	b, err := os.ReadFile(testenv.Shared(t, "vectors", "bitlocker.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// sampleFolder is where samples are unpacked, once for all tests.
var sampleFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "bitlocker") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := sampleFolder(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// sample opens a sample volume, unpacked.
func sample(t testing.TB, name string) layer.Mapper {
	t.Helper()
	packed := testenv.Shared(t, "data", "bitlocker", name+".xz")
	dir, err := sampleFolder()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		testenv.Unpack(t, packed, dir)
	}
	return mapper(t, testenv.Open(t, path))
}

func mapper(t testing.TB, s layer.Source) layer.Mapper {
	t.Helper()
	m, err := layer.Section(s, 0, s.Size())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// sampleSecret makes a secret of a key of the vectors.
func sampleSecret(t testing.TB, kind, secret string) *Secret {
	t.Helper()
	switch kind {
	case "recovery":
		s, err := RecoveryPassword(secret)
		if err != nil {
			t.Fatal(err)
		}
		return s
	case "startup":
		b, err := os.ReadFile(testenv.Shared(t, "data", "bitlocker", secret))
		if err != nil {
			t.Fatal(err)
		}
		list, err := ReadKeys(secret, b)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0]
	case "clear":
		return nil
	}
	return Password(secret)
}

// TestSteps makes each key on the way, as other programs have recorded it.
func TestSteps(t *testing.T) {
	for _, image := range readVectors(t).Steps {
		v, err := Open(sample(t, image.Image+".img"))
		if err != nil {
			v, err = Open(sample(t, image.Image+".bin"))
		}
		if err != nil {
			t.Fatal(image.Image, err)
		}
		for _, p := range image.Paths {
			t.Run(image.Image+"/"+p.Kind, func(t *testing.T) {
				equal := func(what string, got []byte, want string) {
					if hex.EncodeToString(got) != want {
						t.Errorf("%s %x, want %s", what, got, want)
					}
				}
				sum := sha256.Sum256(v.meta.raw)
				equal("SHA-256 of the block", sum[:], p.BlockSHA256)
				ring := NewKeyring()
				if s := sampleSecret(t, p.Kind, p.Secret); s != nil {
					ring.Add(s)
					if p.Initial != "" {
						equal("hash", s.m.hash[:], p.Initial)
					}
				}
				if p.Salt != "" {
					salt, _ := hex.DecodeString(p.Salt)
					key, err := ring.stretched(t.Context(), ring.secrets[0].m.hash, [16]byte(salt))
					if err != nil {
						t.Fatal(err)
					}
					equal("stretched key", key, p.Stretched)
				}
				if p.Key128 != "" {
					b, err := recoveryBytes(p.Secret)
					if err != nil {
						t.Fatal(err)
					}
					equal("recovery password", b, p.Key128)
				}
				o, err := v.open(t.Context(), ring, ring.material())
				if err != nil {
					t.Fatal(err)
				}
				equal("master key", o.vmk[:], p.VMK)
				if p.FVEKKey != "" {
					equal("volume key", o.key, p.FVEKKey)
				}
				if p.Protector != "" && o.protector.ID.String() != p.Protector {
					t.Errorf("protector %v, want %v", o.protector.ID, p.Protector)
				}
				u, err := v.Unlock(t.Context(), ring)
				if err != nil {
					t.Fatal(err)
				}
				first := make([]byte, 8192)
				if err := layer.ReadFull(u, first, 0); err != nil {
					t.Fatal(err)
				}
				sum = sha256.Sum256(first)
				if image.First8192 != "" {
					equal("first 8 KiB", sum[:], image.First8192)
				}
				if len(u.Warnings) > 0 {
					t.Error(u.Warnings)
				}
			})
		}
	}
}

// TestSamples decrypts every sample with every key, and holds all bytes against what other programs made of them.
func TestSamples(t *testing.T) {
	testenv.NotUnderRace(t)
	for _, image := range readVectors(t).Images {
		t.Run(image.File, func(t *testing.T) {
			v, err := Open(sample(t, image.File))
			if err != nil {
				t.Fatal(err)
			}
			if v.ID.String() != image.Volume && image.Volume != "" {
				t.Errorf("volume %v, want %v", v.ID, image.Volume)
			}
			damaged := strings.Contains(image.File, "-crc") || image.SHA256 == ""
			if (len(v.Warnings) > 0) != damaged {
				t.Errorf("warnings %v", v.Warnings)
			}
			var first []byte
			for i, k := range image.Keys {
				u, err := v.Unlock(t.Context(), NewKeyring(sampleSecret(t, k.Kind, k.Secret)))
				if image.SHA256 == "" {
					if locked := new(LockedError); err == nil || errors.As(err, &locked) || !errors.Is(err, layer.ErrCorrupt) {
						t.Errorf("error %v, want one of damage behind the lock", err)
					}
					continue
				}
				if err != nil {
					t.Fatal(k, err)
				}
				if p := u.Protector.ID.String(); k.Protector != "" && p != k.Protector || len(u.Warnings) > 0 {
					t.Errorf("%s: protector %s, want %s; warnings %v", k.Kind, p, k.Protector, u.Warnings)
				}
				start := make([]byte, 1<<20)
				if err := layer.ReadFull(u, start, 0); err != nil {
					t.Fatal(err)
				}
				if i > 0 {
					if !bytes.Equal(start, first) {
						t.Errorf("%s: other bytes than with the first key", k.Kind)
					}
					continue
				}
				first = start
				h := sha256.New()
				if err := hashReads(t.Context(), h, u); err != nil {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(h.Sum(nil)); got != image.SHA256 {
					t.Errorf("SHA-256 %s, want %s", got, image.SHA256)
				}
			}
		})
	}
}

// hashReads reads all, holes too.
func hashReads(ctx context.Context, h interface{ Write([]byte) (int, error) }, s layer.Source) error {
	b := make([]byte, 1<<20)
	for off := int64(0); off < s.Size(); off += int64(len(b)) {
		n := min(int64(len(b)), s.Size()-off)
		if err := layer.ReadFull(s, b[:n], off); err != nil {
			return fmt.Errorf("at 0x%x: %w", off, err)
		}
		if _, err := h.Write(b[:n]); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// zeroed is a volume whose first bytes are lost.
type zeroed struct {
	layer.Source
	n int64
}

func (z zeroed) ReadAt(p []byte, off int64) (int, error) {
	n, err := z.Source.ReadAt(p, off)
	if lost := layer.Clip(z.n, off, int64(n)); lost > 0 {
		clear(p[:lost])
	}
	return n, err
}

// TestLostBootSector opens volumes whose start is lost, by the metadata that is left.
func TestLostBootSector(t *testing.T) {
	for _, c := range []struct {
		file string
		lost int64
		copy int // that is given, of 3; -1 for none
	}{{"bitlk-aes-xts-128-4k.img", 8192, -1}, {"bitlk-aes-xts-128.img", 1 << 20, -1}, {"bitlk-aes-xts-128.img", 0x2800000, 2}} {
		whole := sample(t, c.file)
		intact, err := Open(whole)
		if err != nil {
			t.Fatal(err)
		}
		var at []int64
		if c.copy >= 0 {
			at = append(at, intact.meta.copies[c.copy])
		}
		v, err := Open(mapper(t, zeroed{whole, c.lost}), at...)
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		if v.ID != intact.ID || v.sector != intact.sector || len(v.Warnings) == 0 || len(v.pieces) != len(intact.pieces) {
			t.Errorf("%s: %v, sectors of %d, warnings %v", c.file, v.ID, v.sector, v.Warnings)
		}
	}
}
