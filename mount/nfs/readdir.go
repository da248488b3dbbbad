package nfs

import (
	"fmt"

	"snapmount/mount/tree"
)

// bestList is how many bytes of a listing are best asked for at once.
const bestList = 256 << 10

// readDir takes a directory, u64 cookie, u64 verifier and u32 size of the answer.
func readDir(r *request) error { return r.list(false) }

// readDirPlus takes the same, but for two sizes: of names, which is no limit that an answer could break, and of all. Entries have
// attributes and handles. One whose record is damaged has neither: looking it up tells why.
func readDirPlus(r *request) error { return r.list(true) }

// list gives attributes of the directory, u64 verifier, entries, and whether they are all. A cookie is how many entries are
// before: 1 is the dot, 2 the two dots, 3 and on those of the Listing. The handle says for what they hold: the verifier is not
// looked at.
func (r *request) list(plus bool) error {
	dir, err := r.node()
	if err != nil {
		return err
	}
	off := r.args.u64()
	r.args.u64()
	if plus {
		r.args.u32()
	}
	size := min(r.args.u32(), maxRead)
	if dir.Kind != tree.KindDir {
		return tree.ErrNotDir
	}
	l, err := r.server.tree.List(dir.ID)
	if err != nil {
		return about(dir, err)
	}
	end := uint64(l.Len()) + 2
	if off > end {
		return errCookie
	}
	limit := len(r.out.b) - 4 + int(size) // the status counts
	r.putOptional(dir)
	r.out.b = append(r.out.b, r.server.tag[:]...)
	first := off
	for ; off < end; off++ {
		at := len(r.out.b)
		r.putEntry(dir, l, off, plus)
		if len(r.out.b) > limit-8 {
			r.out.b = r.out.b[:at]
			break
		}
	}
	switch {
	case off == end && l.Err != nil && off == first:
		r.server.tree.Listed(dir.ID, l)
		return fmt.Errorf("%s: entries are missing: %w", dir, l.Err)
	case off == first && off < end:
		return errTooSmall
	}
	whole := off == end && l.Err == nil
	r.out.bool(false)
	r.out.bool(whole)
	if whole {
		r.server.tree.Listed(dir.ID, l)
	}
	return nil
}

// putEntry appends the entry behind a cookie: u64 file number, name, u64 cookie, then attributes and handle if wanted.
func (r *request) putEntry(dir tree.Node, l *tree.Listing, cookie uint64, plus bool) {
	var n tree.Node
	var err error
	name, id := ".", dir.ID
	switch cookie {
	case 0:
		n = dir
	case 1:
		name = ".."
		if n, err = dir.Parent(); err == nil {
			id = n.ID
		}
	default:
		e := l.Entry(int(cookie - 2))
		if name, id = e.Name, e.ID; plus {
			n, err = e.Node()
		}
	}
	r.out.bool(true)
	r.out.u64(id)
	r.out.text(name)
	r.out.u64(cookie + 1)
	if !plus {
		return
	}
	var a tree.Attr
	if err == nil {
		a, err = n.Attr()
	}
	if err != nil {
		r.out.u64(0) // neither
		return
	}
	r.out.bool(true)
	r.putAttr(n, &a)
	r.out.bool(true)
	r.putHandle(n)
}
