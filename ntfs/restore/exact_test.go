package restore

import (
	"reflect"
	"testing"
)

// TestExact writes metadata and reads it: names that are no UTF-8 come back too.
func TestExact(t *testing.T) {
	for _, name := range []string{"plain", `\u0041\u`, "\\ud800", "名\x00\n\U0001f600", "x\xed\xa0\x80y名\U0001f600", "\xed\xb0\x80"} {
		want := Meta{Path: name, Name: name, Type: "file", Created: 1, Modified: -2, Changed: 3, Accessed: 4, Attributes: 5, Security: []byte{6},
			SecurityID: "7", EA: []byte{8}, Reparse: []byte{9}, ObjectID: []byte{10}, EFS: []byte{11}, ShortName: name, Link: name,
			Streams: []Stream{{Name: name, Size: 1, Data: []byte{12}}, {Name: "s", Size: 13, File: "f"}}}
		b, err := want.encode()
		if err != nil {
			t.Fatal(err)
		}
		var got Meta
		if err := got.decode(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v, from %s", name, got, err, b)
		}
	}
}
