package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

const (
	recordLogFile = 2

	restartPage    = 4096 // size of a restart page, mostly
	maxRestartPage = 64 << 10
	restartArea    = 48 // bytes of it that are decoded

	restartClean = 0x0002 // in the flags of a restart area: RESTART_VOLUME_IS_CLEAN
	noClient     = 0xffff
)

// LogState is what the restart pages of $LogFile say.
type LogState struct {
	Clean          bool   // nothing is left to be replayed
	Empty          bool   // the log was wiped with 0xff and not used since; clean, and all else is zero
	Checked        bool   // chkdsk was the last to write the page
	Major, Minor   uint16 // version of the log format: 1.1, or 2.0 since Windows 8
	CurrentLSN     uint64
	PageSize       int    // of restart pages, bytes
	RecordPageSize int    // of the other pages, bytes
	Size           uint64 // of the log, as it says itself, bytes
	Damage         error  // why one of the two restart pages is not usable; the rest is of the other one, perhaps older
}

// Log tells whether $LogFile has changes that were not written to their place yet. It reads the two restart pages, of
// which the newer one counts; nothing is replayed. The image of a volume in use is seldom clean; Windows cleans the log
// as it makes a snapshot.
func (t *Tree) Log() (LogState, error) {
	n, err := t.Node(Ref{Record: recordLogFile})
	if err != nil {
		return LogState{}, fmt.Errorf("$LogFile: %w", err)
	}
	s, err := n.Stream("")
	if err != nil {
		return LogState{}, fmt.Errorf("$LogFile: %w", err)
	}
	state, err := readLog(s)
	if err != nil {
		err = fmt.Errorf("$LogFile: %w", err)
	}
	return state, err
}

func readLog(s layer.Source) (LogState, error) {
	first, err := readRestart(s, 0)
	if first.Empty {
		return readRestart(s, restartPage) // which must be wiped too, or tells more
	}
	second, err2 := secondRestart(s, first.PageSize)
	switch {
	case err != nil && err2 != nil:
		return LogState{}, errors.Join(err, err2)
	case err != nil || (err2 == nil && second.CurrentLSN > first.CurrentLSN):
		second.Damage = err
		return second, nil
	}
	first.Damage = err2
	return first, nil
}

// secondRestart reads the restart page that follows the first one, whose size is 0 when it is not known.
func secondRestart(s layer.Source, size int) (LogState, error) {
	if size > 0 {
		return readRestart(s, int64(size))
	}
	for size = layout.Stride; size <= maxRestartPage; size *= 2 {
		if l, err := readRestart(s, int64(size)); err == nil && l.PageSize == size {
			return l, nil
		}
	}
	return readRestart(s, restartPage)
}

// readRestart reads the restart page at off.
func readRestart(s layer.Source, off int64) (LogState, error) {
	b := make([]byte, layer.Clip(s.Size(), off, restartPage))
	if err := layer.ReadFull(s, b, off); err != nil {
		return LogState{}, err
	}
	if len(b) < layout.Stride {
		return LogState{}, layer.Corrupt("restart page", off, "0x%x bytes left", len(b))
	}
	if len(bytes.Trim(b, "\xff")) == 0 {
		return LogState{Clean: true, Empty: true}, nil
	}
	size := binary.LittleEndian.Uint32(b[16:])
	if size < layout.Stride || size > maxRestartPage || bits.OnesCount32(size) != 1 || layer.Clip(s.Size(), off, int64(size)) < int64(size) {
		return LogState{}, layer.Corrupt("restart page", off, "magic %q, page of 0x%x bytes", b[:4], size)
	}
	if int(size) > len(b) {
		b = make([]byte, size)
		if err := layer.ReadFull(s, b, off); err != nil {
			return LogState{}, err
		}
	}
	return decodeRestart(b[:size], off)
}

// decodeRestart decodes the restart page that is all of b, and applies its fixups.
func decodeRestart(b []byte, off int64) (LogState, error) {
	le := binary.LittleEndian
	magic := "RSTR"
	checked := string(b[:4]) == "CHKD"
	if checked {
		magic = "CHKD"
	}
	if err := layout.Protected(b, magic, "restart page", off); err != nil {
		return LogState{}, err
	}
	l := LogState{Checked: checked, PageSize: int(le.Uint32(b[16:])), RecordPageSize: int(le.Uint32(b[20:]))}
	area := int(le.Uint16(b[24:]))
	l.Minor, l.Major = le.Uint16(b[26:]), le.Uint16(b[28:])
	if area < 30 || area%8 != 0 || area+restartArea > len(b) {
		return LogState{}, layer.Corrupt("restart page", off, "restart area at 0x%x of 0x%x bytes", area, len(b))
	}
	a := b[area:]
	l.CurrentLSN = le.Uint64(a[0:])
	clients, inUse, flags := le.Uint16(a[8:]), le.Uint16(a[12:]), le.Uint16(a[14:])
	l.Size = le.Uint64(a[24:])
	if inUse != noClient && inUse >= clients {
		return LogState{}, layer.Corrupt("restart page", off, "client 0x%x is in use, there are %d", inUse, clients)
	}
	l.Clean = flags&restartClean != 0 || inUse == noClient
	return l, nil
}
