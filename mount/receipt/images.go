package receipt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// images describes the images, and the files of this machine that they are made of.
func images(sets []*points.Set) (images []Image, files []File, err error) {
	var met []string
	for _, s := range sets {
		for _, img := range s.Images {
			one := Image{Path: img.Path, Format: img.Disk.Format(), Size: img.Disk.Size()}
			if e := img.Disk.Evidence(); e != nil {
				one.MD5, one.SHA1 = e.Stored().MD5, e.Stored().SHA1
			}
			images = append(images, one)
		}
		for _, name := range s.HostFiles() {
			if slices.Contains(met, name) {
				continue
			}
			met = append(met, name)
			f, err := fileOf(name)
			if err != nil {
				return nil, nil, err
			}
			if full, err := device.Abs(name); err == nil {
				f.Path = full
			}
			files = append(files, f)
		}
	}
	return images, files, nil
}

// fileOf reads both ends of a file.
func fileOf(name string) (File, error) {
	f, err := device.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	info, err := device.Info(f)
	if err != nil {
		return File{}, err
	}
	g := device.Geometry{Size: info.Size()}
	if !info.Mode().IsRegular() {
		if g, err = device.Measure(f); err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	r, size := device.NewReader(f, g), g.Size
	const edge = 64 << 10
	h := sha256.New()
	for _, part := range [][2]int64{{0, min(edge, size)}, {max(size-edge, min(edge, size)), size}} {
		if _, err := io.Copy(h, io.NewSectionReader(r, part[0], part[1]-part[0])); err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return File{name, size, info.ModTime().UTC().Format(wintype.Layout7), hex.EncodeToString(h.Sum(nil))}, nil
}

func pointOf(p *points.Point) (Point, error) {
	t, err := p.Files()
	if err != nil {
		return Point{}, err
	}
	v := p.Volume
	out := Point{Origin: report.Location(p), Image: v.Image.Path, Volume: v.Name, Serial: fmt.Sprintf("%016x", t.Serial()), Point: p.Name,
		UnlockedBy: report.UnlockerOf(v)}
	if s := p.Snapshot; s != nil {
		copyID, setID := s.CopyID.String(), s.SetID.String()
		out.CopyID, out.SetID = &copyID, &setID
		if !s.Created.IsZero() {
			created := s.Created.UTC().Format(wintype.Layout7)
			out.Created = &created
		}
	}
	return out, nil
}
