package qcow2

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"time"

	"snapmount/imagefmt/layer"
)

// Snapshot is a state of the disk that the image keeps beside the active one.
type Snapshot struct {
	ID, Name string
	Time     time.Time // when it was taken, by the clock of its host
	Size     int64     // of the disk then, in bytes
	VMState  int64     // bytes of the machine's memory that are kept with it, 0 when it was off
	state    state
}

// QEMU's limits.
const (
	maxSnapshots     = 65536
	maxSnapshotExtra = 1024
	snapshotLen      = 40 // what each entry has at least
)

// Snapshots returns the internal snapshots, in the order of the table.
func (d *Disk) Snapshots() []Snapshot { return d.snapshots }

// find returns the state of a snapshot.
func find(list []Snapshot, want string) (state, error) {
	for _, name := range []func(Snapshot) string{func(s Snapshot) string { return s.ID }, func(s Snapshot) string { return s.Name }} {
		for _, s := range list {
			if name(s) == want {
				return s.state, nil
			}
		}
	}
	return state{}, fmt.Errorf("internal snapshot %q, of %d: %w", want, len(list), fs.ErrNotExist)
}

// readSnapshots reads the snapshot table. What comes before damage is returned with the error.
func readSnapshots(src layer.Source, h header) ([]Snapshot, error) {
	var list []Snapshot
	if h.snapshots > maxSnapshots {
		return nil, layer.Corrupt("header", 60, "%d snapshots, want %d at most", h.snapshots, maxSnapshots)
	}
	if h.snapshotsOff > uint64(src.Size()) {
		return nil, layer.Corrupt("header", 64, "snapshot table at 0x%x, want it within the file of 0x%x bytes", h.snapshotsOff, src.Size())
	}
	off := int64(h.snapshotsOff)
	for i := range h.snapshots {
		s, n, err := readSnapshot(src, h, off)
		if err != nil {
			return list, fmt.Errorf("snapshot %d of %d: %w", i+1, h.snapshots, err)
		}
		list = append(list, s)
		off += n
	}
	return list, nil
}

// readSnapshot reads the entry at off, and says how long it is.
func readSnapshot(src layer.Source, h header, off int64) (Snapshot, int64, error) {
	fixed := make([]byte, snapshotLen)
	if err := layer.ReadFull(src, fixed, off); err != nil {
		return Snapshot{}, 0, fmt.Errorf("entry at 0x%x: %w", off, err)
	}
	be := binary.BigEndian
	idLen, nameLen, extra := int64(be.Uint16(fixed[12:])), int64(be.Uint16(fixed[14:])), int64(be.Uint32(fixed[36:]))
	if extra > maxSnapshotExtra {
		return Snapshot{}, 0, layer.Corrupt("snapshot", off+36, "%d bytes of extra data, want %d at most", extra, maxSnapshotExtra)
	}
	b := make([]byte, snapshotLen+extra+idLen+nameLen)
	if err := layer.ReadFull(src, b, off); err != nil {
		return Snapshot{}, 0, fmt.Errorf("entry at 0x%x: %w", off, err)
	}
	s := decodeSnapshot(b, snapshotLen+extra, idLen, h.size)
	if s.state.size > maxSize {
		return s, 0, layer.Corrupt("snapshot", off+48, "disk of 0x%x bytes, want 2^56 at most", s.state.size)
	}
	return s, (int64(len(b)) + 7) &^ 7, nil
}

// decodeSnapshot reads an entry whose id begins at names. Version 2 does not tell the size of the disk, which then is
// the active one.
func decodeSnapshot(b []byte, names, idLen int64, active uint64) Snapshot {
	be := binary.BigEndian
	s := Snapshot{
		ID:      string(b[names:][:idLen]),
		Name:    string(b[names+idLen:]),
		Time:    time.Unix(int64(be.Uint32(b[16:])), int64(be.Uint32(b[20:]))).UTC(),
		VMState: int64(be.Uint32(b[32:])),
		state:   state{active, be.Uint64(b[0:]), be.Uint32(b[8:])},
	}
	if names >= snapshotLen+8 {
		s.VMState = int64(be.Uint64(b[40:]))
	}
	if names >= snapshotLen+16 {
		s.state.size = be.Uint64(b[48:])
	}
	s.Size = int64(s.state.size)
	return s
}
