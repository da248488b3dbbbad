package page

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
	"snapmount/ntfs/timeline"
)

// maxFound is how many files of a pattern a page has.
const maxFound = 10_000

// lose takes note of what could not be looked at.
func (p *Page) lose(where string, err error) { p.Lost = append(p.Lost, where+": "+report.OneLine(err)) }

// AddImages fills what is told of all of the images, and reads them whole for their hashes where that is wanted.
func (p *Page) AddImages(ctx context.Context, s *points.Set, hash bool, progress layer.Progress) error {
	p.Info = report.InfoOf(s)
	if !hash {
		return context.Cause(ctx)
	}
	defer progress.Tell("", 0, 0)
	for _, img := range s.Images {
		v, err := report.VerifyOf(ctx, img, progress)
		if err != nil {
			return err
		}
		p.Verified = append(p.Verified, v)
	}
	return nil
}

// AddFile adds what a location names, over all points: a file, or each that ever was in a directory.
func (p *Page) AddFile(ctx context.Context, open selection.Opener, location string, progress layer.Progress) error {
	all, err := open.Places(ctx, location, points.AtAnyPoint)
	if err != nil {
		return err
	}
	defer all.Close()
	p.Chosen = true
	for _, place := range all.List {
		for _, err := range append(place.Lost(true), place.Target.Lost...) {
			p.lose(location, err)
		}
		if err := p.history(ctx, place, progress); err != nil {
			return err
		}
	}
	return nil
}

// history adds the versions of what is at a place, with their hashes.
func (p *Page) history(ctx context.Context, place *selection.Place, progress layer.Progress) error {
	versions, err := place.History(ctx, false, false)
	if err != nil {
		return err
	}
	defer progress.Tell("", 0, 0)
	f, key := File{Location: place.Target.Location()}, place.Volume.Image.Path+":"+place.Volume.OwnName()
	for v, err := range versions {
		if err != nil {
			return err
		}
		row := report.VersionOf(place.InTime(), v)
		if row.Error != "" {
			p.lose(f.Location, v.Err)
		}
		if row.Kind == "file" {
			m, err := v.Node.Stream(v.Stream)
			if err == nil {
				row.SHA256, err = restore.SHA256(ctx, m, progress.As(f.Location))
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				err = place.InTime()[v.First].Because(err)
				row.Error = report.OneLine(err)
				p.lose(fmt.Sprintf("%s (%s)", f.Location, row.First), err)
			}
		}
		f.Versions = append(f.Versions, row)
		key += fmt.Sprintf(" %s %s %q", row.Ref, row.First, row.Stream)
	}
	if p.has == nil {
		p.has = map[string]bool{}
	}
	if !p.has[key] { // else it was chosen twice
		p.has[key] = true
		p.Files = append(p.Files, f)
	}
	return nil
}

// AddFound adds the files of an image whose names or paths a pattern matches at any point, each once.
func (p *Page) AddFound(ctx context.Context, open selection.Opener, image string, q selection.Query, progress layer.Progress) error {
	s, err := open.Scopes(ctx, []string{image})
	if err != nil {
		return err
	}
	defer s.Close()
	p.Chosen = true
	for _, err := range s.Lost {
		p.lose(q.Pattern, err)
	}
	found, looked := 0, 0
	for _, sc := range s.List {
		hits, err := p.find(ctx, sc, q, progress)
		if err != nil {
			return err
		}
		found, looked = found+len(hits), looked+len(sc.Points)
		for _, h := range hits {
			path := h.Path
			if h.Orphan || h.Deleted {
				path = fmt.Sprintf("#%d", h.Ref.Record)
			}
			at := sc.Points[h.Last]
			place := &selection.Place{Target: points.Target{Volume: sc.Volume, Point: at, Path: path, HasPath: true, HasVolume: true, HasPoint: true}}
			if err := p.history(ctx, place, progress); ctx.Err() != nil {
				return context.Cause(ctx)
			} else if err != nil {
				p.lose(place.Target.Location(), err)
			}
		}
	}
	p.Searched = append(p.Searched, fmt.Sprintf("Searched for %s: files found %d, in volumes %d, at points in time %d.", q.Pattern, found, len(s.List), looked))
	return nil
}

// find gives the newest hit of each file, by path.
func (p *Page) find(ctx context.Context, sc *selection.Scope, q selection.Query, progress layer.Progress) ([]timeline.Hit, error) {
	trees, fold := sc.Trees(func(err error) { p.lose(sc.Volume.Name, err) })
	if fold == nil {
		return nil, nil
	}
	compiled, err := q.Compile(fold)
	if err != nil {
		return nil, err
	}
	defer progress.Tell("", 0, 0)
	newest := map[ntfs.Ref]timeline.Hit{}
	for h, err := range timeline.Find(ctx, trees, timeline.ReadDirs(ctx, trees, progress.Of(sc.Volume.Name)), compiled, progress.Of(sc.Volume.Name)) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			p.lose(sc.Volume.Name, sc.At(h.First, h.Last, err))
			continue
		}
		if old, met := newest[h.Ref]; !met || cmp.Or(cmp.Compare(h.Last, old.Last), -cmp.Compare(h.Path, old.Path)) > 0 {
			newest[h.Ref] = h
		}
	}
	hits := make([]timeline.Hit, 0, len(newest))
	for _, h := range newest {
		hits = append(hits, h)
	}
	slices.SortFunc(hits, func(a, b timeline.Hit) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Ref.Record, b.Ref.Record), cmp.Compare(a.Ref.Seq, b.Ref.Seq))
	})
	if len(hits) > maxFound {
		p.lose(q.Pattern, fmt.Errorf("%d files match, and the page has the first %d", len(hits), maxFound))
		hits = hits[:maxFound]
	}
	return hits, nil
}

func badLine(image string, b report.Bad) string {
	return fmt.Sprintf("%s: %d bytes at %d: %s", image, b.Length, b.Offset, b.Error)
}
