package report

import (
	"context"
	"errors"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Verify is the document of "verify --json".
type Verify struct {
	Schema int    `json:"schema"` // the version of this JSON
	Image  string `json:"image"`  // as it was named
	Format string `json:"format"` // of the image
	Size   int64  `json:"size"`   // bytes of the disk
	Hashes []Hash `json:"hashes"` // of the whole disk
	Bad    []Bad  `json:"bad"`    // ranges of the disk that are damaged or missing; they count as zeros in the hashes
	// Unread are ranges that were not read when the image was made; the hashes are of what stands for them in it.
	Unread []Range  `json:"unread"`
	Faults []string `json:"faults"` // what else is damaged in the image's files, or contradicts itself
	Tail   int64    `json:"tail"`   // bytes behind the last whole sector: in the hashes, and not in the disk
	// Compared says that the image keeps a hash, and that it could be compared. One that keeps none can be sound, and
	// not intact.
	Compared bool `json:"compared"`
	Sound    bool `json:"sound"`  // no range is bad, and nothing that could be compared differs
	Intact   bool `json:"intact"` // sound, and compared with a hash that the image keeps
}

// Hash compares one of an image's hashes.
type Hash struct {
	Name     string  `json:"name"`           // MD5, SHA1 or SHA256
	Stored   *string `json:"stored"`         // when the image was made
	Computed string  `json:"computed"`       // of what was read
	Lost     bool    `json:"lost,omitempty"` // there may be a stored one, in what is damaged or missing of the image
}

// VerifyOf reads all of an image. The error is the cause of the end of ctx.
func VerifyOf(ctx context.Context, img *points.Image, progress layer.Progress) (Verify, error) {
	r, err := img.Disk.Verify(ctx, progress)
	v := Verify{Schema: Schema, Image: img.Path, Format: img.Disk.Format(), Size: img.Disk.Size(), Bad: []Bad{}, Unread: []Range{}, Faults: []string{},
		Tail: r.Tail, Compared: r.Compared(), Sound: r.Sound(), Intact: r.Intact(),
		Hashes: []Hash{
			hashOf("MD5", r.Stored.MD5, r.Computed.MD5, r.Hidden),
			hashOf("SHA1", r.Stored.SHA1, r.Computed.SHA1, r.Hidden),
			hashOf("SHA256", r.Stored.SHA256, r.Computed.SHA256, false),
		}}
	for _, b := range r.Bad {
		v.Bad = append(v.Bad, badOf(b.Off, b.Len, b.Err))
	}
	for _, u := range r.Unread {
		v.Unread = append(v.Unread, Range{u.Off, u.Len})
	}
	for _, err := range r.Faults {
		v.Faults = append(v.Faults, OneLine(err))
	}
	return v, err
}

// UnreadBytes is how many bytes were not read when the image was made.
func (v *Verify) UnreadBytes() (n int64) {
	for _, u := range v.Unread {
		n += u.Length
	}
	return n
}

func badOf(off, n int64, err error) Bad {
	b := Bad{Offset: off, Length: n, Error: OneLine(err)}
	if unknown, ok := errors.AsType[*layer.UnknownError](err); ok {
		b.Reason, b.Error = unknown.Why, unknown.Why.String()
	}
	return b
}

// hashOf compares; stored is empty where the image keeps none that can be read.
func hashOf(name, stored, computed string, hidden bool) Hash {
	h := Hash{Name: name, Computed: computed, Lost: hidden && stored == ""}
	if stored != "" {
		h.Stored = &stored
	}
	return h
}
