package layer

import "fmt"

// Reason says why bytes are Unknown. Reasons are ordered: where several hold for a range, the largest is the one to tell.
// What a snapshot left out on purpose comes before damage, and that before what is not in the image at all.
type Reason uint8

// The reasons. Up to Incomplete the Base of an extent is what the Windows driver would give; after it there is nothing
// to give.
const (
	_           Reason = iota // none was told
	Zeroed                    // its piece of the image is damaged, and zeros are given under every Policy, as was asked for
	Unprotected               // the snapshot was not bound to keep it, and did not
	Carved                    // nothing proves it for a snapshot that was carved
	Incomplete                // it may be in the lost part of a damaged store
	NotAcquired               // it was not read when the image was made
	Missing                   // a part or segment of the image is missing
)

var reasons = [...]struct{ name, words string }{
	{"", "no reason given"},
	Zeroed:      {"zeroed", "in a damaged chunk of the image, for which zeros were asked"},
	Unprotected: {"unprotected", "not kept by the snapshot"},
	Carved:      {"carved", "not proven for a carved snapshot"},
	Incomplete:  {"incomplete", "lost with a damaged store"},
	NotAcquired: {"not-acquired", "not read when the image was made"},
	Missing:     {"missing", "in a missing part of the image"},
}

// String says it in words for users.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r].words
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// MarshalText gives the name that JSON has: "zeroed", "unprotected", "carved", "incomplete", "not-acquired" or "missing".
func (r Reason) MarshalText() ([]byte, error) {
	if int(r) < len(reasons) {
		return []byte(reasons[r].name), nil
	}
	return nil, fmt.Errorf("no reason has number %d", uint8(r))
}

// UnmarshalText takes what MarshalText gives.
func (r *Reason) UnmarshalText(b []byte) error {
	for i, one := range reasons {
		if one.name == string(b) {
			*r = Reason(i)
			return nil
		}
	}
	return fmt.Errorf("no reason is called %q", b)
}

// replaced reports whether the Base of what is Unknown for the reason stands for it.
func (r Reason) replaced() bool { return r <= Incomplete }
