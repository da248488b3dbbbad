package text

import (
	"bytes"
	"fmt"
	"testing"

	"snapmount/imagefmt/wintype"
)

// TestSafeCutAnywhere writes a text in two pieces, cut at each byte.
func TestSafeCutAnywhere(t *testing.T) {
	const all = "ä\x1b[2J\u202e😀\xff\xe2\x80\n\tb\xe2\x80"
	for cut := range len(all) + 1 {
		var out bytes.Buffer
		s := NewSafe(&out)
		fmt.Fprint(s, all[:cut])
		fmt.Fprint(s, all[cut:])
		if s.Flush(); out.String() != wintype.PrintableLines(all) {
			t.Errorf("cut at %d: %q", cut, out.String())
		}
		if Raw(s) != &out || Raw(&out) != &out {
			t.Error("Raw is not what is below")
		}
	}
}
