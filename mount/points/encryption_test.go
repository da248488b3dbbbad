package points_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"sync/atomic"
)

// encryptedDemo is the demo disk with both volumes encrypted, each with a startup key of its own.
func encryptedDemo(t *testing.T) (image string, keys []*bitlocker.Secret) {
	t.Helper()
	s := open(t, demo(t))
	image = filepath.Join(t.TempDir(), "encrypted.raw")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	disk := s.Images[0].Disk
	if _, err := io.Copy(f, io.NewSectionReader(disk, 0, disk.Size())); err != nil {
		t.Fatal(err)
	}
	for _, v := range s.Volumes {
		keys = append(keys, encrypt(t, io.NewOffsetWriter(f, v.Partition.Off), v, bitlockertest.Options{Seed: v.Name, Description: "HOST " + v.Label + " \x1b[31m",
			Protectors: []bitlockertest.Protector{{Kind: bitlockertest.TPM}, {Kind: bitlockertest.StartupKey}}})...)
	}
	return image, keys
}

// encrypt writes a volume encrypted, and returns its startup keys.
func encrypt(t *testing.T, to io.WriterAt, v *points.Volume, opts bitlockertest.Options) (keys []*bitlocker.Secret) {
	t.Helper()
	made, err := bitlockertest.Write(to, v.Block, v.Block.Size(), opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range made.StartupKeys {
		key, err := bitlocker.ReadKeys("key", b)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key...)
	}
	return keys
}

func openWith(t *testing.T, opts points.Options, paths ...string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), paths, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestLocked has both volumes of a disk locked, then one, which keeps the snapshots of the other, and then none.
func TestLocked(t *testing.T) {
	image, keys := encryptedDemo(t)
	want := manifest(t)
	isLocked := func(s *points.Set, what string, err error) {
		t.Helper()
		var locked *bitlocker.LockedError
		if !errors.As(err, &locked) || !errors.Is(err, layer.ErrUnsupported) || errors.Is(err, layer.ErrCorrupt) || !strings.Contains(err.Error(), "p1: BitLocker, locked: ") || !strings.Contains(err.Error(), "give B604CF45-60E3-030D-88FC-094248976E02.BEK") || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := open(t, image)
	_, noNTFS := s.NTFS()
	isLocked(s, "NTFS", noNTFS)
	isLocked(s, "Readable", s.Readable())
	for _, rest := range []string{":/Letters", ":p1:/Letters/offer.txt", ":p1@vss1", ":p1@latest:/x", ":p1@2026:/x"} {
		t1, err := s.Resolve(s.Images[0], rest)
		if err == nil {
			_, _, err = t1.Point.Find(t.Context(), t1.Path, true)
		}
		isLocked(s, rest, err)
	}
	p1, err := s.Resolve(s.Images[0], ":p1")
	if err != nil || p1.Volume.Filesystem != "bitlocker" || p1.Volume.Missing() != nil || len(s.Unopened(s.Images[0])) != 2 || !s.Unopened(s.Images[0])[0].Locked {
		t.Fatalf("p1: %v, %+v", err, p1.Volume)
	}
	_, err = p1.Point.Image()
	isLocked(s, "Image", err)

	s = openWith(t, points.Options{Keys: bitlocker.NewKeyring(keys[1])}, image)
	archive := s.Volumes[1]
	if archive.Label != "Archive" || len(archive.Snapshots()) != 2 || s.Readable() != nil || archive.Name != "p2-Archive" {
		t.Fatalf("%s has %d snapshots, and %v", archive.Name, len(archive.Snapshots()), s.Readable())
	}
	if got := contents(t, archive.Current()); !maps.Equal(got, want["Archive"]["current"]) {
		t.Errorf("current: %v", got)
	}
	for _, p := range archive.Snapshots() {
		var locked *bitlocker.LockedError
		if err := p.Snapshot.Damage; !errors.As(err, &locked) || !strings.Contains(err.Error(), "it may be p1, locked by BitLocker") {
			t.Errorf("%s: %v", p.Name, err)
		}
		if area := s.DiffArea(p); !strings.Contains(area, "locked") {
			t.Errorf("diff area: %s", area)
		}
	}

	asked := 0
	s = openWith(t, points.Options{Keys: bitlocker.NewKeyring(keys[1]), AskKey: func(volume string, locked *bitlocker.LockedError) *bitlocker.Secret {
		if asked++; volume != "p1" || len(locked.Volume.Protectors) != 2 {
			t.Errorf("asked for %s", volume)
		}
		return map[int]*bitlocker.Secret{1: keys[1], 2: keys[0]}[asked]
	}}, image)
	if asked != 2 || len(s.Warnings()) > 0 {
		t.Errorf("asked %d times, warned %q", asked, s.Warnings())
	}
	for _, v := range s.Volumes {
		if v.Encryption == nil || v.Encryption.Unlocked == nil || v.Filesystem != "ntfs" || len(v.Faults()) > 0 {
			t.Errorf("%s: %+v, faults %v", v.Name, v.Encryption, v.Faults())
		}
		for i, p := range v.Points {
			name := "current"
			if p.Snapshot != nil {
				name = fmt.Sprintf("vss%d", i)
			}
			if got := contents(t, p); !maps.Equal(got, want[v.Label][name]) || len(got) == 0 {
				t.Errorf("%s@%s: %d files differ from %d", v.Name, name, len(got), len(want[v.Label][name]))
			}
		}
	}
}

// TestSeveralStates has volumes whose metadata is torn or lost, that are suspended, and of another file system.
func TestSeveralStates(t *testing.T) {
	sample := func(t *testing.T, name string) string {
		b := testenv.Run(t, "xz", "-dkc", testenv.Shared(t, "data", "bitlocker", name))
		image := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(image, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return image
	}
	key := func(t *testing.T, file string) *bitlocker.Keyring {
		b, err := os.ReadFile(testenv.Shared(t, "data", "bitlocker", file))
		if err != nil {
			t.Fatal(err)
		}
		list, err := bitlocker.ReadKeys(file, b)
		if err != nil {
			t.Fatal(err)
		}
		return bitlocker.NewKeyring(list...)
	}
	t.Run("files", func(t *testing.T) {
		v := openWith(t, points.Options{Keys: key(t, "syn-xts256.BEK")}, sample(t, "syn-xts256.img.xz")).Volumes[0]
		got := contents(t, v.Current())
		for name, want := range map[string]string{
			"small.txt":  "a0d5fc6234312ae235699156cfda0cc1b49b5b63b9cad1b4535febbca197ad76",
			"medium.bin": "1fd57649119de245c2d73d751d4cce9e75da3cb9fb0c1f1e0dc3a64d8f9ac174",
			"large.bin":  "c252589b3c3b280f4c90e132f526cc9d9d15fa3994c4488378b398c85b80af75",
		} {
			if got[name] != want {
				t.Errorf("%s: %s, want %s", name, got[name], want)
			}
		}
		if u := v.Encryption.Unlocked; !strings.HasPrefix(u.Secret, "startup key") || u.Protector.Short() != "28B7B493" {
			t.Errorf("opened by %s, %s", u.Secret, u.Protector.Short())
		}
		image, err := v.Current().Image()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(image, 0, image.Size())); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%x", sum.Sum(nil)), "42a0f4f7c6f2316dbbb707f7b8e3a82534126b24a4a00eb29a54dabccb46b31e"; got != want {
			t.Errorf("volume: %s, want %s", got, want)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		v := open(t, sample(t, "bitlk-aes-xts-128-clearkey-only.img.xz")).Volumes[0]
		if v.Locked() != nil || v.Filesystem != "ntfs" || v.Encryption.Unlocked.Secret != "clear key" {
			t.Errorf("%v, %s, %+v", v.Locked(), v.Filesystem, v.Encryption)
		}
	})
	t.Run("copies of the metadata", func(t *testing.T) {
		image := sample(t, "bitlk-aes-xts-128-crc.img.xz")
		v := open(t, image).Volumes[0]
		if faults := v.Faults(); len(faults) != 2 || !errors.Is(faults[0], layer.ErrCorrupt) || v.Encryption.Volume == nil {
			t.Errorf("faults %v", faults)
		}
		last := v.Encryption.Volume
		f, err := os.OpenFile(image, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		disk := open(t, image).Images[0].Disk
		for off := int64(512); off < disk.Size(); off += 512 {
			b := make([]byte, 512)
			if err := layer.ReadFull(disk, b, off); err != nil {
				t.Fatal(err)
			}
			if bitlocker.IsMetadata(b) {
				if _, err := f.WriteAt(make([]byte, 512), off); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := open(t, image)
		if err := s.Readable(); !errors.Is(err, layer.ErrCorrupt) || errors.Is(err, points.ErrNoNTFS) || !strings.Contains(err.Error(), "metadata") || len(last.Protectors) != 2 {
			t.Errorf("no copy left: %v", err)
		}
		if list := s.Unopened(s.Images[0]); len(list) != 1 || list[0].Locked {
			t.Errorf("no copy left: %v", list)
		}
	})
}

// TestBootSectorLost has the boot sectors of two encrypted volumes lost, which the table still leads to.
func TestBootSectorLost(t *testing.T) {
	image, keys := encryptedDemo(t)
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range open(t, image).Volumes {
		if _, err := f.WriteAt(make([]byte, 512), v.Partition.Off); err != nil {
			t.Fatal(err)
		}
	}
	defer f.Close()
	s := openWith(t, points.Options{Keys: bitlocker.NewKeyring(keys...)}, image)
	want := manifest(t)
	for i, v := range s.Volumes {
		if got := contents(t, v.Current()); !maps.Equal(got, want[v.Label]["current"]) || len(got) == 0 || v.Encryption == nil {
			t.Errorf("%s: %d files", v.Name, len(got))
		}
		bare := filepath.Join(t.TempDir(), "bare.img") // which no table tells of
		b, err := io.ReadAll(io.NewSectionReader(f, v.Partition.Off, v.Partition.Len))
		if err = errors.Join(err, os.WriteFile(bare, b, 0o600)); err != nil {
			t.Fatal(err)
		}
		alone := openWith(t, points.Options{Keys: bitlocker.NewKeyring(keys...)}, bare).Volumes
		if len(alone) != 1 {
			t.Fatalf("%s alone: %d volumes", v.Name, len(alone))
		}
		if got := contents(t, alone[0].Current()); i == 0 && !maps.Equal(got, want[v.Label]["current"]) || len(got) == 0 || alone[0].Encryption == nil {
			t.Errorf("%s alone: %d files", v.Name, len(got))
		}
	}
}

// TestEncryptedVectors encrypts a volume with snapshots that Windows made: both have the files that others see in them.
func TestEncryptedVectors(t *testing.T) {
	plain := open(t, testenv.Shared(t, "data", "vsstest.qcow2")).Volumes[0]
	image := filepath.Join(t.TempDir(), "volume")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	keys := encrypt(t, f, plain, bitlockertest.Options{Method: bitlockertest.CBC256, Protectors: []bitlockertest.Protector{{Kind: bitlockertest.StartupKey}}})
	v := openWith(t, points.Options{Keys: bitlocker.NewKeyring(keys...)}, image).Volumes[0]
	want := readVectors(t, "vsstest.json")
	if len(v.Snapshots()) != 2 || len(want.Snapshots) != 2 {
		t.Fatalf("%d snapshots", len(v.Snapshots()))
	}
	for i, w := range want.Snapshots {
		if n := compareVectors(t, v.Snapshots()[i], w.Files); n < 10 {
			t.Errorf("only %d contents compared", n)
		}
	}
}

// counted is a leaf that counts what is read of it.
type counted struct {
	io.ReaderAt
	size  int64
	bytes atomic.Int64
}

func (c *counted) Size() int64 { return c.size }

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.ReaderAt.ReadAt(p, off)
}

// TestDecryptedOnce walks all points of a volume with snapshots, and compares each file with that of the next point: of an
// encrypted volume no more is read than of the plain one, so what both points have is neither read nor decrypted twice.
func TestDecryptedOnce(t *testing.T) {
	image, keys := encryptedDemo(t)
	source := open(t, demo(t)).Volumes[0]
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	walk := func(base *counted, block layer.Mapper) (opened, compared int64, files int) {
		vss, err := diffstore.Open(block, diffstore.Options{Context: t.Context()})
		if err != nil {
			t.Fatal(err)
		}
		cache := ntfs.NewCache(0)
		var trees []*ntfs.Tree
		views := []layer.Mapper{block}
		for _, s := range vss.Snapshots() {
			view, err := s.Open()
			if err != nil {
				t.Fatal(err)
			}
			views = append(views, view)
		}
		for _, view := range views {
			tree, err := ntfs.Open(view, ntfs.Options{Cache: cache})
			if err != nil {
				t.Fatal(err)
			}
			trees = append(trees, tree)
			for number := uint64(0); number < tree.Records(); number++ {
				n, err := tree.NodeByNumber(number)
				if err != nil || number < 24 {
					continue
				}
				for range n.Entries() {
				}
				if m, err := n.Stream(""); err == nil { // what is unpacked is kept from one read to the next
					for off := int64(0); off < m.Size(); off += 512 {
						_, _ = m.ReadAt(make([]byte, 512), off)
					}
				}
			}
		}
		opened = base.bytes.Load()
		for i, tree := range trees[1:] {
			for number := uint64(0); number < tree.Records(); number++ {
				n, err := tree.NodeByNumber(number)
				if err != nil {
					continue
				}
				m, err2 := trees[i].Node(n.Ref)
				if err2 != nil {
					continue
				}
				a, err := n.Stream("")
				b, err2 := m.Stream("")
				if err != nil || err2 != nil {
					continue
				}
				files++
				for range ntfs.Differ(t.Context(), a, b) {
				}
			}
		}
		return opened, base.bytes.Load() - opened, files
	}
	part := source.Partition
	base := &counted{ReaderAt: io.NewSectionReader(source.Image.Disk, part.Off, part.Len), size: part.Len}
	section, err := layer.Section(base, 0, part.Len)
	if err != nil {
		t.Fatal(err)
	}
	opened, compared, files := walk(base, section)
	sealed := &counted{ReaderAt: io.NewSectionReader(f, part.Off, part.Len), size: part.Len}
	if section, err = layer.Section(sealed, 0, part.Len); err != nil {
		t.Fatal(err)
	}
	v, err := bitlocker.Open(section)
	if err != nil {
		t.Fatal(err)
	}
	u, err := v.Unlock(t.Context(), bitlocker.NewKeyring(keys...))
	if err != nil {
		t.Fatal(err)
	}
	sealed.bytes.Store(0)
	opened2, compared2, files2 := walk(sealed, u)
	t.Logf("plain: %d bytes to open, %d to compare %d files; encrypted: %d, %d, %d", opened, compared, files, opened2, compared2, files2)
	if files != files2 || files < 20 || opened2 > opened+opened/10 || compared2 > compared+compared/10 {
		t.Error("more is read of the encrypted volume")
	}
}

// TestNestedEncrypted has a disk with encrypted volumes in an encrypted volume, which keys of the whole Set open, wherever
// they are needed.
func TestNestedEncrypted(t *testing.T) {
	inner, keys := encryptedDemo(t)
	middle := open(t, outer(t, "120M", func(dir string) { copyFile(t, inner, dir+"/deep/disk.raw") })).Volumes[0]
	image := filepath.Join(t.TempDir(), "outer")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	around := encrypt(t, f, middle, bitlockertest.Options{Seed: "outer", Protectors: []bitlockertest.Protector{{Kind: bitlockertest.StartupKey}}})
	want := manifest(t)["Documents"]["vss1"]
	all := bitlocker.NewKeyring(append(around, keys...)...)
	s := openWith(t, points.Options{Keys: all}, image+":/deep/disk.raw")
	if got := contents(t, s.Volumes[0].Snapshots()[0]); !maps.Equal(got, want) || len(got) == 0 {
		t.Errorf("%d files of %d", len(got), len(want))
	}
	s = openWith(t, points.Options{Keys: all}, image)
	target, err := s.Resolve(s.Images[0], ":/deep/disk.raw:p1@vss1:/Letters/offer.txt")
	if err != nil {
		t.Fatal(err)
	}
	within, target, err := s.Enter(target)
	if err != nil {
		t.Fatal(err)
	}
	defer within.Close()
	if _, _, err := target.Point.Lookup(target.Path, false); err != nil {
		t.Error(err)
	}
	var locked *bitlocker.LockedError
	if err := openWith(t, points.Options{Keys: bitlocker.NewKeyring(around...)}, image+":/deep/disk.raw").Readable(); !errors.As(err, &locked) {
		t.Errorf("inner volumes: %v", err)
	}
	if s, err := points.Open(t.Context(), []string{image + ":/deep/disk.raw"}, points.Options{Keys: bitlocker.NewKeyring(keys...)}); !errors.As(err, &locked) || locked.Volume.Protectors[0].Short() != around[0].Kind()[len("startup key "):] {
		t.Errorf("outer volume: %v, %v", s, err)
	}
}
