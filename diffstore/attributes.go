package diffstore

import (
	"fmt"
	"strings"
)

// Attributes are the VSS_VOLSNAP_ATTR bits of a snapshot; 0 when its store header is lost.
type Attributes uint32

// The attributes that decide what a snapshot is worth.
const (
	Persistent     Attributes = 0x1
	NoAutoRecovery Attributes = 0x2
	NoWriters      Attributes = 0x10
	AutoRecover    Attributes = 0x400000
)

// attributeWords are in the order of the bits. Source: Microsoft, VSS_VOLUME_SNAPSHOT_ATTRIBUTES.
var attributeWords = [...]struct {
	bit  Attributes
	word string
}{
	{0x1, "persistent"}, {0x2, "no auto recovery"}, {0x4, "client accessible"}, {0x8, "no auto release"},
	{0x10, "no writers"}, {0x20, "transportable"}, {0x40, "not surfaced"}, {0x80, "not transacted"},
	{0x10000, "hardware assisted"}, {0x20000, "differential"}, {0x40000, "plex"}, {0x80000, "imported"},
	{0x100000, "exposed locally"}, {0x200000, "exposed remotely"}, {0x400000, "auto recover"},
	{0x800000, "rollback recovery"}, {0x1000000, "delayed postsnapshot"}, {0x2000000, "TxF recovery"}, {0x4000000, "file share"},
}

// Words names the bits that are set, the lowest first; what has no name is given as a number.
func (a Attributes) Words() []string {
	var words []string
	for _, w := range attributeWords {
		if a&w.bit != 0 {
			words = append(words, w.word)
			a &^= w.bit
		}
	}
	if a != 0 {
		words = append(words, fmt.Sprintf("0x%x", uint32(a)))
	}
	return words
}

// String joins Words by commas.
func (a Attributes) String() string { return strings.Join(a.Words(), ", ") }

// Consistency is "application" when writers took part, "crash" when none did (as after a power loss), and empty when
// the attributes are lost.
func (a Attributes) Consistency() string {
	switch {
	case a == 0:
		return ""
	case a&NoWriters != 0:
		return "crash"
	}
	return "application"
}

// Context is the purpose that a snapshot was made for: VSS_SNAPSHOT_CONTEXT, the low bits of Attributes.
type Context uint32

// contextBits are those that a context and the attributes have in common.
const contextBits = 0x1f

// String names the contexts that Microsoft documents.
func (c Context) String() string {
	switch c {
	case 0x00:
		return "backup"
	case 0x09:
		return "application rollback"
	case 0x0d:
		return "client accessible, with writers"
	case 0x10:
		return "file share backup"
	case 0x19:
		return "NAS rollback"
	case 0x1d:
		return "client accessible"
	}
	return fmt.Sprintf("context 0x%x", uint32(c))
}

// StoreFlags are the flags of a snapshot's catalog entry. Names after dfir_ntfs; most bits are not understood.
type StoreFlags uint64

const (
	// OfflineFlag marks a snapshot that the user deleted while older ones were alive: hidden, but still in the stack.
	OfflineFlag StoreFlags = 0x100
	// IgnoredAsZeros lets blocks that the snapshot does not protect read as zeros (Windows 8 and later).
	IgnoredAsZeros StoreFlags = 0x400
)
