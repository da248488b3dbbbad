package receipt_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/mount/receipt"
	"snapmount/ntfs/restore"
)

// oddNames are names that a list of hashes could take for something else.
var oddNames = []string{"a\nb", "c\\d", "e\rf", "g\r", `\h`, "*i", " j", "-k", "l  m", `n\n`, "\xff\xfe", "dir/o\n", "ä", "\t"}

// TestSums has the real sha256sum check a list, with items that came in another order.
func TestSums(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum: nobody to check what it takes")
	}
	dir, list := t.TempDir(), filepath.Join(t.TempDir(), "sums")
	s, err := receipt.CreateSums(list, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range oddNames {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Skipf("%q: %v", name, err) // a file system that refuses such names has none of them
		}
		sum := sha256.Sum256([]byte(name))
		s.Add(&restore.Result{Path: name, Type: "file", SHA256: hex.EncodeToString(sum[:]), Order: int64(len(oddNames) - i)})
	}
	s.Add(&restore.Result{Path: "failed", Type: "file", SHA256: strings.Repeat("0", 64), Err: errors.New("x")})
	s.Add(&restore.Result{Path: "dir", Type: "dir"})
	s.Add(&restore.Result{Path: "hole", Type: "file"})
	if err := s.Close(); err != nil || s.Without() != 1 {
		t.Fatal(err, s.Without())
	}
	check := func() (string, error) {
		c := exec.Command("sha256sum", "--check", "--strict", list)
		c.Dir = dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := check(); err != nil || strings.Count(out, ": OK\n") != len(oddNames) {
		t.Errorf("%v: %d of %d files\n%s", err, strings.Count(out, ": OK\n"), len(oddNames), out)
	}
	b, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != len(oddNames) || !strings.HasSuffix(lines[len(lines)-1], fmt.Sprintf(`  %s`, `a\nb`)) || lines[len(lines)-1][0] != '\\' {
		t.Errorf("not in their order:\n%s", b)
	}
	if err := os.WriteFile(filepath.Join(dir, "ä"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := check(); err == nil || !strings.Contains(out, "FAILED") {
		t.Errorf("a file that differs passes:\n%s", out)
	}
	if _, err := receipt.CreateSums(list, false); !errors.Is(err, restore.ErrExists) {
		t.Errorf("a list that is there: %v", err)
	}
}
