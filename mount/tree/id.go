package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// A number has 64 bits, from the top: one zero bit, so that it is positive in any signed type, 3 bits of idKind, and 60
// bits of what that says. All but idNamed can be resolved by a program that never met the node.
type idKind uint64

const (
	idItem      idKind = iota // hash of the path of an item; that of the root is 1
	idFile                    // point, record: an MFT record of a point
	idSnapshots               // point, record: .snapshots of a directory
	idStream                  // point, 8 bits of the hash of its name, 32 bits of record: a named stream
	idSame                    // point, 10 bits of the place of the other point in its volume, 30 bits of record: a link in .snapshots
	idNamed                   // hash of what the table has: what is in no point, and what has no room in the other kinds
)

const (
	rootID     = 1
	kindShift  = 60
	bodyMask   = 1<<kindShift - 1
	pointBits  = 20 // 10 of the volume and 10 of the point in it
	placeBits  = pointBits / 2
	recordBits = kindShift - pointBits
	recordMask = 1<<recordBits - 1

	streamRecordBits = recordBits - 8
	sameRecordBits   = recordBits - placeBits
)

func packID(k idKind, point, rest uint64) uint64 {
	return uint64(k)<<kindShift | point<<recordBits | rest&recordMask
}

// hashID makes a number of a text. Which text has it, the caller keeps.
func hashID(k idKind, text string) uint64 {
	sum := sha256.Sum256([]byte(text))
	return uint64(k)<<kindShift | binary.BigEndian.Uint64(sum[:])>>(64-kindShift)
}

// Lasting reports whether the number says all of what the node is, so that a program that never met the node finds it by
// that. Of others the path is to be kept.
func (n Node) Lasting() bool { return idKind(n.ID>>kindShift) != idNamed }

// nextID follows a number that another text has taken.
func nextID(id uint64) uint64 { return id&^bodyMask | (id+1)&bodyMask }

// numbered are the points that are shown, by number and back. A number is the place of the volume in its set and that of
// the point in its volume, so that it stays when another volume gets or loses points. Where that has no room, points are
// counted through.
type numbered struct {
	point  map[uint64]*points.Point
	number []uint64 // by Point.Number
}

func (n *numbered) of(p *points.Point) uint64 { return n.number[p.Number] }

func numberPoints(s *points.Set, l *layout) (numbered, error) {
	total, fits := 0, len(s.Volumes) <= 1<<placeBits
	for _, v := range s.Volumes {
		total += len(v.Points)
		fits = fits && len(v.Points) <= 1<<placeBits
	}
	n := numbered{map[uint64]*points.Point{}, make([]uint64, total)}
	if !fits && total > 1<<pointBits {
		return n, fmt.Errorf("0x%x points in time, want 0x%x at most: %w", total, 1<<pointBits, layer.ErrUnsupported)
	}
	for i, v := range s.Volumes {
		for k, p := range v.Points {
			id := uint64(p.Number)
			if fits {
				id = uint64(i<<placeBits | k)
			}
			if n.number[p.Number] = id; l.roots[p] != nil {
				n.point[id] = p
			}
		}
	}
	return n, nil
}

// table keeps what an idNamed stands for. It grows by what was met: by nothing as long as only points are looked at.
type table struct {
	mu   sync.RWMutex
	kept map[uint64]named
}

// named is what is behind an idNamed: something below an item, or beside a record of a point.
type named struct {
	part   part
	item   *item
	point  *points.Point
	record uint64
	name   string
	link   string
	other  *points.Point
}

// id gives k a number that depends on the text alone, unless two texts have the same hash.
func (t *table) id(k named, text string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kept == nil {
		t.kept = map[uint64]named{}
	}
	id := hashID(idNamed, text)
	for {
		switch had, taken := t.kept[id]; {
		case !taken:
			t.kept[id] = k
			return id
		case had == k:
			return id
		}
		id = nextID(id)
	}
}

func (t *table) named(id uint64) (named, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	k, ok := t.kept[id]
	return k, ok
}
