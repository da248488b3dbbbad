package layer

import "fmt"

// Kind tells what is known of an extent's bytes.
type Kind uint8

const (
	// Data is kept at BaseOff of Base.
	Data Kind = iota
	// Zero reads as zeros without touching the image; Base is nil.
	Zero
	// Unknown is in no place, because of Why. Base (nil for zeros) is what the Windows driver would give instead.
	Unknown
)

func (k Kind) String() string {
	switch k {
	case Data:
		return "data"
	case Zero:
		return "zero"
	case Unknown:
		return "unknown"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Extent is a byte range whose bytes all come from one place.
type Extent struct {
	Off, Len int64 // bytes, in the Source asked
	Kind     Kind
	Base     Source // where the bytes are; nil for zeros
	BaseOff  int64  // bytes, in Base
	Why      Reason // of Unknown, as the layer that knew gave it
}

// Lost is e where nobody can tell its bytes.
func (e Extent) Lost(why Reason) Extent {
	return Extent{Off: e.Off, Len: e.Len, Kind: Unknown, Why: why}
}

// follows reports whether e continues prev in the same place, so that both are one extent.
func (e Extent) follows(prev Extent) bool {
	return prev.Kind == e.Kind && prev.Why == e.Why && prev.Base == e.Base && prev.Off+prev.Len == e.Off &&
		(e.Base == nil || prev.BaseOff+prev.Len == e.BaseOff)
}
