package points

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Verdict says whether all of a stream's content is in the image. The zero Verdict is that it is.
type Verdict struct {
	Ranges     []Range // what is not, in order
	More       bool    // there are more of them than a Verdict lists
	Ciphertext bool    // it is there, encrypted by EFS
	Err        error   // why nothing can be told
	Trust      Trust   // what it rests on at a point that was carved, where that was asked for (Point.TrustIn)
}

// Range is a range of a stream that is not in the image.
type Range struct {
	Off, Len int64        // bytes
	Why      layer.Reason // it is unknown
	Err      error        // what is damaged; nil when nothing is
}

// maxRanges is how many ranges a Verdict lists.
const maxRanges = 20

// Judge gives the verdict on a stream of a file, "" for the unnamed one. It reads tables, no data.
func Judge(n *ntfs.Node, stream string) (v Verdict) {
	m, err := n.Stream(stream)
	if err != nil {
		v.Err = err
		return v
	}
	v.Ciphertext = ntfs.IsCiphertext(m)
	for e, err := range layer.Unkept(m) {
		r := Range{Off: e.Off, Len: e.Len, Err: err}
		if unknown := (*layer.UnknownError)(nil); errors.As(err, &unknown) {
			r.Why, r.Err = unknown.Why, nil
		}
		if last := len(v.Ranges) - 1; last >= 0 && v.Ranges[last].goesOn(r) {
			v.Ranges[last].Len += r.Len
			continue
		}
		if v.More = len(v.Ranges) == maxRanges; v.More {
			break
		}
		v.Ranges = append(v.Ranges, r)
	}
	return v
}

// goesOn reports whether next goes on where r ends, for the same reason.
func (r Range) goesOn(next Range) bool {
	return r.Err == nil && next.Err == nil && r.Why == next.Why && r.Off+r.Len == next.Off
}

// Intact reports whether all content is in the image, to be read.
func (v Verdict) Intact() bool { return v.Err == nil && !v.Ciphertext && len(v.Ranges) == 0 }

// String says it in words: "intact", or what is not and why.
func (v Verdict) String() string {
	if v.Err != nil {
		return oneLine(v.Err)
	}
	if v.Intact() {
		return "intact"
	}
	var parts []string
	if v.Ciphertext {
		parts = append(parts, "encrypted (EFS): these bytes are ciphertext")
	}
	for _, r := range v.Ranges {
		parts = append(parts, r.String())
	}
	if v.More {
		parts = append(parts, "and more")
	}
	return strings.Join(parts, "; ")
}

// String says where the range is and why its content is not there.
func (r Range) String() string {
	if r.Err != nil {
		return fmt.Sprintf("%d bytes at %d: %s", r.Len, r.Off, oneLine(r.Err))
	}
	return fmt.Sprintf("%d bytes at %d: unknown, %v", r.Len, r.Off, r.Why)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
