package report

import (
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Evidence is what an EWF image says of its acquisition. What it does not say is null.
type Evidence struct {
	Version     int    `json:"version"`     // of EWF
	Segments    int    `json:"segments"`    // that are here
	Media       string `json:"media"`       // fixed, removable, optical, ...
	Physical    bool   `json:"physical"`    // a whole device, not a volume
	SectorSize  int64  `json:"sector_size"` // bytes
	ChunkSize   int64  `json:"chunk_size"`  // bytes
	Compression string `json:"compression"` // none, fast, best, ...

	Case        *Name `json:"case"`        // number, as all that follows as the examiner gave it
	Evidence    *Name `json:"evidence"`    // number
	Description *Name `json:"description"` // of the evidence
	Examiner    *Name `json:"examiner"`    // name
	Notes       *Name `json:"notes"`       // free text
	Model       *Name `json:"model"`       // of the device
	Serial      *Name `json:"serial"`      // number of the device
	Label       *Name `json:"label"`       // of the device
	Software    *Name `json:"software"`    // that acquired it, with its version
	System      *Name `json:"system"`      // that the software ran on
	Acquired    *Name `json:"acquired"`    // RFC 3339; without a zone when the image keeps the local time only
	Clock       *Name `json:"clock"`       // of the acquiring system then

	MD5        *Name   `json:"md5"`         // stored; "verify" compares
	SHA1       *Name   `json:"sha1"`        // stored
	ReadErrors []Range `json:"read_errors"` // bytes that could not be read when it was acquired, and are zeros
	Bad        []Bad   `json:"bad"`         // damage met so far; "verify" finds all
}

// Range is a part of a disk, in bytes.
type Range struct {
	Offset int64 `json:"offset"` // on the disk
	Length int64 `json:"length"` // bytes
}

// Bad is a part of a disk that is damaged.
type Bad struct {
	Offset int64  `json:"offset"` // on the disk
	Length int64  `json:"length"` // bytes
	Error  string `json:"error"`  // in a line

	Reason layer.Reason `json:"reason,omitempty"` // why it is unknown; none where it is damaged
}

// evidenceOf returns nil for what is no EWF image.
func evidenceOf(img *points.Image) *Evidence {
	d := img.Disk.Evidence()
	if d == nil {
		return nil
	}
	i, stored := d.Info(), d.Stored()
	some := func(s string) *Name {
		if strings.TrimSpace(s) == "" {
			return nil
		}
		n := Name(s)
		return &n
	}
	r := &Evidence{
		Version: i.Version, Segments: i.Segments, Media: i.Media, Physical: i.Physical, SectorSize: i.SectorSize, ChunkSize: i.ChunkSize, Compression: i.Compression,
		Case: some(i.Case), Evidence: some(i.Evidence), Description: some(i.Description), Examiner: some(i.Examiner), Notes: some(i.Notes),
		Model: some(i.Model), Serial: some(i.Serial), Label: some(i.Label), Software: some(i.Software), System: some(i.System),
		Acquired: some(i.Acquired), Clock: some(i.Clock), MD5: some(stored.MD5), SHA1: some(stored.SHA1), ReadErrors: []Range{}, Bad: []Bad{},
	}
	for _, e := range i.ReadErrors { // what the image says is a claim
		first := min(e.First, i.Sectors)
		r.ReadErrors = append(r.ReadErrors, Range{first * i.SectorSize, min(e.Count, i.Sectors-first) * i.SectorSize})
	}
	for _, b := range d.Bad() {
		r.Bad = append(r.Bad, badOf(b.Off, b.Len, b.Err))
	}
	return r
}
