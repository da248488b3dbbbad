package report_test

import (
	"encoding"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

// TestNames compares all names of JSON, with their types, with those that scripts were written for: a line that goes or
// changes wants another Schema. After fields were added, UPDATE=1 writes the list anew.
func TestNames(t *testing.T) {
	const golden = "testdata/names.txt"
	var got []string
	for _, o := range objects {
		typ := reflect.TypeOf(o.value)
		got = append(got, names(typ.String(), typ)...)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(b)), "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("is gone: %s", line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("is new, UPDATE=1 takes it: %s", line)
		}
	}
	if !slices.Contains(got, fmt.Sprintf("%s.volumes.points.copy_id string", reflect.TypeOf(report.Info{}))) || report.Schema != 1 || receipt.Schema != 1 {
		t.Errorf("the list is of another schema, or of nothing: %d names", len(got))
	}
}

// names lists the fields of a type as JSON has them.
func names(prefix string, typ reflect.Type) (out []string) {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	if typ.Implements(reflect.TypeFor[encoding.TextMarshaler]()) && typ.Kind() != reflect.Struct {
		return []string{prefix + " string"} // in words
	}
	if typ.Kind() != reflect.Struct {
		return []string{prefix + " " + typ.Kind().String()}
	}
	for _, f := range reflect.VisibleFields(typ) { // without those that others hide
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag != "" && tag != "-" && f.IsExported() {
			out = append(out, names(prefix+"."+tag, f.Type)...)
		}
	}
	return out
}
