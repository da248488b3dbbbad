package nfs

import (
	"math"
	"time"

	"snapmount/mount/tree"
)

// Types of files.
var types = [...]uint32{tree.KindFile: 1, tree.KindDir: 2, tree.KindBlockDevice: 3, tree.KindCharDevice: 4, tree.KindLink: 5,
	tree.KindSocket: 6, tree.KindFIFO: 7}

// blockUnit is what sizes are multiples of.
const blockUnit = 4096

// mode gives the permissions of a node: those of the Mount, else those of one that lets others in. Block images have what files
// deny others, the deleted too: they are their owner's alone.
func (s *Server) mode(n tree.Node) uint32 {
	if s.guard != nil {
		return uint32(s.guard.Mode(n))
	}
	dir := n.Kind == tree.KindDir
	switch private := s.tree.Private(n.ID); {
	case n.Kind == tree.KindLink:
		return 0o777
	case private && dir:
		return 0o500
	case private:
		return 0o400
	case dir:
		return 0o755
	}
	return 0o644
}

// putAttr appends the attributes of a node: u32 type, mode, links, uid, gid; u64 size, bytes used, two u32 of a device, u64
// file system, file number; three times. Devices have the number 0.
func (r *request) putAttr(n tree.Node, a *tree.Attr) {
	size := uint64(a.Size)
	if n.Kind == tree.KindDir {
		size = blockUnit // as on most systems
	}
	for _, v := range []uint32{types[n.Kind], r.server.mode(n), uint32(a.Links), r.server.uid, r.server.gid} {
		r.out.u32(v)
	}
	for _, v := range []uint64{size, uint64(a.Allocated), 0, be.Uint64(r.server.tag[:]), n.ID} {
		r.out.u64(v)
	}
	for _, t := range []time.Time{a.Accessed, a.Modified, a.Changed} {
		r.putTime(t)
	}
}

// putTime appends u32 seconds since 1970 and nanoseconds.
func (r *request) putTime(t time.Time) {
	switch sec := t.Unix(); {
	case sec < 0:
		r.out.u64(0)
	case sec > math.MaxUint32:
		r.out.u64(math.MaxUint32<<32 | 999_999_999)
	default:
		r.out.u32(uint32(sec))
		r.out.u32(uint32(t.Nanosecond()))
	}
}

// putOptional appends the attributes of a node where they may be left out: where they cannot be had.
func (r *request) putOptional(n tree.Node) {
	a, err := n.Attr()
	if r.out.bool(err == nil); err == nil {
		r.putAttr(n, &a)
	}
}

func getAttr(r *request) error {
	n, err := r.node()
	if err != nil {
		return err
	}
	a, err := n.Attr()
	if err != nil {
		return about(n, err)
	}
	r.putAttr(n, &a)
	return nil
}

// access tells what a user may do: what the mode permits, of reading.
func access(r *request) error {
	const mayRead, mayLookup, mayExecute = 1, 2, 0x20
	n, err := r.node()
	if err != nil {
		return err
	}
	asked, mode := r.args.u32(), r.server.mode(n)>>r.class()
	var may uint32
	if mode&4 != 0 {
		may |= mayRead
	}
	if mode&1 != 0 {
		may |= mayExecute
	}
	if mode&1 != 0 && n.Kind == tree.KindDir {
		may |= mayLookup
	}
	r.putOptional(n)
	r.out.u32(may & asked)
	return nil
}

func (c *credential) in(group uint32) bool {
	in := c.gid == group
	for _, g := range c.groups {
		in = in || g == group
	}
	return in
}

// fsStat tells u64 bytes in all, free and free to users, files in all, and twice those free; u32 seconds that it will not
// change.
func fsStat(r *request) error {
	n, err := r.node()
	if err != nil {
		return err
	}
	s, _ := n.Space() // that a damaged volume does not tell what is free is no reason to refuse its size
	r.putOptional(n)
	for _, v := range []uint64{uint64(s.Total), uint64(s.Free), 0, s.Files, 0, 0} {
		r.out.u64(v)
	}
	r.out.u32(math.MaxUint32)
	return nil
}

// fsInfo tells the limits: u32 most, best and unit of reads; the same of writes; best of listings; u64 longest file, u64 unit
// of times, u32 what there is.
func fsInfo(r *request) error {
	const symlinks, hardLinks, sameEverywhere = 2, 1, 8
	n, err := r.node()
	if err != nil {
		return err
	}
	r.putOptional(n)
	for _, v := range []uint32{maxRead, maxRead, blockUnit, maxWrite, maxWrite, blockUnit, bestList} {
		r.out.u32(v)
	}
	r.out.u64(math.MaxInt64)
	r.out.u64(100) // ns
	r.out.u32(symlinks | hardLinks | sameEverywhere)
	return nil
}

// pathConf tells u32 most links and longest name, and that names are neither cut nor told apart by case, which is kept;
// nobody may give files away.
func pathConf(r *request) error {
	n, err := r.node()
	if err != nil {
		return err
	}
	r.putOptional(n)
	for _, v := range []uint32{1024, shownName, 1, 1, 1, 1} {
		r.out.u32(v)
	}
	return nil
}
