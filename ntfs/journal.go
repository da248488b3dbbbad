package ntfs

import (
	"encoding/binary"
	"fmt"

	"snapmount/imagefmt/layer"
)

// JournalInfo is what $Max says of the change journal.
type JournalInfo struct {
	MaxSize         uint64 // bytes that Windows trims the journal to
	AllocationDelta uint64 // bytes by which it is trimmed and grows
	ID              uint64 // of this journal: the FILETIME of its creation
	LowestValid     uint64 // USN: records before it are of another journal
}

// decodeMax decodes $Max (CREATE_USN_JOURNAL_DATA and what [MS-FSCC] calls LowestValidUsn).
func decodeMax(b []byte) (JournalInfo, error) {
	if len(b) < 32 {
		return JournalInfo{}, layer.Corrupt("$Max", 0, "%d bytes, want 32 at least", len(b))
	}
	le := binary.LittleEndian
	return JournalInfo{MaxSize: le.Uint64(b[0:]), AllocationDelta: le.Uint64(b[8:]), ID: le.Uint64(b[16:]), LowestValid: le.Uint64(b[24:])}, nil
}

// Journal opens the USN change journal, $Extend\$UsnJrnl:$J, whose records package usn decodes. It wraps fs.ErrNotExist
// when the volume has none. Where only $Max cannot be had, the journal is returned beside the error.
func (t *Tree) Journal() (layer.Mapper, JournalInfo, error) {
	n, err := t.Lookup("$Extend/$UsnJrnl")
	if err != nil {
		return nil, JournalInfo{}, fmt.Errorf("change journal: %w", err)
	}
	return n.journal()
}

func (n *Node) journal() (layer.Mapper, JournalInfo, error) {
	j, err := n.Stream("$J")
	if err != nil {
		return nil, JournalInfo{}, fmt.Errorf("change journal: %w", err)
	}
	var info JournalInfo
	m, err := n.Stream("$Max")
	if err == nil {
		b := make([]byte, min(m.Size(), 32))
		if err = layer.ReadFull(m, b, 0); err == nil {
			info, err = decodeMax(b)
		}
	}
	if err != nil {
		err = fmt.Errorf("change journal: $Max: %w", err)
	}
	return j, info, err
}
