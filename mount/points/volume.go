package points

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/partition"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// Volume is one partition, or a disk without a partition table.
type Volume struct {
	Name        string // p2-Windows: partition number and label; d1p2-Windows with several images
	Image       *Image
	Partition   partition.Partition
	Filesystem  string // "ntfs", "refs", "exfat", "fat12", "fat16", "fat32"; "bitlocker" while it is locked, "luks"; empty when unknown
	Label       string
	ClusterSize int          // bytes; 0 when not NTFS
	Block       layer.Mapper // the volume as imaged; decrypted, where it is unlocked
	Encryption  *Encryption  // of BitLocker, or nil
	Points      []*Point     // the current state, then the snapshots, oldest first
	Damage      error        // why snapshots are missing, or nil

	set    *Set
	prefix string            // of Name: which of several images
	header *diffstore.Header // nil when VSS was never on
	stores []wintype.GUID    // that its catalog has entries of
	// catalog gives the stores that it has snapshot entries and store entries of.
	catalog func() (snapshots, stores []wintype.GUID)
	witness func() (*carve.Witness, error) // of the current state
	hits    func() []carve.Hit
}

// Point is a volume at one time.
type Point struct {
	Name     string              // "current", or the creation time, as the directory is called
	Number   int                 // counts the points of the whole Set
	Volume   *Volume             //
	Snapshot *diffstore.Snapshot // nil for the current state
	Carved   *carve.View         // of a snapshot that was deleted; else nil
	unknown  layer.Policy

	// Blocks gives the volume's bytes at this time, as the Windows driver would. It reads the block lists at its first call.
	Blocks func() (layer.Mapper, error)
	// Files gives the file system at this time. Its errors are of this point alone.
	Files func() (*ntfs.Tree, error)
	// ChangedBytes gives how much of the volume the snapshot's own store keeps. It reads a block list at its first call.
	ChangedBytes func() (int64, error)
}

// openVolume looks at the boot sector and the VSS header only.
func openVolume(s *Set, img *Image, p partition.Partition, prefix string) (*Volume, error) {
	block, err := layer.Section(img.Disk, p.Off, p.Len)
	if err != nil {
		return nil, err
	}
	v := &Volume{set: s, Image: img, Partition: p, Block: block, prefix: prefix, Name: fmt.Sprintf("%sp%d", prefix, p.Number)}
	v.Filesystem = fileSystem(p, block)
	if v.Filesystem == "bitlocker" || v.Filesystem == "" && (mayBeNTFS(p) || p.Searched) { // its boot sector may be lost
		v.unlock()
	}
	v.catalog = sync.OnceValues(func() (snapshots, stores []wintype.GUID) {
		if v.header == nil {
			return nil, nil
		}
		return diffstore.Catalog(s.ctx, v.Block, *v.header)
	})
	v.witness = sync.OnceValues(func() (*carve.Witness, error) {
		t, err := v.Current().Files()
		if err != nil {
			return nil, err
		}
		return witnessOf(t)
	})
	v.hits = sync.OnceValue(v.scanOnce)
	v.Points = append(v.Points, s.addPoint(v, "current", nil))
	if v.Locked() != nil {
		return v, nil // what would be read is not the volume
	}
	if v.header, v.Damage = headerOf(v.Block); v.Damage != nil {
		s.warn(fmt.Errorf("%s: %w", v.Name, v.Damage))
	}
	if v.Filesystem == "ntfs" {
		v.describe(s)
	}
	return v, nil
}

// fileSystem names what a partition holds, NTFS by its structures where the boot sector is lost.
func fileSystem(p partition.Partition, block layer.Mapper) string {
	name := partition.FileSystem(block)
	if name == "" && mayBeNTFS(p) && ntfs.Probe(block) == nil {
		name = "ntfs"
	}
	return name
}

// mayBeNTFS reports whether the type of a partition is one that Windows gives to those with NTFS.
func mayBeNTFS(p partition.Partition) bool {
	switch p.TypeID {
	case "0x07", "0x17", "0x27", "ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "de94bba4-06d1-4d40-a16a-bfd50179d6ac":
		return true
	}
	return false
}

// describe takes label and cluster size from the current file system.
func (v *Volume) describe(s *Set) {
	t, err := v.Points[0].Files()
	if err != nil {
		s.warn(fmt.Errorf("%s: current: %w", v.Name, err))
		return
	}
	v.Label, v.ClusterSize = t.Label(), t.ClusterSize()
	if l := PlainName(v.Label); l != "" {
		v.Name += "-" + l
	}
}

// PlainName keeps a label usable as a directory name on any system and inside a LOCATION.
func PlainName(label string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:@*?"<>|`, r) || wintype.Printable(string(r)) != string(r) {
			return '_'
		}
		return r
	}, strings.TrimSpace(label)), ". ")
}

// findPoints adds the snapshots. What the catalog lacks is looked for among the store files that were handed in, and
// those that the current file system of this volume, or of the one with its diff area, still lists.
func (v *Volume) findPoints(s *Set) {
	if v.Locked() != nil || v.header == nil && len(s.captured) == 0 && len(v.storeEntries()) == 0 {
		return
	}
	vss, err := v.openVSS(s, s.captured)
	if s.ctx.Err() != nil {
		return // nothing is known
	}
	if vss == nil || vss.Damage() != nil || s.orphans(v, vss) || slices.ContainsFunc(vss.Snapshots(), func(x *diffstore.Snapshot) bool { return x.Damage != nil }) {
		if files := s.storeFilesFor(v); len(files) > 0 {
			if more, err2 := v.openVSS(s, append(files, s.captured...)); err2 == nil {
				vss, err = more, nil
			}
		}
	}
	if vss == nil {
		if !errors.Is(err, diffstore.ErrNoSnapshots) {
			v.Damage = err
			s.warn(fmt.Errorf("%s: %w", v.Name, err))
		}
		return
	}
	v.Damage, v.stores = vss.Damage(), vss.Stores()
	v.namePoints(s, vss.Snapshots())
	if v.Filesystem == "" {
		v.rescue(s)
	}
}

func (v *Volume) openVSS(s *Set, files []diffstore.File) (*diffstore.Volume, error) {
	return diffstore.Open(v.Block, diffstore.Options{
		Storage:   func(g wintype.GUID) (layer.Source, error) { return s.storage(v, g) },
		Warn:      func(err error) { s.warn(fmt.Errorf("%s: %w", v.Name, err)) },
		Files:     files,
		Unchanged: v.unchangedSince,
		Claimed:   func(store wintype.GUID) bool { return s.claimed(v, store) },
		Recognize: v.recognize,
		Progress:  s.opts.Progress.Of(v.Name),
		Context:   s.ctx,
	})
}

// namePoints adds a point for each snapshot, named by its time.
func (v *Volume) namePoints(s *Set, snapshots []*diffstore.Snapshot) {
	taken := map[string]int{}
	for _, snap := range snapshots {
		name := snap.Created.UTC().Format("2006-01-02T150405Z")
		if snap.Created.IsZero() {
			name = "unknown-time"
		}
		taken[name]++
		if n := taken[name]; n > 1 {
			name += fmt.Sprintf("-%d", n)
		}
		if snap.Offline {
			name += "-offline"
		}
		if snap.Recovered {
			name += "-recovered"
		}
		v.Points = append(v.Points, s.addPoint(v, name, snap))
	}
}

// rescue looks for the file system in the snapshots: the current boot sector may be gone, and theirs kept.
func (v *Volume) rescue(s *Set) {
	for _, p := range slices.Backward(v.Snapshots()) {
		blocks, err := p.Blocks()
		if err != nil {
			continue // told when the point is used
		}
		if v.Filesystem = partition.FileSystem(blocks); v.Filesystem != "" {
			s.warn(fmt.Errorf("%s: the boot sector is gone; %s still has it", v.Name, p.Name))
			return
		}
	}
}

// addPoint makes a point that is not among those of its volume yet.
func (s *Set) addPoint(v *Volume, name string, snap *diffstore.Snapshot) *Point {
	p := &Point{Name: name, Number: len(s.points), Volume: v, Snapshot: snap, unknown: s.opts.Unknown}
	p.Blocks = func() (layer.Mapper, error) {
		if err := v.Locked(); err != nil {
			return nil, err
		}
		return v.Block, nil
	}
	if snap != nil {
		p.Blocks = sync.OnceValues(func() (layer.Mapper, error) {
			view, err := snap.Open()
			if err != nil {
				return nil, fmt.Errorf("%s@%s: %w", v.Name, name, err)
			}
			return view, nil
		})
	}
	p.Files = sync.OnceValues(func() (*ntfs.Tree, error) {
		blocks, err := p.Blocks()
		if err != nil {
			return nil, err
		}
		unknown := s.opts.Unknown
		if p.doubtful() {
			unknown = layer.Live
		}
		t, err := ntfs.Open(blocks, ntfs.Options{Unknown: unknown, Ciphertext: s.opts.Ciphertext, ForeignReparse: s.opts.ForeignReparse, Cache: s.cache, Warn: func(err error) {
			s.warn(fmt.Errorf("%s@%s: %w", v.Name, name, err))
		}})
		if err != nil {
			return nil, fmt.Errorf("%s@%s: %w", v.Name, name, err)
		}
		return t, nil
	})
	p.ChangedBytes = sync.OnceValues(p.changedBytes)
	s.points = append(s.points, p)
	return p
}

// Set is what the volume is of.
func (v *Volume) Set() *Set { return v.set }

// Others returns the other volumes of its image whose files can be shown.
func (v *Volume) Others() (list []*Volume) {
	for _, other := range v.set.of(v.Image) {
		if other != v && other.Filesystem == "ntfs" {
			list = append(list, other)
		}
	}
	return list
}

// Current returns the volume as imaged.
func (v *Volume) Current() *Point { return v.Points[0] }

// Snapshots returns the points from snapshots, oldest first.
func (v *Volume) Snapshots() []*Point { return v.Points[1:] }

// Latest returns the newest snapshot that its owner did not delete, else the newest; nil when there is none. It is none that
// was carved: these are taken by name alone.
func (v *Volume) Latest() *Point {
	return FirstShown(slices.Backward(v.Snapshots()))
}

// Oldest returns the oldest snapshot that its owner did not delete, else the oldest; nil when there is none. It is none that
// was carved.
func (v *Volume) Oldest() *Point {
	return FirstShown(slices.All(v.Snapshots()))
}

func FirstShown(points func(func(int, *Point) bool)) *Point {
	var hidden *Point
	for _, p := range points {
		if p.Carved != nil {
			continue
		}
		if !p.Snapshot.Offline {
			return p
		}
		if hidden == nil {
			hidden = p
		}
	}
	return hidden
}

// Created returns when the snapshot was taken; the zero time for the current state, whose time no image tells.
func (p *Point) Created() time.Time {
	if p.Snapshot == nil {
		return time.Time{}
	}
	return p.Snapshot.Created
}

// After reports whether a point of the same volume is a later one than q.
func (p *Point) After(q *Point) bool {
	return q.Snapshot != nil && (p.Snapshot == nil || slices.Index(p.Volume.Points, p) > slices.Index(p.Volume.Points, q))
}

// Size returns the bytes of the volume at this time, without opening the snapshot.
func (p *Point) Size() int64 {
	if p.Snapshot == nil {
		return p.Volume.Block.Size()
	}
	return p.Snapshot.Size
}

func (p *Point) changedBytes() (int64, error) {
	if p.Snapshot == nil {
		return 0, nil
	}
	changed, err := p.Snapshot.Changed()
	if err != nil {
		return 0, err
	}
	n := int64(changed.GetCardinality()) * diffstore.BlockSize
	if last := p.Snapshot.Size / diffstore.BlockSize; changed.Contains(uint32(last)) {
		n -= diffstore.BlockSize - p.Snapshot.Size%diffstore.BlockSize
	}
	return n, nil
}

// Truncated is an error when the file system says that the volume goes on past the end of the image.
func (p *Point) Truncated() error {
	t, err := p.Files()
	if err != nil || t.Size() <= p.Size() {
		return nil // whether there are files is not asked here
	}
	return fmt.Errorf("%s@%s: %w", p.Volume.Name, p.Name, layer.Corrupt("volume", p.Size(), "ends, want 0x%x bytes", t.Size()))
}
