package serve

import (
	"errors"

	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
	"snapmount/mount/tree"
	"snapmount/mount/web"
)

// errEnded says that nothing is served any more.
var errEnded = errors.New("the server has ended")

// A stand is what is served at a time: a set, and the front ends that are made of it. Another one takes its place as a whole
// when a volume is unlocked. A request is about one stand to its end, which keeps the set of that open.
type stand struct {
	set   *points.Set
	files *tree.FS
	send  *evidence.Sender
	web   *web.Server
	sites []site
	own   bool // the set was opened by this server
	users int  // requests and connections, and the server while this is its stand
}

// newStand makes a stand of a set. What people and programs hold of the one before stays, as far as it is of what both have.
func (v *Server) newStand(set *points.Set, before *stand) (*stand, error) {
	files, err := tree.New(set, tree.Options{View: v.opts.View, System: v.opts.System, Time: v.begun})
	if err != nil {
		return nil, err
	}
	// Tags of content do not stay: what was lost of another volume may have lain on the one that is open now.
	st := &stand{set: set, files: files, send: evidence.NewSender(files, v.opts.Warn), users: 1, own: before != nil}
	st.sites = v.joinedSites(st, before)
	return st, nil
}

// stand is the one that is served now. It stays until it is left.
func (v *Server) stand() *stand {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now.users++
	return v.now
}

// leave closes the set of a stand when the last one leaves it.
func (v *Server) leave(st *stand) {
	v.mu.Lock()
	st.users--
	last := st.users == 0
	v.mu.Unlock()
	if last {
		if err := st.set.Close(); err != nil {
			v.opts.Warn(err)
		}
	}
}

// use is a tree.Use.
func (v *Server) use() (*tree.FS, func()) {
	st := v.stand()
	return st.files, func() { v.leave(st) }
}

// reopen opens the images again with more secrets, and serves that. One at a time does so.
func (v *Server) reopen(more []*bitlocker.Secret) (*points.Set, error) {
	set, err := v.opts.Reopen(more)
	if err != nil {
		return nil, err
	}
	before := v.stand()
	defer v.leave(before)
	next, err := v.newStand(set, before)
	if err != nil {
		return nil, errors.Join(err, set.Close())
	}
	v.mu.Lock()
	if v.ended {
		v.mu.Unlock()
		return nil, errors.Join(errEnded, set.Close())
	}
	v.now = next
	v.mu.Unlock()
	v.leave(before)
	return set, nil
}

// end leaves the stand, where its set is nobody else's to close.
func (v *Server) end() {
	v.mu.Lock()
	v.ended = true
	own := v.now.own
	v.mu.Unlock()
	if own {
		v.leave(v.now)
	}
}
