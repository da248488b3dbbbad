package restore

import (
	"context"
	"iter"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A Plan is what sources come to. Holes, and further names of a file, take no space.
type Plan struct {
	Files, Dirs, Links int64
	Bytes              int64 // of content, without holes
	Space              int64 // Bytes, each file rounded up to pages of 4096, and one page for each directory
	Failed             int64 // that cannot be had
}

// Planned is a file, directory or link of a Plan.
type Planned struct {
	Path, Origin, Type string // as in Result
	Ref                ntfs.Ref
	Size, Data         int64 // bytes; Data without holes, and 0 for a further name of a file
	Err                error // why it cannot be restored, as far as tables tell
}

// Count makes a plan by reading tables and no content. each, which may be nil, is told everything that is in it. The
// error is of the context, or a source.
func Count(ctx context.Context, sources iter.Seq2[Source, error], opts Options, each func(Planned)) (Plan, error) {
	var p Plan
	links := map[fileKey]bool{}
	for it, err := range walk(ctx, sources, opts.Names, nil) {
		if err != nil {
			return p, err
		}
		if it.done {
			continue
		}
		one := Planned{Path: it.res.Path, Origin: it.res.Origin, Type: it.res.Type, Ref: it.res.Ref, Err: it.res.Err}
		if one.Err == nil && it.node != nil {
			one.measure(&it, opts.Partial, links)
		}
		p.add(&one)
		if each != nil {
			each(one)
		}
	}
	return p, nil
}

func (p *Plan) add(one *Planned) {
	switch {
	case one.Err != nil:
		p.Failed++
	case one.Type == "dir":
		p.Dirs++
		p.Space += pageSize
	case one.Type == "link":
		p.Links++
	default:
		p.Files++
		p.Bytes += one.Data
		p.Space += (one.Data + pageSize - 1) &^ (pageSize - 1)
	}
}

// measure finds out the size of a file, and whether tables say that it is all there.
func (one *Planned) measure(it *item, partial bool, links map[fileKey]bool) {
	if one.Type != "file" {
		return
	}
	m, err := contentOf(it.node, it.res.Stream)
	if one.Err = err; err != nil {
		return
	}
	one.Size = m.Size()
	if key := (fileKey{it.node.Tree(), it.node.Ref}); it.node.Links > 1 && it.res.Stream == "" {
		if links[key] {
			return
		}
		links[key] = true
	}
	var probe [1]byte
	for e, err := range layer.Resolve(m, 0, one.Size) {
		if err == nil && e.Kind != layer.Zero {
			one.Data += e.Len
		}
	}
	for e, err := range layer.Unkept(m) {
		if !partial && layer.ReadFull(m, probe[:], e.Off) != nil {
			one.Err = err
			return
		}
	}
}
