package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestSetAside leaves links to the sidecar where nothing is lost by it, and only then.
func TestSetAside(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	link, kept := &Meta{Type: "link", Reparse: []byte("x")}, &sidecar{}
	for name, c := range map[string]struct {
		err     error
		meta    *Meta
		sidecar *sidecar
		at      string
		aside   bool
	}{
		"no privilege":   {&os.LinkError{Op: "symlink", Err: notHeld}, link, kept, "x", true},
		"no such links":  {fmt.Errorf("x: %w", syscall.EPERM), link, kept, "x", true}, // as FAT says
		"not supported":  {&os.LinkError{Op: "symlink", Err: errors.ErrUnsupported}, link, kept, "x", true},
		"disk full":      {syscall.ENOSPC, link, kept, "x", false},
		"no sidecar":     {notHeld, link, nil, "x", false},
		"nothing to say": {notHeld, &Meta{Type: "link"}, kept, "x", false},
		"a file there":   {notHeld, link, kept, "there", false},
		"closed":         {fs.ErrPermission, link, kept, "x", false},
	} {
		w := &writer{run: &run{sidecar: c.sidecar}, root: root, name: c.at}
		err := w.setAside(c.meta, c.err)
		if w.res.Aside != c.aside || (err == nil) != c.aside || !c.aside && !errors.Is(err, c.err) || (len(w.res.Lost) > 0) != c.aside {
			t.Errorf("%s: %v, %v, %q", name, w.res.Aside, err, w.res.Lost)
		}
		if w.run.spare = true; c.aside && w.run.drops(w.res.Lost) {
			t.Errorf("%s: is not kept", name)
		}
	}
}
