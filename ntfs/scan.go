package ntfs

import (
	"fmt"
	"iter"
	"runtime"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// scanWindow is how much is read at once of what is read from end to end.
const scanWindow = 512 << 10

// Nodes yields the node of every base record in use, by record number. A record that is damaged is an error beside a
// node that has no more than its number. What is yielded is overwritten later: copy a node to keep it.
//
// The $MFT is read in large pieces, past the cache, on all processors. It takes memory for a few pieces, whatever the
// size of the $MFT.
func (t *Tree) Nodes() iter.Seq2[*Node, error] {
	return func(yield func(*Node, error) bool) {
		for w := range t.windows((*window).findNodes) {
			for i := range w.nodes {
				n := &w.nodes[i]
				if !yield(n, w.errs[n.Ref.Record]) {
					return
				}
			}
		}
	}
}

// A window is a piece of the $MFT and what was found in it.
type window struct {
	chunk
	t     *Tree
	first uint64 // record
	nodes []Node
	errs  map[uint64]error // by record number

	extensions []relation // see survey
	names      []rollName // see roll
	sums       []relation // of a directory to what is added to its sum, see census
	gaps       []relation // from a record to the one after the last that cannot be read
}

// findNodes decodes the base records in use.
func (w *window) findNodes() {
	var r fileRecord
	for at := range uint64(len(w.data) / w.t.geo.record) {
		number := w.first + at
		err := w.record(w.t, number, at, &r)
		if err == nil {
			if r.flags&layout.RecordInUse == 0 || r.base != (Ref{}) {
				continue
			}
			err = w.t.contradicted(&r)
		}
		if err == nil {
			w.t.fillNode(w.node(), &r)
			continue
		}
		if isZero(w.raw(at)) {
			if err = w.t.zeroRecord(number); err == nil {
				continue
			}
		}
		*w.node() = Node{Ref: Ref{Record: number}, tree: w.t}
		if w.errs == nil {
			w.errs = map[uint64]error{}
		}
		w.errs[number] = fmt.Errorf("record %d: %w", number, err)
	}
}

// node adds a node, whose content is what was there before.
func (w *window) node() *Node {
	w.nodes = slices.Grow(w.nodes, 1)
	w.nodes = w.nodes[:len(w.nodes)+1]
	return &w.nodes[len(w.nodes)-1]
}

// raw is record at of the window: its bytes, with fixups applied where it is sound.
func (w *window) raw(at uint64) []byte {
	size := uint64(w.t.geo.record)
	return w.data[at*size:][:size]
}

// windows yields the $MFT piece by piece, each valid until the next one. The pieces after it are read and given to
// find in the meantime.
func (t *Tree) windows(find func(*window)) iter.Seq[*window] {
	return func(yield func(*window) bool) {
		size := int64(t.geo.record)
		end, next := int64(t.records)*size, int64(0)
		var coming []chan *window // oldest first
		read := func(w *window) {
			if next < end { // a $MFT that has holes was made to be huge
				next += layer.Holes(t.mft, next, end-next) / size * size
			}
			n := layer.Clip(end, next, scanWindow)
			if n == 0 {
				return
			}
			done, off := make(chan *window, 1), next
			coming, next = append(coming, done), next+n
			go func() {
				w.data, w.first, w.nodes, w.errs = w.data[:n], uint64(off/size), w.nodes[:0], nil
				t.readRecords(&w.chunk, off)
				find(w)
				done <- w
			}()
		}
		for range runtime.GOMAXPROCS(0) + 1 {
			read(&window{t: t, chunk: chunk{data: make([]byte, 0, min(end, scanWindow))}})
		}
		for more := true; more && len(coming) > 0; {
			w := <-coming[0]
			coming = coming[1:]
			more = yield(w)
			if more {
				read(w)
			}
		}
		for _, c := range coming { // nothing is to be read after the end
			<-c
		}
	}
}
