package report

import (
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Evidence is what an EWF image says of its acquisition. What it does not say is null.
type Evidence struct {
	Version     int    `json:"version"`
	Segments    int    `json:"segments"` // that are here
	Media       string `json:"media"`
	Physical    bool   `json:"physical"` // a whole device, not a volume
	SectorSize  int64  `json:"sector_size"`
	ChunkSize   int64  `json:"chunk_size"`
	Compression string `json:"compression"`

	Case        *Name `json:"case"`
	Evidence    *Name `json:"evidence"`
	Description *Name `json:"description"`
	Examiner    *Name `json:"examiner"`
	Notes       *Name `json:"notes"`
	Model       *Name `json:"model"`
	Serial      *Name `json:"serial"`
	Label       *Name `json:"label"`
	Software    *Name `json:"software"`
	System      *Name `json:"system"`
	Acquired    *Name `json:"acquired"` // RFC 3339; without a zone when the image keeps the local time only
	Clock       *Name `json:"clock"`    // of the acquiring system then

	MD5        *Name   `json:"md5"` // stored; "verify" compares
	SHA1       *Name   `json:"sha1"`
	ReadErrors []Range `json:"read_errors"` // bytes that could not be read when it was acquired, and are zeros
	Bad        []Bad   `json:"bad"`         // damage met so far; "verify" finds all
}

// Range is a part of a disk, in bytes.
type Range struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// Bad is a part of a disk that is damaged.
type Bad struct {
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
	Error  string `json:"error"`

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
