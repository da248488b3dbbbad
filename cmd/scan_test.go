package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snapmount/mount/report"
)

// edited writes the demo disk as edit leaves it.
func edited(t *testing.T, edit func(disk []byte)) string {
	t.Helper()
	code, disk, errs := run("cat", "--raw", demo(t))
	if code != 0 {
		t.Fatal(errs)
	}
	b := []byte(disk)
	edit(b)
	path := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestScan types the lines that a scan prints, which lead to the volumes.
func TestScan(t *testing.T) {
	image := edited(t, func(b []byte) { clear(b[:1<<20]); clear(b[len(b)-1<<20:]) })
	code, out, errs := run("scan", image)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	lines := regexp.MustCompile(`(?m)^  snapmount (info \S+ --offset \d+ --size \d+)$`).FindAllStringSubmatch(out, -1)
	if len(lines) != 2 || !strings.Contains(out, "in no table, opened as p2-Archive") {
		t.Fatalf("printed %s", out)
	}
	for i, label := range []string{"Documents", "Archive"} {
		if _, out, errs := run(strings.Fields(lines[i][1])...); !strings.Contains(out, "-"+label+": NTFS") {
			t.Errorf("%s: %s%s", lines[i][1], out, errs)
		}
	}
	code, out, errs = run("info", image)
	if code != 0 || !strings.Contains(out, "found by searching") || !strings.Contains(out, "p1-Documents: NTFS") {
		t.Errorf("info: exit code %d: %s%s", code, out, errs)
	}

	code, out, _ = run("scan", "--json", demo(t))
	var r report.Scan
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("exit code %d: %v", code, err)
	}
	var found []string
	for _, v := range r.Volumes {
		if v.Outer == nil {
			found = append(found, fmt.Sprint(v.Offset, v.Size, v.Filesystem, v.Sound, v.BothEnds, v.InTable, *v.Volume))
		}
	}
	if got, want := strings.Join(found, "; "), "1048576 33554432ntfstrue true truep1-Documents; 34603008 25165824ntfstrue true truep2-Archive"; got != want || !r.Complete || len(r.Unread) > 0 {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	nothing := edited(t, func(b []byte) { clear(b) })
	if code, out, errs := run("scan", nothing); code != exitFormat || out != "" || !strings.Contains(errs, "no volume begins or ends anywhere") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

// TestMountNothing mounts nothing where nothing could be shown, and says why in one line.
func TestMountNothing(t *testing.T) {
	for name, edit := range map[string]func(b []byte){
		"boot sectors alone":   func(b []byte) { clear(b[1<<20+512 : 33<<20]); clear(b[33<<20+512 : 57<<20]) },
		"a damaged table":      func(b []byte) { clear(b[512:]); b[446+4] = 0xee },
		"one encrypted volume": func(b []byte) { clear(b[33<<20:]); copy(b[1<<20+3:], "-FVE-FS-"); clear(b[1<<20+512 : 33<<20]) },
	} {
		image := edited(t, edit)
		code, out, errs := run("mount", image, t.TempDir())
		if code != exitRefused || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "nothing can be read") {
			t.Errorf("%s: exit code %d: %s%s", name, code, out, errs)
		}
	}
}
