package compare

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// compareStreams tells whether the unnamed stream changed, and which of the named ones came, went or changed.
func (p *pair) compareStreams() {
	old, now := streamsOf(p.old), streamsOf(p.now)
	names := maps.Clone(old)
	maps.Copy(names, now)
	streams := Change{Kind: Streams, OldSize: -1, NewSize: -1}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		x, had := old[name]
		y, has := now[name]
		if !had && p.old.Damage != nil || !has && p.now.Damage != nil {
			continue
		}
		same, by := false, ByRecord
		if had && has && x.Size == y.Size {
			var err error
			if same, by, err = p.sameStream(name); err != nil {
				p.fail(streamWord(name), err)
				continue
			}
		}
		switch {
		case same:
		case name == "":
			p.add(p.now, p.at, place{}, Change{Kind: Content, By: by, OldSize: size(p.old), NewSize: size(p.now)})
		default:
			if len(streams.Fields) == 0 || by == ByRecord {
				streams.By = by
			}
			streams.Fields = append(streams.Fields, name)
		}
	}
	if len(streams.Fields) > 0 {
		p.add(p.now, p.at, place{}, streams)
	}
}

func streamWord(name string) string {
	if name == "" {
		return "content"
	}
	return fmt.Sprintf("stream %q", name)
}

func streamsOf(n *ntfs.Node) map[string]ntfs.StreamInfo {
	list, _ := n.Streams() // damage is told with the node
	out := make(map[string]ntfs.StreamInfo, len(list))
	for _, s := range list {
		out[s.Name] = s
	}
	return out
}

// sameStream compares a stream that both have, by what the volume keeps of it.
func (p *pair) sameStream(name string) (bool, By, error) {
	x, err := p.old.Stored(name)
	y, err2 := p.now.Stored(name)
	if err := sideErr(err, err2); err != nil {
		return false, ByBytes, err
	}
	if p.opts.Paranoid {
		return same(p.ctx, x, y, written(p.ctx, x, y))
	}
	return SameContent(p.ctx, x, y)
}

// written yields the ranges of two streams that are not holes in both; when ctx ends, any.
func written(ctx context.Context, a, b layer.Source) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		for p := range layer.Pairs(a, b, 0, a.Size()) {
			hole := p.Err == nil && ctx.Err() == nil && p.A.Kind == layer.Zero && p.B.Kind == layer.Zero
			if !hole && !yield(p.Off, p.Len) {
				return
			}
		}
	}
}
