package restore_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// TestArchiveApplied unpacks archives of a volume with every feature by other programs, on ntfs-3g or on the system's own
// file system and from there to ntfs-3g by a plain copy, gives them the metadata of their last member, and compares all
// that ntfs-3g shows with the original. A zip has no holes, and bsdtar composes the names in it.
func TestArchiveApplied(t *testing.T) {
	for _, c := range []struct {
		name           string
		format         restore.Format
		via, long      bool     // over another file system; only with SNAPMOUNT_LONG
		says, composes bool     // that streams do not fit; other names
		unpack         []string // with the archive; in the directory to unpack to
	}{
		{"zip unzip", restore.Zip, false, false, false, false, []string{"unzip", "-q"}},
		{"zip bsdtar", restore.Zip, false, true, false, true, []string{"bsdtar", "-xpf"}},
		{"tar plain", restore.Tar, true, false, false, false, []string{"tar", "--warning=no-timestamp", "-xpf"}},
		{"tar xattrs", restore.Tar, true, true, true, false, []string{"tar", "--warning=no-timestamp", "--xattrs", "--xattrs-include=user.*", "-xpf"}},
		{"tar bsdtar", restore.Tar, false, true, false, false, []string{"bsdtar", "-x", "--no-xattrs", "-f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if (c.long || testenv.Race) && os.Getenv("SNAPMOUNT_LONG") == "" {
				t.Skip("SKIPPED: takes half a minute: set SNAPMOUNT_LONG")
			}
			image := ntfstest.Feat512.Build(t)
			archive := archiveOf(t, image, c.format)
			target := freshNTFS(t, "512", 4<<30)
			dir, unmount := ntfstest.MountNTFS3G(t, target, targetOptions)
			to := dir
			if c.via {
				to = t.TempDir()
			}
			out := unpack(t, to, append(c.unpack, archive))
			if n := strings.Count(out, "'hdrcharset'"); !c.says && (n > 1 || strings.Count(out, "\n") != n) { // for the one name that bsdtar would compose
				t.Errorf("%.2000s", out)
			}
			if c.composes {
				if err := os.Rename(filepath.Join(to, "names/\u00e9_nfd"), filepath.Join(to, "names/e\u0301_nfd")); err != nil {
					t.Error(err)
				}
			}
			if c.via {
				testenv.Run(t, "cp", "-a", "--no-preserve=xattr", to+"/.", dir)
			}
			applied(t, dir)
			unmount()
			original, _ := ntfstest.MountNTFS3G(t, image, "ro,streams_interface=windows")
			dir, _ = ntfstest.MountNTFS3G(t, target, "ro,streams_interface=windows")
			checkClaims(t, ntfstest.Feat512, image, dir)
			compareTrees(t, original, dir, c.format == restore.Tar)
		})
	}
}

// unpack runs a program in a directory, and returns what it says.
func unpack(t *testing.T, dir string, args []string) string {
	t.Helper()
	cmd := exec.Command(testenv.Peer(t, args[0]), args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v, %.2000s", cmd, err, out)
	}
	return string(out)
}

// archiveOf makes an archive of all of a volume.
func archiveOf(t *testing.T, image string, format restore.Format) string {
	t.Helper()
	tree, err := ntfs.Open(testenv.Open(t, image), ntfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	top, err := tree.Root()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "archive")
	f, err := restore.Create(name, false)
	if err != nil {
		t.Fatal(err)
	}
	var r results
	err = restore.Archive(context.Background(), f, format, all(restore.Source{Node: top}), restore.Options{Done: r.add})
	if err := errors.Join(err, f.Commit()); err != nil {
		t.Fatal(err)
	}
	if failed := r.failed(); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
	return name
}
