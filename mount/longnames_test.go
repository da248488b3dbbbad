//go:build linux

package mount_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/points"
)

// TestLongNames makes names of 110 characters and 310 bytes, two of them links to one file, and gives a file the very
// name that one of them is shown under.
func TestLongNames(t *testing.T) {
	image, q, zhong := newVolume(t), strings.Repeat("Q", 100), strings.Repeat("中", 100)
	within(t, image, "streams_interface=windows", func(dir string) {
		for _, d := range []string{"d/plain", "d/" + q + " dir"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, f := range []string{"d/" + q + " one.text", "d/" + q + " tilde.a~b", "d/" + q + " dir/inside"} {
			if err := os.WriteFile(filepath.Join(dir, f), []byte(f), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link(filepath.Join(dir, "d", q+" one.text"), filepath.Join(dir, "d", q+" two.text")); err != nil {
			t.Fatal(err)
		}
	})
	edit(t, image, func(b []byte) { copy(b, bytes.ReplaceAll(b, wide(q), wide(zhong))) })
	real := []string{"plain", zhong + " dir", zhong + " one.text", zhong + " tilde.a~b", zhong + " two.text"}
	var shown, again map[string]string
	t.Run("free", func(t *testing.T) { shown = shownNames(t, image, real) })

	taken := shown[zhong+" one.text"]
	within(t, image, "streams_interface=windows", func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "d", taken), []byte("real"), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("taken", func(t *testing.T) { again = shownNames(t, image, append(real, taken)) })
	if again[taken] != taken || again[zhong+" one.text"] == taken {
		t.Errorf("the name that is taken is shown as %q, the one it was made of as %q", again[taken], again[zhong+" one.text"])
	}
	for name, was := range shown {
		if was != taken && again[name] != was {
			t.Errorf("%q is shown as %q now, and as %q before", name, again[name], was)
		}
	}
	point := onlyPoint(t, mounted(t, openSet(t, image))) // nothing is in the kernel's cache
	for path, want := range map[string]string{
		taken: "real", again[zhong+" one.text"]: "d/" + q + " one.text", again[zhong+" two.text"]: "d/" + q + " one.text",
		again[zhong+" dir"] + "/inside": "d/" + q + " dir/inside", again[zhong+" tilde.a~b"]: "d/" + q + " tilde.a~b",
	} {
		if b, err := os.ReadFile(filepath.Join(point, "d", path)); string(b) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", path, b, err, want)
		}
	}
	for _, name := range []string{taken[:len(taken)-1], zhong[:240] + "~" + strings.Repeat("0", 11)} {
		if _, err := os.Stat(filepath.Join(point, "d", name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v, want that it does not exist", name, err)
		}
	}
}

// shownNames returns what the entries of the directory d are shown as, after checking that the mount shows no others.
func shownNames(t *testing.T, image string, names []string) map[string]string {
	t.Helper()
	s := openSet(t, image)
	files, err := s.Volumes[0].Current().Files()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := files.Lookup("d")
	if err != nil {
		t.Fatal(err)
	}
	shown, want := map[string]string{}, []string(nil)
	for _, name := range names {
		shown[name] = points.ShownName(dir, name)
		want = append(want, shown[name])
		full, err := dir.Child(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n, err := points.Child(dir, shown[name]); err != nil || n.Ref != full.Ref {
			t.Errorf("%s: %v, want %v", shown[name], err, full.Ref)
		}
	}
	entries, err := os.ReadDir(filepath.Join(onlyPoint(t, mounted(t, s)), "d"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	return shown
}
