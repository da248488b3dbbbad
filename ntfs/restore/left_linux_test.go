package restore

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCreateTellsWhatStays leaves a part that cannot be opened for writing, as a program is run from it: it stays, which is
// told, and the file is written all the same.
func TestCreateTellsWhatStays(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	program, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	part := filepath.Join(dir, "a.tar.AAAAAAAAAAAAAAAA.part")
	if err := os.WriteFile(part, program, 0o700); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(part, "60")
	if err := c.Start(); err != nil {
		t.Skipf("SKIPPED: nothing runs from here: %v", err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	f, err := Create(filepath.Join(dir, "a.tar"), false)
	if err != nil {
		t.Fatal(err)
	}
	if left := f.Left(); left == nil || !strings.HasPrefix(left.Error(), filepath.Base(part)+" could not be removed, and stays there") {
		t.Errorf("left: %v", left)
	}
	if err := f.Commit(); err != nil {
		t.Error(err)
	}
	if got, want := names(t, dir), "a.tar "+filepath.Base(part); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
