package diffstore

import (
	"bytes"
	"fmt"

	"snapmount/imagefmt/layer"
)

// A volume may be the block image of one of its own snapshots: it has the catalog and the stores as they were on the live
// volume, beside the snapshot's content. Windows copies a block because it is about to be overwritten, so that on a live
// volume what stores keep differs from what is there. In the image of snapshot k, what the stores from k on keep is what
// is there, for each block in the first of them that has it. (Copies ahead of any write, of which the flags tell, are
// left out, and zeros, as what is there may have been lost.)

const (
	// maxSamples are taken of each store, fewSamples are needed to tell, and of no more than maxCompared is the content read.
	maxSamples  = 8
	fewSamples  = 4
	maxCompared = 256
)

// imageOf returns which snapshot the volume is the block image of, by its number from 1 on in the stack; 0 for none.
func (v *Volume) imageOf(x *index, samples [][]block) (of int) {
	found, compared := 0, 0
	for store := len(samples) - 1; store >= 0; store-- {
		for _, b := range samples[store] {
			if compared++; compared > maxCompared {
				return of
			}
			switch there, zero := v.holds(x, store, b); {
			case zero:
			case !there:
				return of
			default:
				found++
			}
		}
		if found >= fewSamples {
			of = store + 1
		}
	}
	return of
}

// holds reports whether the volume has what a store, or an older one, keeps of a block; zero says that it is no sample.
func (v *Volume) holds(x *index, store int, b block) (there, zero bool) {
	var want, have [BlockSize]byte
	n := layer.Clip(v.base.Size(), b.off(), BlockSize)
	if layer.ReadFull(v.base, have[:n], b.off()) != nil {
		return false, true
	}
	for p := x.find(b, 0); p < len(x.rows) && x.rows[p].block == b && int(x.rows[p].store) <= store; p++ {
		o := x.rows[p]
		if o.kind != regular || o.at == lostData || layer.ReadFull(x.storage[o.store], want[:n], int64(o.at)) != nil {
			continue
		}
		if bytes.Equal(want[:n], have[:n]) {
			return true, len(bytes.Trim(have[:n], "\x00")) == 0
		}
	}
	return false, false
}

// ImageOf returns the snapshot whose block image the volume is, nil when it is a live volume or nothing tells. What newer
// snapshots have from the live volume is not in it, and layer.Unknown. It reads the block lists.
func (v *Volume) ImageOf() *Snapshot {
	if of := v.index().image; of > 0 {
		return v.snapshots[of-1]
	}
	return nil
}

// newerThanImage returns an error when the volume is the block image of a snapshot older than s.
func (x *index) newerThanImage(s *Snapshot) error {
	if x.image == 0 || s.at < x.image {
		return nil
	}
	return fmt.Errorf("the volume is the block image of snapshot %d: what changed after that is not in it", s.vol.snapshots[x.image-1].Index)
}
