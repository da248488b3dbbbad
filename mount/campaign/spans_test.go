package campaign

import (
	"snapmount/imagefmt/layer"
)

// A span is a range of the disk, in bytes.
type span struct{ off, n int64 }

type spans []span

// resolved says where on the disk a range of a layer is, as far as it is there.
func resolved(s layer.Source, off, n int64) (out spans) {
	for e, err := range layer.Resolve(s, off, n) {
		if err == nil && e.Kind == layer.Data {
			out = append(out, span{e.BaseOff, e.Len})
		}
	}
	return out
}

func (s spans) size() (n int64) {
	for _, x := range s {
		n += x.n
	}
	return n
}

// meets reports whether any two of them overlap.
func (s spans) meets(o spans) bool {
	for _, a := range s {
		for _, b := range o {
			if a.off < b.off+b.n && b.off < a.off+a.n {
				return true
			}
		}
	}
	return false
}
