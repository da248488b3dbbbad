package restore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/ntfs/restore"
)

// rootWith opens a directory that some files are written to.
func rootWith(t *testing.T, dir string, files map[string]string) *os.Root {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// TestApplyDamaged applies a sidecar of which most lines are damaged: each is told, and costs no other.
func TestApplyDamaged(t *testing.T) {
	dir := t.TempDir()
	lines := []string{
		`{"path":"../outside","type":"file","name":"x"}`, `{"path":"/etc/passwd","type":"file"}`, `not JSON`,
		`{"path":"a","type":"file","security_id":"00"}`, `{"path":"a","type":"file","streams":[{"name":"s","size":-1}]}`,
		`{"path":"a","type":"file","streams":[{"name":"s","size":5,"file":"../outside"}]}`, `{"path":"a","type":"file","link":"b"}`,
		`{"path":"missing","type":"dir"}`, `{"path":"b","type":"file","name":"c/d"}`, `{"path":"b","type":"file","name":"d"}`,
	}
	root := rootWith(t, dir, map[string]string{restore.SidecarName: strings.Join(lines, "\n"), "a": "1", "b": "2"})
	told, failed := 0, 0
	err := restore.Apply(t.Context(), root, func(path string, lost []string, err error) {
		told++
		if err != nil {
			failed++
		}
	})
	if err != nil || told != len(lines) || failed != len(lines)-2 {
		t.Errorf("%d lines told, %d failed, %v", told, failed, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "d")); string(b) != "2" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestApplyTwice applies a sidecar again after directories got back their names, and after some of it was not done.
func TestApplyTwice(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "cut/in"), 0o700); err != nil {
		t.Fatal(err)
	}
	sidecar := `{"path":"cut/in","type":"dir","name":"within"}
{"path":"cut","type":"dir","name":"original"}
{"path":"cut/in/f","type":"file","name":"g"}
{"path":"cut/in/h","type":"file","name":"h"}
`
	root := rootWith(t, dir, map[string]string{restore.SidecarName: sidecar, "cut/in/f": "1", "cut/in/h": "2"})
	for range 3 {
		err := restore.Apply(t.Context(), root, func(path string, _ []string, err error) {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
		if b, err2 := root.ReadFile("original/within/g"); err != nil || string(b) != "1" {
			t.Errorf("%q, %v, %v", b, err, err2)
		}
	}
}

// FuzzApply applies any sidecar: nothing outside of the target changes, and it ends.
func FuzzApply(f *testing.F) {
	f.Add([]byte(`{"path":"a","type":"file","name":"b","modified":5,"streams":[{"name":"s","size":1,"data":"AA=="}]}`))
	f.Add([]byte(`{"type":"security","security_id":"1","security":"AQ=="}` + "\n" + `{"path":"a/../../x","type":"link","link":"a","security_id":"1"}`))
	f.Fuzz(func(t *testing.T, sidecar []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "dest")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{restore.SidecarName, "a"} {
			if err := os.WriteFile(filepath.Join(dir, name), sidecar, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		restore.Apply(t.Context(), root, func(string, []string, error) {})
		if list, err := os.ReadDir(outer); err != nil || len(list) != 1 {
			t.Errorf("outside of the target: %v, %v", list, err)
		}
	})
}

// TestApplyOwnNames gives files names that are like those of parts, and does it again: none is taken for what an earlier
// run left.
func TestApplyOwnNames(t *testing.T) {
	dir := t.TempDir()
	const own, like = ".snapmount-ABCDEFGHIJKLMNOP.part", ".snapmount-x.part"
	lines := `{"path":"a","type":"file","name":"` + own + `"}` + "\n" + `{"path":"b","type":"file","name":"` + like + `"}`
	root := rootWith(t, dir, map[string]string{restore.SidecarName: lines, "a": "1", "b": "2"})
	for range 2 {
		if err := restore.Apply(t.Context(), root, func(string, []string, error) {}); err != nil {
			t.Error(err)
		}
		a, err := os.ReadFile(filepath.Join(dir, "a"))
		b, err2 := os.ReadFile(filepath.Join(dir, like))
		if string(a) != "1" || string(b) != "2" {
			t.Errorf("%q, %v; %q, %v", a, err, b, err2)
		}
	}
}
