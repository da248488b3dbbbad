package nfs

import "snapmount/mount/tree"

// mountProcedures are those of RFC 1813 appendix I, by number. No list of clients is kept.
var mountProcedures = []procedure{
	{name: "MOUNT NULL", do: null},
	{name: "MNT", do: mnt, status: true},
	{name: "DUMP", do: dump},
	{name: "UMNT", do: null},
	{name: "UMNTALL", do: null},
	{name: "EXPORT", do: export},
}

// mnt takes a path, and gives the handle of a directory and how one may say who one is: of a Mount, the top for its own path.
func mnt(r *request) error {
	at := string(r.args.opaque(maxPath))
	if g := r.server.guard; g != nil {
		if !g.takes(at) {
			return errDenied
		}
		at = "/"
	}
	n, err := r.server.tree.Walk(at, true)
	switch {
	case err != nil:
		return err
	case n.Kind != tree.KindDir:
		return tree.ErrNotDir
	}
	r.putHandle(n)
	for _, v := range []uint32{2, authUnix, authNull} {
		r.out.u32(v)
	}
	return nil
}

// dump lists no clients.
func dump(r *request) error { r.out.bool(false); return nil }

// export lists the root, for everybody. All directories below it can be mounted too. A Mount is for nobody else.
func export(r *request) error {
	if r.server.guard != nil {
		r.out.bool(false)
		return nil
	}
	r.out.bool(true)
	r.out.text("/")
	r.out.bool(false)
	r.out.bool(false)
	return nil
}
