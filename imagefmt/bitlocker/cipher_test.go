package bitlocker

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

var methods = []Method{methodCBC128Elephant, methodCBC256Elephant, methodCBC128, methodCBC256, methodXTS128, methodXTS256}

// noise is n bytes that depend on the seed.
func noise(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(b) // cannot fail
	return b
}

// TestCiphers decrypts what another implementation encrypted.
func TestCiphers(t *testing.T) {
	for _, method := range methods {
		for _, sector := range []int{512, 4096} {
			t.Run(fmt.Sprintf("%#x/%d", uint16(method), sector), func(t *testing.T) {
				key := noise(bitlockertest.KeySize(uint16(method)), uint64(method))
				encrypt, err := bitlockertest.NewEncrypter(uint16(method), key)
				if err != nil {
					t.Fatal(err)
				}
				c, err := newSectorCipher(method, key, sector)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range []int64{0, 4096, 1<<32 - 4096, 5 << 40} {
					want := noise(4*maxSector, uint64(p)+7)
					b := bytes.Clone(want)
					for at := 0; at < len(b); at += sector {
						encrypt(b[at:][:sector], p+int64(at))
					}
					c.decrypt(b, new(scratch), p)
					if !bytes.Equal(b, want) {
						t.Errorf("sectors at 0x%x decrypt to other bytes", p)
					}
				}
			})
		}
	}
}

// TestCipherRefuses has methods and keys that are none.
func TestCipherRefuses(t *testing.T) {
	for _, c := range []struct {
		method      Method
		key, sector int
		unsupported bool
	}{{0x8006, 32, 512, true}, {0, 0, 512, true}, {0x7fff, 64, 512, true}, {methodXTS128, 32, 1024, true}, {methodXTS128, 64, 512, false}, {methodCBC128, 32, 512, false}} {
		_, err := newSectorCipher(c.method, make([]byte, c.key), c.sector)
		if err == nil || errors.Is(err, layer.ErrUnsupported) != c.unsupported {
			t.Errorf("method 0x%x, %d bytes, sectors of %d: %v", uint16(c.method), c.key, c.sector, err)
		}
		if c.unsupported && c.sector == 512 && !bytes.Contains([]byte(err.Error()), []byte(fmt.Sprintf("0x%04x", uint16(c.method)))) {
			t.Errorf("%v: does not say which method", err)
		}
	}
}

// TestRealSectors decrypts the first 8 KiB of volumes that Windows encrypted, by keys that other programs found.
func TestRealSectors(t *testing.T) {
	b, err := os.ReadFile(testenv.Shared(t, "vectors", "bitlocker.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Steps []struct {
			Image string
			Paths []struct {
				Datum string `json:"fvek_datum"`
			}
			Sectors map[string]string
			First   string `json:"first_8192_sha256"`
		}
	}
	if err := json.Unmarshal(b, &vectors); err != nil || len(vectors.Steps) == 0 {
		t.Fatal(err, "no vectors")
	}
	le := binary.LittleEndian
	for _, step := range vectors.Steps {
		t.Run(step.Image, func(t *testing.T) {
			image := testenv.Run(t, testenv.Peer(t, "xz"), "-dc", testenv.Shared(t, "data", "bitlocker", step.Image+".img.xz"))
			datum, err := hex.DecodeString(step.Paths[0].Datum)
			if err != nil {
				t.Fatal(err)
			}
			c, err := newSectorCipher(Method(le.Uint16(datum[8:])), datum[12:], int(le.Uint16(image[11:])))
			if err != nil {
				t.Fatal(err)
			}
			moved := le.Uint64(image[le.Uint64(image[176:])+56:])
			first := image[moved:][:8192]
			c.decrypt(first, new(scratch), int64(moved))
			if sum := sha256.Sum256(first); hex.EncodeToString(sum[:]) != step.First {
				t.Errorf("the first 8 KiB have the sha256 %x, want %s", sum, step.First)
			}
			for number, want := range step.Sectors {
				n, _ := strconv.Atoi(number)
				if got := hex.EncodeToString(first[512*n:][:512]); got != want {
					t.Errorf("sector %d is %s, want %s", n, got, want)
				}
			}
		})
	}
}
