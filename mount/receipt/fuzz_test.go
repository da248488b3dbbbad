package receipt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/mount/receipt"
)

// whole is a receipt of one file of nothing, which is all that there is in its directory.
const whole = `{"schema": 1, "tool": "x", "target": "", "to": "dir", "images": [], "image_files": [], "points": [], "items": [
 {"path": "a", "type": "file", "size": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "result": "restored"}],
 "finished": "2026-01-01T00:00:00Z", "complete": true}
`

// TestCutOff cuts a receipt at each byte: all but the whole one are refused, in one line.
func TestCutOff(t *testing.T) {
	name := filepath.Join(t.TempDir(), "r.json")
	for n := range len(whole) + 1 {
		if err := os.WriteFile(name, []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := receipt.Open(name)
		if isWhole := n >= len(whole)-1; (err == nil) != isWhole || err != nil && strings.Contains(err.Error(), "\n") || err == nil && d.Count != 1 {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
}

// FuzzReceipt reads receipts and holds them against a directory with one file: nothing is concluded that is not so, and
// nothing outside is looked at.
func FuzzReceipt(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(strings.Replace(whole, `"a"`, `"../a"`, 1)))
	f.Add([]byte(strings.Replace(whole, `"a"`, `"b"`, 1)))
	f.Add([]byte(`{"schema": 2, "items": []}`))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "r.json")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := receipt.Open(name)
		if err != nil {
			return
		}
		d.HostFiles = nil // of this machine
		c, err := d.Against(t.Context(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Files+c.Sized > int64(d.Count) || c.Links > 0 {
			t.Errorf("%+v of %d items", c, d.Count)
		}
	})
}
