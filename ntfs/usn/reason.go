package usn

import (
	"fmt"
	"strings"
)

// Reason is why a record was written: a set of bits.
type Reason uint32

// The reasons, USN_REASON_* in winioctl.h.
const (
	DataOverwrite       Reason = 0x00000001
	DataExtend          Reason = 0x00000002
	DataTruncation      Reason = 0x00000004
	NamedDataOverwrite  Reason = 0x00000010
	NamedDataExtend     Reason = 0x00000020
	NamedDataTruncation Reason = 0x00000040
	FileCreate          Reason = 0x00000100
	FileDelete          Reason = 0x00000200
	EAChange            Reason = 0x00000400
	SecurityChange      Reason = 0x00000800
	RenameOldName       Reason = 0x00001000
	RenameNewName       Reason = 0x00002000
	IndexableChange     Reason = 0x00004000
	BasicInfoChange     Reason = 0x00008000
	HardLinkChange      Reason = 0x00010000
	CompressionChange   Reason = 0x00020000
	EncryptionChange    Reason = 0x00040000
	ObjectIDChange      Reason = 0x00080000
	ReparsePointChange  Reason = 0x00100000
	StreamChange        Reason = 0x00200000
	TransactedChange    Reason = 0x00400000
	IntegrityChange     Reason = 0x00800000
	DesiredStorageClass Reason = 0x01000000 // USN_REASON_DESIRED_STORAGE_CLASS_CHANGE
	Close               Reason = 0x80000000
)

// reasonWords are fsutil's words, in lower case.
var reasonWords = []struct {
	bit  Reason
	word string
}{
	{DataOverwrite, "data overwrite"}, {DataExtend, "data extend"}, {DataTruncation, "data truncation"},
	{NamedDataOverwrite, "named data overwrite"}, {NamedDataExtend, "named data extend"}, {NamedDataTruncation, "named data truncation"},
	{FileCreate, "file create"}, {FileDelete, "file delete"}, {EAChange, "ea change"}, {SecurityChange, "security change"},
	{RenameOldName, "rename: old name"}, {RenameNewName, "rename: new name"}, {IndexableChange, "indexable change"},
	{BasicInfoChange, "basic info change"}, {HardLinkChange, "hard link change"}, {CompressionChange, "compression change"},
	{EncryptionChange, "encryption change"}, {ObjectIDChange, "object id change"}, {ReparsePointChange, "reparse point change"},
	{StreamChange, "stream change"}, {TransactedChange, "transacted change"}, {IntegrityChange, "integrity change"},
	{DesiredStorageClass, "desired storage class change"}, {Close, "close"},
}

// String gives a word for each bit, "|" between two; bits without one as a number.
func (r Reason) String() string {
	var words []string
	for _, w := range reasonWords {
		if r&w.bit != 0 {
			words = append(words, w.word)
			r &^= w.bit
		}
	}
	if r != 0 {
		words = append(words, fmt.Sprintf("0x%08x", uint32(r)))
	}
	return strings.Join(words, "|")
}

// SourceInfo tells who made a change that is none to the user: a set of bits.
type SourceInfo uint32

// The sources, USN_SOURCE_* in winioctl.h.
const (
	DataManagement              SourceInfo = 1 // moved to or from other storage
	AuxiliaryData               SourceInfo = 2 // a private stream was added
	ReplicationManagement       SourceInfo = 4
	ClientReplicationManagement SourceInfo = 8 // made equal to what a server or cloud has
)
