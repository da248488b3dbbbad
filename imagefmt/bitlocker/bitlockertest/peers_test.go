package bitlockertest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer/testenv"
)

// memory is a volume in memory.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

// ntfs is a volume of NTFS with noise in free clusters, and runs of zeros.
func ntfs(t testing.TB, size int64, sector int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plain.img")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-s", fmt.Sprint(sector), "-c", "4096", "-p", "0", "-H", "255", "-S", "63", path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	noise := rand.NewChaCha8([32]byte{1})
	for at := size / 16; at+400<<10 < size; at += 1 << 20 {
		part := b[at:][:400<<10]
		if len(bytes.Trim(part, "\x00")) == 0 {
			_, _ = noise.Read(part) // cannot fail
		}
	}
	return b
}

// dislocker returns what the peer decrypts.
func dislocker(t *testing.T, image string, options ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.img")
	args := append([]string{"-V", image}, options...)
	cmd := exec.Command(testenv.Peer(t, "dislocker-file"), append(args, "--", out)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd, err, said)
		return nil
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Error(err)
	}
	return b
}

// libbde returns what the peer shows.
func libbde(t *testing.T, image string, options ...string) []byte {
	t.Helper()
	program := testenv.Peer(t, "bdemount")
	if _, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: no FUSE here: %v", err)
	}
	point := t.TempDir()
	cmd := exec.Command(program, append(options, image, point)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %v\n%s", cmd, err, said)
		return nil
	}
	defer testenv.Run(t, "umount", point)
	b, err := os.ReadFile(filepath.Join(point, "bde1"))
	if err != nil {
		t.Error(err)
	}
	return b
}

// secrets of the protectors of TestPeers, and how the peers take them.
var (
	recovery   = bitlockertest.NewRecoveryPassword("peers")
	protectors = []bitlockertest.Protector{
		{Kind: bitlockertest.TPM},
		{Kind: bitlockertest.RecoveryPassword, Secret: recovery},
		{Kind: bitlockertest.Password, Secret: "snap mount"},
		{Kind: bitlockertest.StartupKey},
	}
)

// TestPeers has what is written read by the programs of others, where these are right.
func TestPeers(t *testing.T) {
	testenv.NotUnderRace(t)
	const size = 24 << 20
	plain := map[int][]byte{512: ntfs(t, size, 512), 4096: ntfs(t, size, 4096)}
	type test struct {
		name              string
		opts              bitlockertest.Options
		dislocker, libbde func(want []byte) []byte // what they give; nil for nothing
	}
	same := func(b []byte) []byte { return b }
	var tests []test
	for method := uint16(bitlockertest.CBC128Elephant); method <= bitlockertest.XTS256; method++ {
		one := test{name: fmt.Sprintf("%#x", method), opts: bitlockertest.Options{Method: method}, dislocker: same, libbde: same}
		if method == bitlockertest.XTS256 {
			one.libbde = nil // it takes the key apart elsewhere
		}
		tests = append(tests, one)
		one.name, one.opts.Sector = one.name+" in sectors of 4096", 4096
		tests = append(tests, one)
	}
	tests = append(tests,
		test{"256 KiB moved", bitlockertest.Options{Header: 256 << 10}, same, same},
		test{"paused", bitlockertest.Options{State: bitlockertest.Paused, Offset: 5 << 20},
			func(b []byte) []byte { return b[:5<<20] },       // as if that was the size
			func(b []byte) []byte { return b[:len(b)-512] }}, // the size that NTFS tells of itself
		test{"version 1", bitlockertest.Options{Version: 1, Method: bitlockertest.CBC256Elephant, Offset: size}, // of 0 dislocker makes the size
			func(b []byte) []byte { // and leaves where the metadata is in place of where $MFTMirr is
				b = bytes.Clone(b)
				copy(b[56:], []byte{0x34, 0x07})
				return b
			}, nil}, // libbde takes the number of a cluster for the offset of the header
	)
	for i, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Protectors, c.opts.Seed, c.opts.Description = protectors, c.name, "SNAPTEST D: 11/29/2026"
			want := plain[max(512, c.opts.Sector)]
			image := make(memory, size)
			v, err := bitlockertest.Write(image, bytes.NewReader(want), size, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			path, bek := filepath.Join(dir, "volume.img"), filepath.Join(dir, strings.ToUpper(v.Protectors[3].String())+".BEK")
			if err := errors.Join(os.WriteFile(path, image, 0o600), os.WriteFile(bek, v.StartupKeys[0], 0o600)); err != nil {
				t.Fatal(err)
			}
			secrets := []struct{ name, dislocker, libbde, value string }{{"recovery password", "-p", "-r", recovery}, {"password", "-u", "-p", "snap mount"}, {"startup key", "-f", "-s", bek}}
			for j, secret := range secrets {
				if i > 0 && i%3 != j {
					continue // it takes a second each
				}
				if c.dislocker != nil {
					compare(t, "dislocker, "+secret.name, dislocker(t, path, secret.dislocker+secret.value), c.dislocker(want))
				}
				if c.libbde != nil {
					compare(t, "libbde, "+secret.name, libbde(t, path, secret.libbde, secret.value), c.libbde(want))
				}
			}
		})
	}
}

func compare(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("%s: 0x%x bytes, want 0x%x, the first other one is at 0x%x", name, len(got), len(want), i)
}

// TestInfo has libbde tell what is in the metadata.
func TestInfo(t *testing.T) {
	program := testenv.Peer(t, "bdeinfo")
	const size = 16 << 20
	image := make(memory, size)
	o := bitlockertest.Options{Method: bitlockertest.CBC256Elephant, Protectors: protectors, Description: "SNAPTEST D: 11/29/2026"}
	v, err := bitlockertest.Write(image, bytes.NewReader(ntfs(t, size, 512)), size, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	said := string(testenv.Run(t, program, "-r", recovery, path))
	for _, want := range []string{v.ID.String(), "AES-CBC 256-bit with Diffuser", "SNAPTEST D: 11/29/2026", "Recovery password", "Startup key", "Password", "TPM",
		v.Protectors[0].String(), v.Protectors[1].String(), v.Protectors[2].String(), v.Protectors[3].String()} {
		if !strings.Contains(said, want) {
			t.Errorf("bdeinfo does not print %q:\n%s", want, said)
		}
	}
}
