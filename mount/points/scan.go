package points

import (
	"context"
	"slices"

	"snapmount/imagefmt/partition"
)

// Scan is what was found on all of an image's disk, whatever its table says.
type Scan struct {
	*partition.Scan
	Volumes []*Volume // of Scan.Found, by index: what is open there; nil for none
}

// Scan reads every sector of an image and finds the volumes that begin or end in any of them. Its error is the cause of
// ctx.
func (s *Set) Scan(ctx context.Context, img *Image) (*Scan, error) {
	all, err := partition.ScanAll(ctx, img.Disk, s.opts.Progress.Of(img.Path))
	if err != nil {
		return nil, err
	}
	r := &Scan{Scan: all}
	for _, f := range all.Found {
		i := slices.IndexFunc(s.Volumes, func(v *Volume) bool { return v.Image == img && v.Partition.Off == f.Off })
		if i < 0 {
			r.Volumes = append(r.Volumes, nil)
		} else {
			r.Volumes = append(r.Volumes, s.Volumes[i])
		}
	}
	return r, nil
}
