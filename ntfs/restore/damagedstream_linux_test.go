package restore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// lostAt is a volume of which a byte cannot be read.
type lostAt struct {
	layer.Source
	at int64
}

func (l lostAt) ReadAt(p []byte, off int64) (int, error) {
	if off <= l.at && l.at < off+int64(len(p)) {
		return 0, layer.Corrupt("test", l.at, "lost")
	}
	return l.Source.ReadAt(p, off)
}

// TestDamagedStream damages the end of a large stream of a file that has another one: the file is told, whether there is a
// sidecar or not, no part of the stream is kept, and all else of the file is.
func TestDamagedStream(t *testing.T) {
	large := strings.Repeat("stream", 50000)
	image := volumeOf(t, func(dir string) error {
		return errors.Join(write(dir, "f", "content"), write(dir, "f:large", large), write(dir, "f:other", strings.Repeat("o", 70000)))
	})
	m, err := lookup(t, image, "f").Stream("large")
	if err != nil {
		t.Fatal(err)
	}
	e, err := layer.Leaf(m, m.Size()-1, 1)
	if err != nil {
		t.Fatal(err)
	}
	volume := lostAt{testenv.Open(t, image), e.BaseOff}
	for _, aside := range []bool{true, false} {
		dir, _ := ntfstest.MountNTFS3G(t, freshNTFS(t, "512", 64<<20), targetOptions)
		onPOSIX := t.TempDir()
		for _, to := range []string{dir, onPOSIX} {
			if to == onPOSIX && !aside {
				continue // it does not look at streams of this size at all
			}
			failed := restored(t, volume, to, restore.Options{NoSidecar: !aside}).failed()
			if len(failed) != 1 || !strings.HasPrefix(failed[0], "f: ") || !strings.Contains(failed[0], `"large"`) {
				t.Errorf("failed: %q", failed)
			}
			if b, err := os.ReadFile(filepath.Join(to, "f")); string(b) != "content" {
				t.Errorf("%q, %v", b, err)
			}
		}
		if b, err := os.ReadFile(filepath.Join(dir, "f:large")); err == nil {
			t.Errorf("%d bytes of the stream are left", len(b))
		}
		if b, err := os.ReadFile(filepath.Join(dir, "f:other")); len(b) != 70000 {
			t.Errorf("the other stream: %d bytes, %v", len(b), err)
		}
		if _, err := unix.Getxattr(filepath.Join(dir, "f"), "system.ntfs_acl", nil); err != nil {
			t.Error(err)
		}
		if line, err := os.ReadFile(filepath.Join(onPOSIX, restore.SidecarName)); aside && !bytes.Contains(line, []byte(`"path":"f"`)) {
			t.Errorf("sidecar: %s, %v", line, err)
		}
	}
}
