package compressed

import (
	"fmt"
	"io"
	"sync"
)

// decoders is a limited number of decoders that are kept where they stopped, so that reading on from there costs nothing
// more than what is read.
type decoders struct {
	open  func() (stream, error)
	limit int

	lock  sync.Mutex // of what follows; held for choosing only
	free  sync.Cond  // signalled when a decoder is given back
	all   []*decoder
	turns int64
}

// decoder is a stream and what it has unpacked but not given yet.
type decoder struct {
	stream stream
	at     int64  // on the disk, of rest
	rest   []byte // until the next call of the stream
	err    error  // what comes after it

	busy bool
	goal int64 // where it is, or will be when it is not busy any more
	used int64
}

// take returns a decoder that is not behind s.off and is to read s. One that stands between the checkpoint and s is
// better than the checkpoint, and worth waiting for when it will stand there soon: else two readers of one
// sequence would both unpack it.
func (ds *decoders) take(s span, from checkpoint) (*decoder, error) {
	ds.lock.Lock()
	for {
		d := ds.choose(s.off, from.out)
		if d != nil && !d.busy {
			seek := d.goal < from.out || d.goal > s.off
			ds.turns++
			d.busy, d.goal, d.used = true, s.end, ds.turns
			ds.lock.Unlock()
			if seek || d.stream == nil {
				return d, d.seek(ds.open, from)
			}
			return d, nil
		}
		ds.free.Wait()
	}
}

// choose returns the best decoder for off, which may be busy: the one that is nearest behind, else a new one, else the
// one that was not used for longest; nil when all are busy.
func (ds *decoders) choose(off, from int64) *decoder {
	var near, old *decoder
	for _, d := range ds.all {
		if d.goal >= from && d.goal <= off && (near == nil || d.goal > near.goal) {
			near = d
		}
		if !d.busy && (old == nil || d.used < old.used) {
			old = d
		}
	}
	if near != nil {
		return near
	}
	if len(ds.all) < ds.limit {
		old = &decoder{goal: -1}
		ds.all = append(ds.all, old)
	}
	return old
}

// release gives a decoder back.
func (ds *decoders) release(d *decoder) {
	ds.lock.Lock()
	defer ds.lock.Unlock()
	d.busy = false
	ds.free.Broadcast()
}

// drop is release for one that failed.
func (ds *decoders) drop(d *decoder) {
	ds.lock.Lock()
	defer ds.lock.Unlock()
	d.busy, d.goal, d.used, d.stream = false, -1, 0, nil
	ds.free.Broadcast()
}

// seek goes to a checkpoint.
func (d *decoder) seek(open func() (stream, error), c checkpoint) (err error) {
	if d.stream == nil {
		if d.stream, err = open(); err != nil {
			return err
		}
	}
	d.at, d.rest, d.err = c.out, nil, nil
	return d.stream.seek(c)
}

// read returns the bytes of s, which is not before where d is.
func (d *decoder) read(s span) ([]byte, error) {
	b := make([]byte, 0, s.end-s.off)
	for {
		skip := min(int64(len(d.rest)), s.off+int64(len(b))-d.at)
		n := min(int64(len(d.rest))-skip, int64(cap(b)-len(b)))
		b = append(b, d.rest[skip:skip+n]...)
		d.at, d.rest = d.at+skip+n, d.rest[skip+n:]
		if len(b) == cap(b) {
			return b, nil
		}
		if d.err != nil {
			return nil, d.err
		}
		if d.rest, _, d.err = d.stream.next(); d.err == io.EOF {
			d.err = fmt.Errorf("unpacks to 0x%x bytes, want 0x%x: %w", d.at, s.end, io.ErrUnexpectedEOF)
		}
	}
}
