package timeline

import (
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/security"
)

// searched is what was found in a stream from point first to last.
type searched struct {
	first, last int
	matches     []Match
	err         error
	m           layer.Mapper
}

// contents searches a stream of a version wherever it is not proven to be what was searched before.
func (f *finder) contents(v *Version, stream string) []searched {
	i := slices.IndexFunc(v.Streams, func(s ntfs.StreamInfo) bool { return s.Name == stream })
	if i < 0 || v.Streams[i].Size == 0 {
		return nil
	}
	var out []searched
	for p := v.First; p <= v.Last; p++ {
		m, err := v.Node.In(f.points[p]).Stream(stream)
		c := searched{first: p, last: p, m: m, err: err}
		if v.Streams[i].Resident {
			c.last = v.Last
		}
		old, ok := f.last[stream]
		if err == nil && ok && old.m != nil {
			same, _, err := compare.SameContent(f.ctx, old.m, m)
			if ok = same && err == nil; ok {
				c.matches, c.err = old.matches, old.err
			}
		}
		if err == nil && (!ok || old.m == nil) {
			c.matches, c.err = f.q.Content.search(f.ctx, m)
		}
		if f.last[stream] = c; len(out) > 0 && ok {
			out[len(out)-1].last = c.last
		} else {
			out = append(out, c)
		}
		p = c.last
	}
	return out
}

// search adds those parts of h, a file or stream of v, whose content matches.
func (f *finder) search(v *Version, h Hit) {
	h.By = "content"
	for _, c := range f.contents(v, h.Stream) {
		part := h
		part.First, part.Last = max(h.First, c.first), min(h.Last, c.last)
		part.Matches, part.Err = c.matches, c.err
		if part.First <= part.Last && (len(c.matches) > 0 || c.err != nil) {
			f.merge(part)
		}
	}
}

// owners knows owners of files by their security id, which $Secure keeps for many.
type owners map[ownerKey]string

type ownerKey struct {
	t  *ntfs.Tree
	id uint32
}

// of gives the owner's SID, empty where it is not known.
func (o owners) of(n *ntfs.Node) string {
	k := ownerKey{n.Tree(), n.SecurityID}
	sid, ok := o[k]
	if ok && k.id != 0 {
		return sid
	}
	if raw, err := n.Security(); err == nil {
		if d, _ := security.Decode(raw); d != nil {
			sid = d.Owner.String()
		}
	}
	const most = 1 << 16
	if len(o) >= most {
		clear(o)
	}
	o[k] = sid
	return sid
}
