package web

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// errRequest says that a request is not one of those that the page makes.
var errRequest = errors.New("bad request")

// A place is what a request is about.
type place struct {
	volume *points.Volume
	point  *points.Point
	path   string // from the root on, with a slash before
}

// volumeOf finds the volume that a request is about.
func (s *Server) volumeOf(name string) (*points.Volume, error) {
	i := slices.IndexFunc(s.set.Volumes, func(v *points.Volume) bool { return v.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("volume %q: %w", name, fs.ErrNotExist)
	}
	return s.set.Volumes[i], nil
}

// placeOf finds volume, point and path of a request; the point may be under another key.
func (s *Server) placeOf(r *http.Request, point string) (p place, err error) {
	q := r.URL.Query()
	return s.place(q.Get("volume"), q.Get(point), q.Get("path"))
}

func (s *Server) place(volume, point, at string) (p place, err error) {
	if p.volume, err = s.volumeOf(volume); err != nil {
		return p, err
	}
	if p.point, err = p.volume.PointNamed(point); err != nil {
		return p, err
	}
	if p.path = at; !points.IsRecord(at) {
		p.path = "/" + strings.Trim(at, "/")
	}
	return p, nil
}

// node finds what the place is, and the stream of it that is meant.
func (p *place) node(r *http.Request, follow bool) (*ntfs.Node, string, error) {
	return p.point.Find(r.Context(), p.path, follow)
}

// location is the LOCATION of the place.
func (p *place) location() string {
	return points.Target{Volume: p.volume, Path: p.path}.At(p.point).Location()
}

// below joins a name to the path.
func (p *place) below(name string) string { return path.Join(p.path, name) }

// inTime are the points of the volume, the oldest first.
func (p *place) inTime() []*points.Point { return folder.InTime(p.volume) }

// there is the place as package folder has it.
func (p *place) there() folder.Place { return folder.Place{Point: p.point, Path: p.path} }
