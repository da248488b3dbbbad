package points

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/partition"
	"snapmount/ntfs"
)

// A VolumeError says that there is a volume, by its partition or by its boot sector, whose files cannot be looked at.
type VolumeError struct {
	Volume string // its name, or that of its partition
	Locked bool   // it is encrypted by BitLocker, and nothing that was given decrypts it
	Err    error
}

func (e *VolumeError) Error() string {
	if e.Locked {
		return fmt.Sprintf("%s: %v", e.Volume, e.Err)
	}
	return fmt.Sprintf("%s: the volume cannot be opened: %v", e.Volume, e.Err)
}

// Unwrap gives the cause.
func (e *VolumeError) Unwrap() error { return e.Err }

// Unopened tells of the volumes of an image that are locked by BitLocker, or are of NTFS by the type of their partition
// and cannot be opened: their files are missing from whatever ranges over the volumes. A volume of NTFS whose points
// cannot be opened is not one of them: each point tells so when it is entered.
func (s *Set) Unopened(img *Image) (list []*VolumeError) {
	s.eachPartition(img, func(p partition.Partition, v *Volume) {
		if e := unopened(img, p, v); e != nil {
			list = append(list, e)
		}
	})
	return list
}

// Others describes the partitions of an image that are of another kind, which nothing that ranges over volumes is about:
// "p1 (EFI system)".
func (s *Set) Others(img *Image) (list []string) {
	s.eachPartition(img, func(p partition.Partition, v *Volume) {
		if unopened(img, p, v) != nil || v != nil && v.Filesystem == "ntfs" {
			return
		}
		kind := p.Type
		if v != nil && v.Filesystem != "" && !strings.EqualFold(kind, v.Filesystem) {
			kind = strings.TrimPrefix(kind+", "+v.Filesystem, ", ")
		}
		if kind == "" {
			kind = "of type " + p.TypeID
		}
		list = append(list, fmt.Sprintf("p%d (%s)", p.Number, kind))
	})
	return list
}

// eachPartition calls f for each partition, with its volume or nil.
func (s *Set) eachPartition(img *Image, f func(partition.Partition, *Volume)) {
	if img.Table == nil {
		return
	}
	volumes := map[int]*Volume{}
	for _, v := range s.Volumes {
		if v.Image == img {
			volumes[v.Partition.Number] = v
		}
	}
	for _, p := range img.Table.Partitions {
		f(p, volumes[p.Number])
	}
}

// unopened tells why the files of a partition cannot be looked at, nil when they can or are none of NTFS.
func unopened(img *Image, p partition.Partition, v *Volume) *VolumeError {
	switch {
	case v == nil && !holdsNTFS(p):
		return nil
	case v == nil:
		return &VolumeError{Volume: fmt.Sprintf("p%d", p.Number), Err: layer.Corrupt("partition", p.Off, "0x%x bytes are no range of the disk", p.Len)}
	case v.Locked() != nil:
		return v.locked()
	case v.Filesystem != "" || !holdsNTFS(p):
		return nil
	}
	e := &VolumeError{Volume: v.Name, Err: errNoBoot}
	if size := img.Disk.Size(); p.Off >= size {
		e.Err = layer.Corrupt("partition", p.Off, "behind the end of the image at 0x%x", size)
	} else if err := layer.ReadFull(v.Block, make([]byte, 512), 0); err != nil {
		e.Err = fmt.Errorf("boot sector: %w", err)
	}
	return e
}

var errNoBoot = fmt.Errorf("the partition is one for NTFS, and no boot sector of a known file system was found: %w", layer.ErrCorrupt)

// holdsNTFS reports whether the type of a partition says that it holds NTFS, where no boot sector says that it holds
// something else. Recovery partitions may hold what they like.
func holdsNTFS(p partition.Partition) bool {
	return mayBeNTFS(p) && p.TypeID != "0x27" && p.TypeID != "de94bba4-06d1-4d40-a16a-bfd50179d6ac"
}

// A MissingError says that a volume may have had more points in time than are known.
type MissingError struct {
	Volume string
	Err    error
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s: there may be more points in time: %v", e.Volume, e.Err)
}

// Unwrap gives the cause.
func (e *MissingError) Unwrap() error { return e.Err }

// Missing says why the volume may have had more points than it lists, or is nil.
func (v *Volume) Missing() error {
	if v.Damage == nil {
		return nil
	}
	return &MissingError{v.Name, v.Damage}
}

// LeftOut reports whether an error says that Windows left bytes out of a snapshot on purpose, as those of the page file
// and of the files of VSS, and nothing worse.
func LeftOut(err error) bool {
	var unknown *layer.UnknownError
	return errors.As(err, &unknown) && unknown.Why == layer.Unprotected && !errors.Is(err, layer.ErrCorrupt)
}

// NodeLeftOut reports whether all content of a file that is not in the image was left out of a snapshot by Windows on
// purpose, and err, which its reading ended with, is about nothing else. The file may be given at several points.
func NodeLeftOut(err error, at ...*ntfs.Node) bool {
	some := false
	for _, n := range at {
		streams, err2 := n.Streams()
		if err2 != nil {
			return false
		}
		for _, st := range streams {
			v := Judge(n, st.Name)
			if some = some || v.LeftOut(); !v.LeftOut() && !v.Intact() {
				return false
			}
		}
	}
	return some && LeftOut(err)
}

// LeftOut reports whether all that a verdict misses was left out of a snapshot by Windows on purpose.
func (v Verdict) LeftOut() bool {
	for _, r := range v.Ranges {
		if r.Err != nil || r.Why != layer.Unprotected {
			return false
		}
	}
	return v.Err == nil && !v.More && len(v.Ranges) > 0
}
