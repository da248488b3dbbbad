package format

import (
	"context"

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
	// Verify reads the whole disk, whatever Env.ZeroBad says, and computes its hashes. The error is the cause of
	// the end of ctx.
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
type Hashes struct{ MD5, SHA1 string }

// Result is what Verify found.
type Result struct {
	Stored, Computed Hashes
	Bad              []Range // in order; each is read as zeros for the hashes
}

// Range is a part of the disk that cannot be read.
type Range struct {
	Off, Len int64 // bytes
	Err      error // of its first chunk
}

// Intact reports whether every chunk was read and agrees with its checksum, and every stored hash is what was computed.
func (r Result) Intact() bool {
	return len(r.Bad) == 0 && (r.Stored.MD5 == "" || r.Stored.MD5 == r.Computed.MD5) &&
		(r.Stored.SHA1 == "" || r.Stored.SHA1 == r.Computed.SHA1)
}
