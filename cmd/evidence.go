package cmd

import (
	"fmt"
	"io"
	"strings"

	"snapmount/mount/points"
)

// evidenceReport is what an EWF image says of its acquisition. What it does not say is null.
type evidenceReport struct {
	Version     int    `json:"version"`
	Segments    int    `json:"segments"` // that are here
	Media       string `json:"media"`
	Physical    bool   `json:"physical"` // a whole device, not a volume
	SectorSize  int64  `json:"sector_size"`
	ChunkSize   int64  `json:"chunk_size"`
	Compression string `json:"compression"`

	Case        *name `json:"case"`
	Evidence    *name `json:"evidence"`
	Description *name `json:"description"`
	Examiner    *name `json:"examiner"`
	Notes       *name `json:"notes"`
	Model       *name `json:"model"`
	Serial      *name `json:"serial"`
	Label       *name `json:"label"`
	Software    *name `json:"software"`
	System      *name `json:"system"`
	Acquired    *name `json:"acquired"` // RFC 3339; without a zone when the image keeps the local time only
	Clock       *name `json:"clock"`    // of the acquiring system then

	MD5        *name         `json:"md5"` // stored; "verify" compares
	SHA1       *name         `json:"sha1"`
	ReadErrors []rangeReport `json:"read_errors"` // bytes that could not be read when it was acquired, and are zeros
	Bad        []badReport   `json:"bad"`         // damage met so far; "verify" finds all
}

type rangeReport struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

// reportEvidence returns nil for what is no EWF image.
func reportEvidence(img *points.Image) *evidenceReport {
	d := img.Disk.Evidence()
	if d == nil {
		return nil
	}
	i, stored := d.Info(), d.Stored()
	some := func(s string) *name {
		if strings.TrimSpace(s) == "" {
			return nil
		}
		n := name(s)
		return &n
	}
	r := &evidenceReport{
		Version: i.Version, Segments: i.Segments, Media: i.Media, Physical: i.Physical, SectorSize: i.SectorSize, ChunkSize: i.ChunkSize, Compression: i.Compression,
		Case: some(i.Case), Evidence: some(i.Evidence), Description: some(i.Description), Examiner: some(i.Examiner), Notes: some(i.Notes),
		Model: some(i.Model), Serial: some(i.Serial), Label: some(i.Label), Software: some(i.Software), System: some(i.System),
		Acquired: some(i.Acquired), Clock: some(i.Clock), MD5: some(stored.MD5), SHA1: some(stored.SHA1), ReadErrors: []rangeReport{}, Bad: []badReport{},
	}
	for _, e := range i.ReadErrors { // what the image says is a claim
		first := min(e.First, i.Sectors)
		r.ReadErrors = append(r.ReadErrors, rangeReport{first * i.SectorSize, min(e.Count, i.Sectors-first) * i.SectorSize})
	}
	for _, b := range d.Bad() {
		r.Bad = append(r.Bad, badReport{b.Off, b.Len, oneLine(b.Err)})
	}
	return r
}

const shownRanges = 20

func printEvidence(w io.Writer, r *evidenceReport) {
	if r == nil {
		return
	}
	fmt.Fprintf(w, "  EWF version %d, %d segments, chunks of %d bytes, compression %s\n", r.Version, r.Segments, r.ChunkSize, r.Compression)
	for _, line := range []struct {
		label string
		value *name
	}{
		{"case", r.Case}, {"evidence", r.Evidence}, {"description", r.Description}, {"examiner", r.Examiner}, {"notes", r.Notes},
		{"model", r.Model}, {"serial number", r.Serial}, {"label", r.Label}, {"acquired", r.Acquired}, {"system clock", r.Clock},
		{"software", r.Software}, {"operating system", r.System}, {"MD5, stored", r.MD5}, {"SHA1, stored", r.SHA1},
	} {
		if line.value != nil {
			fmt.Fprintf(w, "  %-16s  %s\n", line.label, printable(string(*line.value)))
		}
	}
	for n, e := range r.ReadErrors {
		if n == shownRanges {
			fmt.Fprintf(w, "  ... and %d more such ranges: --json lists them\n", len(r.ReadErrors)-n)
			break
		}
		fmt.Fprintf(w, "  not read when it was acquired: 0x%x bytes at 0x%x, zeros in the image\n", e.Length, e.Offset)
	}
	for n, b := range r.Bad {
		if n == shownRanges {
			fmt.Fprintf(w, "  ... and %d more such ranges: --json lists them\n", len(r.Bad)-n)
			break
		}
		fmt.Fprintf(w, "  BAD so far: 0x%x bytes at 0x%x: %s\n", b.Length, b.Offset, printable(b.Error))
	}
}
