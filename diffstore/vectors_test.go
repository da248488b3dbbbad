package diffstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
)

// vector is what is known of an image and of its snapshots.
type vector struct {
	VolumeOffset  int64 `json:"volume_offset"`
	StorageOffset int64 `json:"storage_volume_offset"`
	NTFS          struct {
		Volume int64 `json:"volume_bytes"`
	}
	Start        vectorHeader  `json:"start_block"`
	StorageStart *vectorHeader `json:"storage_start_block"`
	Snapshots    []vectorSnap
}

type vectorHeader struct {
	Version     uint32
	Catalog     uint64 `json:"first_control_block"`
	MaxSize     uint64 `json:"max_diff_area_size"`
	Volume      string `json:"volume_guid"`
	Storage     string `json:"storage_guid"`
	Application uint64 `json:"application_flags"`
	Protection  uint32 `json:"protection_flags"`
}

type vectorSnap struct {
	Position   uint64 `json:"stack_position"`
	Store      string `json:"store_guid"`
	Time       string `json:"creation_time"`
	Size       int64  `json:"volume_size"`
	Flags      string `json:"store_flags"`
	Offline    bool
	Copy       string `json:"copy_id"`
	Set        string `json:"copy_set_id"`
	Attributes string
	Format     string `json:"appinfo_guid"`
	Context    string
	Machine    string `json:"operating_machine"`
	Service    string `json:"service_machine"`
	Item       struct {
		List      uint64 `json:"diff_table"`
		Header    uint64 `json:"app_info"`
		Ranges    uint64 `json:"location_table"`
		Current   uint64 `json:"bitmap"`
		Previous  uint64 `json:"previous_bitmap"`
		File      uint64 `json:"file_reference"`
		Allocated uint64 `json:"allocation_size"`
		Older     uint32 `json:"unk80"`
	} `json:"diff_area_item"`
	Bitmap      vectorBits
	Previous    *vectorBits `json:"previous_bitmap"`
	Descriptors [][6]uint64
	Blocks      []struct {
		Offset, Length int64
		SHA256         string
		Origin         [][4]any
	}
	NewestZero struct {
		Digest string `json:"content_digest"`
		Whole  string `json:"sha256_whole"`
	} `json:"newest_zero"`
}

type vectorBits struct {
	Set    uint64 `json:"bits_set"`
	SHA256 string
	Bytes  int
}

func readVector(t *testing.T, name string) (v vector) {
	t.Helper()
	b, err := os.ReadFile(testenv.Shared(t, "vectors", name))
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func openImage(t *testing.T, path string) *imagefmt.Image {
	t.Helper()
	img, err := imagefmt.Open(path, imagefmt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { img.Close() })
	return img
}

func TestVectors(t *testing.T) {
	t.Run("vsstest", func(t *testing.T) {
		t.Parallel()
		img := openImage(t, testenv.Shared(t, "data", "vsstest.qcow2"))
		checkVector(t, readVector(t, "vsstest.json"), img)
	})
	t.Run("vss_3_volstor", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "vss_3_volstor.tar.gz"), "-C", dir)
		files, _ := filepath.Glob(filepath.Join(dir, "*.raw"))
		if len(files) != 1 {
			t.Fatalf("unpacked %v, want one image", files)
		}
		checkVector(t, readVector(t, "vss_3_volstor.json"), openImage(t, files[0]))
	})
}

func section(t *testing.T, s layer.Source, off, n int64) layer.Source {
	t.Helper()
	sec, err := layer.Section(s, off, n)
	if err != nil {
		t.Fatal(err)
	}
	return sec
}

func checkVector(t *testing.T, v vector, img layer.Source) {
	live := section(t, img, v.VolumeOffset, v.NTFS.Volume)
	storage := live
	opts := Options{Warn: func(err error) { t.Errorf("warning: %v", err) }}
	if v.StorageStart != nil {
		storage = section(t, img, v.StorageOffset, v.VolumeOffset-v.StorageOffset)
		opts.Storage = func(g wintype.GUID) (layer.Source, error) {
			if g.String() != v.Start.Storage {
				return nil, fmt.Errorf("asked for %v", g)
			}
			return storage, nil
		}
		checkHeader(t, storage, *v.StorageStart)
	}
	checkHeader(t, live, v.Start)
	vol, err := Open(live, opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(vol.Snapshots()) != len(v.Snapshots) || vol.Damage() != nil {
		t.Fatalf("%d snapshots, damage %v, want %d", len(vol.Snapshots()), vol.Damage(), len(v.Snapshots))
	}
	for i, want := range v.Snapshots {
		s := vol.Snapshots()[i]
		checkSnapshot(t, s, want)
		checkBits(t, s, s.entry.current, want.Bitmap)
		if want.Previous != nil {
			checkBits(t, s, s.entry.previous, *want.Previous)
		}
		checkDescriptors(t, s, want.Descriptors)
		view, err := s.Open()
		if err != nil || view.Damage() != nil {
			t.Fatalf("snapshot %d: %v, damage %v", s.Index, err, view.Damage())
		}
		checkBlocks(t, view, want, live, storage)
		if !testing.Short() {
			checkWhole(t, view, want)
		}
	}
	if _, err := Open(live, Options{}); v.StorageStart != nil && err == nil {
		vol, _ := Open(live, Options{})
		if s := vol.Snapshots()[0]; s.Damage == nil {
			t.Error("no storage volume, but no damage")
		}
	}
}

func checkHeader(t *testing.T, s layer.Source, want vectorHeader) {
	t.Helper()
	h, err := ReadHeader(s)
	got := vectorHeader{h.Version, h.Catalog, h.MaxSize, h.VolumeGUID.String(), h.StorageGUID.String(), h.Application, h.ProtectionFlags}
	if err != nil || got != want || h.oddities() != nil {
		t.Errorf("header %+v, %v, want %+v", got, err, want)
	}
}

func checkSnapshot(t *testing.T, s *Snapshot, want vectorSnap) {
	t.Helper()
	got := []string{s.StoreID.String(), s.Created.Format(wintype.Layout7), fmt.Sprintf("0x%x", uint64(s.Flags)), s.CopyID.String(), s.SetID.String(),
		fmt.Sprintf("0x%08x", uint32(s.Attributes)), s.Format.String(), fmt.Sprintf("0x%x", uint32(s.Context)), s.Machine, s.ServiceMachine}
	text := []string{want.Store, want.Time, want.Flags, want.Copy, want.Set, want.Attributes, want.Format, want.Context, want.Machine, want.Service}
	if strings.Join(got, "\n") != strings.Join(text, "\n") || s.Position != want.Position || s.Size != want.Size || s.Offline != want.Offline || s.Damage != nil {
		t.Errorf("snapshot %+v\n%q\nwant\n%q", s, got, text)
	}
	i := want.Item
	if e := (storeEntry{i.List, s.StoreID, i.Header, i.Ranges, i.Current, i.File, i.Allocated, i.Previous, i.Older}); e != s.entry {
		t.Errorf("store entry %+v, want %+v", s.entry, e)
	}
}

func checkBits(t *testing.T, s *Snapshot, at uint64, want vectorBits) {
	t.Helper()
	set, known, err := readBits(t.Context(), s.areas[0], at, blocks(s.Size), s.warn)
	if err != nil || known != blocks(s.Size) || set.GetCardinality() != want.Set {
		t.Errorf("bitmap at 0x%x: %d of %d bits, %v, want %d", at, set.GetCardinality(), known, err, want.Set)
	}
	b := make([]byte, want.Bytes)
	for i := range set.Iterate {
		b[i/8] |= 1 << (i % 8)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want.SHA256 {
		t.Errorf("bitmap at 0x%x: other bits", at)
	}
}

func checkDescriptors(t *testing.T, s *Snapshot, want [][6]uint64) {
	t.Helper()
	var got [][6]uint64
	ch := chain{area: s.areas[0], name: "block list", kind: typeList, warn: s.warn}
	err := ch.each(t.Context(), s.entry.list, 1000, func(_ uint64, _ record, b []byte) bool {
		for ; len(b) >= descriptorSize; b = b[descriptorSize:] {
			if d := decodeDescriptor(b); d.flags&flagUnused == 0 && d != (descriptor{}) {
				got = append(got, [6]uint64{uint64(len(got)), d.original, d.relative, d.kept, uint64(d.flags), uint64(d.sectors)})
			}
		}
		return true
	})
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("snapshot %d: %d descriptors, %v, want %d, or they differ", s.Index, len(got), err, len(want))
	}
	changed, err := s.Changed()
	if err != nil {
		t.Error(err)
	}
	for _, d := range want {
		if !changed.Contains(uint32(d[1] >> blockBits)) {
			t.Errorf("snapshot %d: block 0x%x is not in Changed", s.Index, d[1])
		}
	}
}

// checkBlocks compares bytes, and where each sector comes from.
func checkBlocks(t *testing.T, view *View, want vectorSnap, live, storage layer.Source) {
	t.Helper()
	for _, b := range want.Blocks {
		p := make([]byte, b.Length)
		if _, err := view.ReadAt(p, b.Offset); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(p); hex.EncodeToString(sum[:]) != b.SHA256 {
			t.Errorf("snapshot %d, 0x%x: other bytes", want.Position, b.Offset)
		}
		sector := map[int64]string{}
		for e, err := range layer.Extents(view, b.Offset, b.Length) {
			if err != nil {
				t.Fatal(err)
			}
			for i := int64(0); i < e.Len; i += sectorSize {
				where := "live"
				if e.Base == storage && (e.BaseOff != e.Off || storage != live) {
					where = "diff"
				}
				sector[(e.Off-b.Offset+i)/sectorSize] = fmt.Sprintf("%s %d", where, e.BaseOff+i)
			}
		}
		for _, o := range b.Origin {
			first, n, at := int64(o[0].(float64)), int64(o[1].(float64)), int64(o[3].(float64))
			for i := range n {
				if exp := fmt.Sprintf("%v %d", o[2], at+i*sectorSize); sector[first+i] != exp {
					t.Errorf("snapshot %d, 0x%x sector %d: from %q, want %q", want.Position, b.Offset, first+i, sector[first+i], exp)
				}
			}
		}
	}
	t.Logf("snapshot %d: %d blocks, bytes and sector origins equal", want.Position, len(want.Blocks))
}

// checkWhole reads all of the snapshot and computes both digests.
func checkWhole(t *testing.T, view *View, want vectorSnap) {
	t.Helper()
	whole, content := sha256.New(), sha256.New()
	buf, zero := make([]byte, 64*BlockSize), make([]byte, BlockSize)
	for off := int64(0); off < view.Size(); off += int64(len(buf)) {
		p := buf[:min(int64(len(buf)), view.Size()-off)]
		if _, err := view.ReadAt(p, off); err != nil {
			t.Fatal(err)
		}
		whole.Write(p)
		for i := 0; i < len(p); i += BlockSize {
			if b := p[i:min(len(p), i+BlockSize)]; !bytes.Equal(b, zero[:len(b)]) {
				content.Write(binary.LittleEndian.AppendUint64(nil, uint64(off)+uint64(i)))
				content.Write(b)
			}
		}
	}
	if got := hex.EncodeToString(content.Sum(nil)); got != want.NewestZero.Digest {
		t.Errorf("snapshot %d: content digest %s, want %s", want.Position, got, want.NewestZero.Digest)
	}
	if got := hex.EncodeToString(whole.Sum(nil)); got != want.NewestZero.Whole {
		t.Errorf("snapshot %d: sha256 %s, want %s", want.Position, got, want.NewestZero.Whole)
	}
}
