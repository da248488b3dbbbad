package content

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestApplications holds the states of databases, logs and mailboxes against those of an independent reader, with and
// without what lies beside them.
func TestApplications(t *testing.T) {
	dir := testenv.Shared(t, "data", "apps")
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct{ State string }
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		ext := filepath.Ext(name)
		if ext == ".log" || ext == ".chk" {
			continue // not of a kind that users restore
		}
		path := filepath.Join(dir, filepath.FromSlash(name)+".gz")
		content := readSample(path)
		if content == nil {
			t.Errorf("%s cannot be read", name)
			continue
		}
		v := of(content)
		v.Beside = func(suffix string) (Version, bool) {
			b := readSample(filepath.Join(dir, filepath.FromSlash(name)) + suffix + ".gz")
			return of(b), b != nil
		}
		got, err := Judge(t.Context(), KindOf(filepath.Base(name), content[:headSize]), v)
		if err != nil || !accepted(got.State, want[name].State, ext) {
			t.Errorf("%s: %v (%s), want %s; %v", name, got.State, got.Why, want[name].State, err)
		}
	}
}

// accepted reports whether a state is the reader's, which calls a file that was cut torn, and asks for the logs of an ESE
// database, which have names of their own.
func accepted(got State, want, ext string) bool {
	switch ese := ext == ".edb" || ext == ".dat" || ext == ".db"; {
	case want == "unknown":
		return got == Undecided
	case want == "torn":
		return got == Torn || got == Incomplete
	case ese && got == Open:
		return want == "recoverable" || want == "incomplete"
	}
	return got.String() == want
}
