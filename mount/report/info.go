package report

import (
	"errors"
	"fmt"
	"slices"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// Info is the document of "info --json".
type Info struct {
	Schema   int       `json:"schema"`         // the version of this JSON
	Images   []Image   `json:"images"`         // in the order in which they were named
	Volumes  []Volume  `json:"volumes"`        // of all images
	Sets     []CopySet `json:"sets,omitempty"` // with --sets
	Warnings []string  `json:"warnings"`       // lines: what was decided, or may be missing
}

// CopySet is a shadow copy set: points that were taken together.
type CopySet struct {
	ID       string   `json:"id"`       // GUID
	Created  string   `json:"created"`  // of its first point
	Expected uint32   `json:"expected"` // points it had when it was made; the images may hold fewer
	Points   []string `json:"points"`   // VOLUME@POINT
}

// Image is one image, or chain of them.
type Image struct {
	Path   string   `json:"path"`   // as it was named
	Format string   `json:"format"` // such as qcow2
	Size   int64    `json:"size"`   // bytes of the virtual disk
	Files  []string `json:"files"`  // that it is made of
	Layers []Layer  `json:"layers"` // states of the disk that the image keeps; 0 is its own
	// Evidence is what an EWF image says of its acquisition.
	Evidence *Evidence `json:"evidence,omitempty"`
	// Faults are lines: what its files lack, a damaged partition table, volumes that cannot be opened.
	Faults []string `json:"faults"`
	Locked []string `json:"locked,omitempty"` // volumes that BitLocker keeps locked
}

// Layer is a state of the disk that an image keeps.
type Layer struct {
	Name    Name    `json:"name"`    // of its file, or of the snapshot
	ID      *string `json:"id"`      // of an internal snapshot
	Format  string  `json:"format"`  // of its file
	Created *string `json:"created"` // as the format tells
	Size    int64   `json:"size"`    // bytes of the disk then

	Modified *string `json:"modified"` // of the file
}

// Volume is a partition, or a disk without a partition table.
type Volume struct {
	Name        string  `json:"name"`         // that LOCATIONs take
	Image       string  `json:"image"`        // as it was named
	Location    Name    `json:"location"`     // IMAGE:VOLUME
	Partition   int     `json:"partition"`    // 0 without a partition table
	Searched    bool    `json:"searched"`     // in no table, but found where volumes mostly are
	Offset      int64   `json:"offset"`       // bytes from the start of the disk
	Size        int64   `json:"size"`         // bytes
	Filesystem  string  `json:"filesystem"`   // ntfs, refs, exfat, fat12, fat16, fat32; bitlocker while it is locked, luks; empty when unknown
	Label       Name    `json:"label"`        // as Windows shows it
	ClusterSize int     `json:"cluster_size"` // bytes; 0 when not NTFS
	NTFS        *NTFS   `json:"ntfs"`         // of the current state; null where that has no readable NTFS
	Points      []Point `json:"points"`       // the current state, then the snapshots, the oldest first
	// Faults are lines: what of the volume is cut off or not in the image, and which of the structures that all of it rests
	// on are lost, or taken from a copy.
	Faults []string `json:"faults"`
	// Deleted says in a line what tells that the volume had snapshots which were deleted, if they were not looked for.
	Deleted string `json:"deleted,omitempty"`

	Locked     *Locked     `json:"locked,omitempty"`     // what is known of a volume of BitLocker that was not unlocked
	Encryption *Encryption `json:"encryption,omitempty"` // what is below an unlocked volume
}

// NTFS is what the volume says of itself.
type NTFS struct {
	Version    string `json:"version"`     // such as 3.1
	Serial     string `json:"serial"`      // 16 hexadecimal digits, of which Windows shows the last 8
	Dirty      bool   `json:"dirty"`       // the volume asks for a check
	Log        string `json:"log"`         // $LogFile: clean, dirty (changes are left to be replayed), empty (wiped) or unknown
	RecordSize int    `json:"record_size"` // bytes of a file record
	Records    uint64 `json:"records"`     // that $MFT has room for
	Hibernated bool   `json:"hibernated"`  // Windows keeps more of it in hiberfil.sys, until it wakes up
}

// Point is one point in time; what only snapshots have is null for the current state.
type Point struct {
	Name          string   `json:"name"`             // as POINT takes it
	Location      Name     `json:"location"`         // IMAGE:VOLUME@POINT
	Kind          string   `json:"kind"`             // current or snapshot
	Index         int      `json:"index"`            // 1 is the oldest snapshot; 0 the current state
	Created       *string  `json:"created"`          // null where it is lost too
	CopyID        *string  `json:"copy_id"`          // GUID of the shadow copy
	SetID         *string  `json:"set_id"`           // GUID of the shadow copy set
	StoreID       *string  `json:"store_id"`         // GUID of the store
	Size          int64    `json:"size"`             // bytes of the volume then
	Attributes    []string `json:"attributes"`       // words, of the shadow copy
	AttributesRaw uint32   `json:"attributes_raw"`   // the same as a number
	Consistency   *string  `json:"consistency"`      // application (writers took part), crash (none did) or unknown
	Offline       bool     `json:"offline"`          // deleted by its owner, but kept
	Recovered     bool     `json:"recovered"`        // found although its entries in the catalog are lost: order and time may be inferred
	Carved        *Carved  `json:"carved,omitempty"` // of a snapshot that was deleted
	Machine       *string  `json:"machine"`          // that made the snapshot
	ChangedBytes  *int64   `json:"changed_bytes"`    // kept by this snapshot's own store
	DiffArea      *string  `json:"diff_area"`        // local, or the volume that holds the store
	Damage        *string  `json:"damage"`           // in a line; null where none was found
}

// InfoOf reads the block lists too, for changed bytes and damage. A snapshot with damage is still reported.
func InfoOf(s *points.Set) Info {
	r := Info{Schema: Schema, Images: []Image{}, Volumes: []Volume{}}
	for _, img := range s.Images {
		r.Images = append(r.Images, Image{Path: img.Path, Format: img.Disk.Format(), Size: img.Disk.Size(), Files: img.Disk.Files(), Layers: layersOf(img)})
	}
	faults(s, &r)
	for _, v := range s.Volumes {
		vr := Volume{Name: v.Name, Image: v.Image.Path, Location: Name(points.Target{Volume: v}.Location()), Partition: v.Partition.Number, Searched: v.Partition.Searched, Offset: v.Partition.Off, Size: v.Partition.Len,
			Filesystem: v.Filesystem, Label: Name(v.Label), ClusterSize: v.ClusterSize, NTFS: ntfsOf(v), Points: []Point{}, Faults: lines(v.Faults())}
		vr.Locked, vr.Encryption = encryptionOf(v)
		vr.Deleted = v.Deleted()
		for _, p := range v.Points {
			vr.Points = append(vr.Points, pointOf(s, p))
		}
		r.Volumes = append(r.Volumes, vr)
	}
	for i, img := range s.Images { // last, when all that is damaged was met
		r.Images[i].Evidence = evidenceOf(img)
	}
	s.TellHoles()
	r.Warnings = s.Warnings()
	return r
}

// faults adds those of the images. That a volume is locked is none.
func faults(s *points.Set, r *Info) {
	for i, img := range s.Images {
		list := s.Faults(img)
		for _, e := range s.Unopened(img) {
			if e.Locked {
				r.Images[i].Locked = append(r.Images[i].Locked, e.Volume)
			}
		}
		list = slices.DeleteFunc(list, func(err error) bool {
			e, ok := err.(*points.VolumeError)
			return ok && e.Locked
		})
		r.Images[i].Faults = lines(list)
	}
}

// lines are errors of a line each.
func lines(list []error) []string {
	out := []string{}
	for _, err := range list {
		out = append(out, OneLine(err))
	}
	return out
}

// Faulty counts the faults of images and volumes, and the volumes that are locked.
func (r *Info) Faulty() (faults, locked int) {
	for _, img := range r.Images {
		faults, locked = faults+len(img.Faults), locked+len(img.Locked)
	}
	for _, v := range r.Volumes {
		faults += len(v.Faults)
	}
	return faults, locked
}

// Damaged counts the points, and those that are damaged. What is behind a lock is none of them: nothing is known of it.
func (r *Info) Damaged() (damaged, all int) {
	for _, v := range r.Volumes {
		if v.Locked != nil {
			continue
		}
		for _, p := range v.Points {
			if all++; p.Damage != nil {
				damaged++
			}
		}
	}
	return damaged, all
}

// CopySetsOf lists the shadow copy sets.
func CopySetsOf(s *points.Set) []CopySet {
	sets := []CopySet{}
	for _, group := range s.CopySets() {
		first := group[0].Snapshot
		r := CopySet{ID: first.SetID.String(), Created: first.Created.UTC().Format(wintype.Layout7), Expected: first.SetCount}
		for _, p := range group {
			r.Points = append(r.Points, p.Volume.Name+"@"+p.Name)
		}
		sets = append(sets, r)
	}
	return sets
}

func layersOf(img *points.Image) []Layer {
	list := []Layer{}
	for _, l := range img.Disk.Layers() {
		r := Layer{Name: Name(l.Name), Format: l.Format, Size: l.Size}
		if l.ID != "" {
			r.ID = text(l.ID)
		}
		if !l.Time.IsZero() {
			r.Created = text(l.Time.UTC().Format(wintype.Layout7))
		}
		if !l.Modified.IsZero() {
			r.Modified = text(l.Modified.UTC().Format(wintype.Layout7))
		}
		list = append(list, r)
	}
	return list
}

func ntfsOf(v *points.Volume) *NTFS {
	if v.Filesystem != "ntfs" {
		return nil
	}
	t, err := v.Current().Files()
	if err != nil {
		return nil // told by the warnings
	}
	major, minor := t.Version()
	asleep, _ := t.Hibernated() // what is wrong with the root is among the faults
	return &NTFS{fmt.Sprintf("%d.%d", major, minor), fmt.Sprintf("%016X", t.Serial()), t.Dirty(), logWord(t.Log()), t.RecordSize(), t.Records(), asleep}
}

func pointOf(s *points.Set, p *points.Point) Point {
	r := Point{Name: p.Name, Location: Name(Location(p)), Kind: "current", Size: p.Size(), Attributes: []string{}}
	snap := p.Snapshot
	if snap == nil {
		if p.Volume.Damage != nil {
			r.Damage = text(OneLine(p.Volume.Damage))
		}
		return r
	}
	r.Kind, r.Index, r.Offline = "snapshot", snap.Index, snap.Offline
	r.Recovered = snap.Recovered && p.Carved == nil
	r.Carved = carvedOf(p)
	if !snap.Created.IsZero() {
		r.Created = text(snap.Created.UTC().Format(wintype.Layout7))
	}
	r.StoreID = text(snap.StoreID.String())
	r.DiffArea, r.Consistency = text(s.DiffArea(p)), text("unknown")
	if !snap.CopyID.IsZero() { // else the store header is lost, and all that it told
		r.CopyID, r.SetID, r.Machine = text(snap.CopyID.String()), text(snap.SetID.String()), text(snap.Machine)
		r.Attributes, r.AttributesRaw = append([]string{}, snap.Attributes.Words()...), uint32(snap.Attributes)
		if c := snap.Attributes.Consistency(); c != "" {
			r.Consistency = &c
		}
	}
	own, through := snap.Check()
	if err := errors.Join(own, through); err != nil {
		r.Damage = text(OneLine(err))
	}
	if n, err := p.ChangedBytes(); err == nil {
		r.ChangedBytes = &n
	}
	return r
}

// logWord says in a word what state a volume's $LogFile is in.
func logWord(l ntfs.LogState, err error) string {
	switch {
	case err != nil || l.Damage != nil:
		return "unknown"
	case l.Empty:
		return "empty"
	case l.Clean:
		return "clean"
	}
	return "dirty"
}
