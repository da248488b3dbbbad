package format

import (
	"context"
	"errors"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// Acquisition is the disk of an image that was made as evidence: it keeps how it was made, and can be verified.
type Acquisition interface {
	layer.Source
	// Info tells what the image says of itself.
	Info() Info
	// Stored gives the hashes of the disk's content that the image keeps.
	Stored() Hashes
	// Bad returns the damaged ranges that reading met so far, about a thousand pieces at most, in order.
	Bad() []Range
	// Verify reads the whole disk, whatever Env.ZeroBad says, and computes its hashes. Its Faults are those that opening
	// did not find. The error is the cause of the end of ctx.
	Verify(ctx context.Context, progress layer.Progress) (Result, error)
}

// Info is what an image says of itself. Texts are "" and lists empty where it says nothing.
type Info struct {
	Version     int // 1 or 2
	Segments    int // that were opened
	Set         wintype.GUID
	Media       string // "fixed", "removable", "optical", "memory" or "single files"
	Physical    bool   // a whole device, not a volume
	SectorSize  int64
	Sectors     int64
	ChunkSize   int64
	Compression string // "none", "fast", "best"; of version 2 the method: "zlib" or "bzip2"

	Case, Evidence, Description, Examiner, Notes string
	Model, Serial, Label                         string
	Software, System                             string // that acquired
	// Acquired and Clock are when it was acquired and what the acquiring system's clock said then, as RFC 3339; without
	// a zone when the image keeps the local time only.
	Acquired, Clock string

	ReadErrors []Sectors // that could not be read when the image was made, and are zeros in it
	Sessions   []Session // of an optical disc
}

// Sectors is a range of the disk.
type Sectors struct{ First, Count int64 }

// Session is a session or track of an optical disc.
type Session struct {
	First int64 // sector
	Audio bool
}

// Hashes are in lower-case hexadecimal, "" for one that is not there.
type Hashes struct{ MD5, SHA1, SHA256 string }

// Result is what Verify found.
type Result struct {
	Stored, Computed Hashes
	// Bad is what could not be read, or is not there, in order: zeros for the hashes.
	Bad []Range
	// Unread is what was not read when the image was made, in order. The hashes are of what stands for it there.
	Unread []Range
	// Faults are what else is damaged in the image's files, or contradicts itself.
	Faults []error
	// Hidden says that there may be a stored hash beside these, in what is damaged or missing: it cannot be compared.
	Hidden bool
	// Tail is how many bytes the image has past the last whole sector, of which the hashes are, too.
	Tail int64
}

// Range is a part of the disk that cannot be read.
type Range struct {
	Off, Len int64 // bytes
	Err      error // of its first piece
}

// Why is the reason for which the range is unknown; 0 when it is damaged.
func (r Range) Why() layer.Reason {
	if unknown, ok := errors.AsType[*layer.UnknownError](r.Err); ok {
		return unknown.Why
	}
	return 0
}

// AddBad notes that the n bytes at off are bad, as a part of the range before them if that ends there and is unknown for
// the same reason, or damaged as they are.
func (r *Result) AddBad(off, n int64, err error) {
	next := Range{off, n, err}
	if i := len(r.Bad) - 1; i >= 0 && r.Bad[i].Off+r.Bad[i].Len == off && r.Bad[i].Why() == next.Why() {
		r.Bad[i].Len += n
		return
	}
	r.Bad = append(r.Bad, next)
}

// Sound reports whether all was read, no checksum is wrong, and no stored hash is another than what was computed, or
// cannot be compared.
func (r Result) Sound() bool {
	return len(r.Bad) == 0 && len(r.Faults) == 0 && !r.Hidden && (r.Stored.MD5 == "" || r.Stored.MD5 == r.Computed.MD5) &&
		(r.Stored.SHA1 == "" || r.Stored.SHA1 == r.Computed.SHA1)
}

// Compared reports whether the image keeps a hash that could be compared.
func (r Result) Compared() bool { return r.Stored != Hashes{} }

// Intact reports whether the image is Sound, and a hash that it keeps says so.
func (r Result) Intact() bool { return r.Sound() && r.Compared() }
