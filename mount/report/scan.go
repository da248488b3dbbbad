package report

import "snapmount/mount/points"

// Scan is the document of "scan --json".
type Scan struct {
	Schema   int           `json:"schema"`   // the version of this JSON
	Image    string        `json:"image"`    // as it was named
	Size     int64         `json:"size"`     // bytes of the disk
	Volumes  []FoundVolume `json:"volumes"`  // by offset
	Unread   []Range       `json:"unread"`   // what could not be read, and so not looked at
	Complete bool          `json:"complete"` // all else was; an image can hold more boot sectors than are weighed
}

// FoundVolume is a volume that was found by what it keeps at its ends.
type FoundVolume struct {
	Offset     int64   `json:"offset"`     // where it begins on the disk
	Size       int64   `json:"size"`       // bytes
	SizeKnown  bool    `json:"size_known"` // else it goes on to the next volume or the end of the disk
	Filesystem string  `json:"filesystem"` // empty when its boot sectors are lost
	Sound      bool    `json:"sound"`      // what the boot sector names is where it says
	BothEnds   bool    `json:"both_ends"`  // the boot sector is there, and its copy
	Marks      []Mark  `json:"marks"`      // what it was found by
	Volume     *string `json:"volume"`     // that info and others open there
	InTable    bool    `json:"in_table"`   // the partition table lists it
	Outer      *int64  `json:"outer"`      // where a volume begins, for which more speaks, that this one lies in or overlaps
}

// Mark is a sector that a volume is known by.
type Mark struct {
	Offset int64  `json:"offset"` // on the disk
	Kind   string `json:"kind"`   // boot sector, copy of the boot sector, VSS header or BitLocker metadata
}

// ScanOf describes what was found on an image.
func ScanOf(img *points.Image, s *points.Scan) Scan {
	r := Scan{Schema: Schema, Image: img.Path, Size: img.Disk.Size(), Volumes: []FoundVolume{}, Unread: []Range{}, Complete: s.Complete}
	for _, u := range s.Unread {
		r.Unread = append(r.Unread, Range{u.Off, u.Len})
	}
	for i, f := range s.Found {
		v := FoundVolume{Offset: f.Off, Size: f.Len, SizeKnown: f.Sized, Filesystem: f.Kind, Sound: f.Sound, BothEnds: f.BothEnds(), Marks: []Mark{}}
		for _, m := range f.Marks {
			v.Marks = append(v.Marks, Mark{m.Off, m.What})
		}
		if open := s.Volumes[i]; open != nil {
			v.Volume, v.InTable = text(open.Name), !open.Partition.Searched
		}
		if f.Outer >= 0 {
			v.Outer = &f.Outer
		}
		r.Volumes = append(r.Volumes, v)
	}
	return r
}
