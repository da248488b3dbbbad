package restore_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// buildNames makes a volume of names that archives, or those who unpack them, cannot hold, and returns its image.
func buildNames(t *testing.T) string {
	image := freshNTFS(t, "512", 64<<20)
	dir, unmount := ntfstest.MountNTFS3G(t, image, targetOptions)
	long := strings.Repeat("\u540d", 255)
	for _, name := range []string{
		"d?r /", "d?r /f*", "d?r /con/", "d?r /con/x|y", "a/", "a:b", "a/b", "a/b:c", "%41", "%41:50%41", "A1:e=f", "A1:n\nl", "A1:empty",
		"Case", "case", "case:s", "Case:s", long + "/", long + "/" + long, long + "/" + long + ":stream", "lone\xed\xa0\x80", "lone\xed\xa0\x80/.snapmount-x.part",
	} {
		var err error
		at := filepath.Join(dir, name)
		switch {
		case strings.HasSuffix(name, "/"):
			err = os.Mkdir(at, 0o700)
		case strings.HasPrefix(name, "lone") && !strings.Contains(name, "/"):
			err = os.Mkdir(at, 0o700)
		case strings.HasSuffix(name, ":empty"):
			err = os.WriteFile(at, nil, 0o600)
		default:
			err = os.WriteFile(at, []byte("of "+name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ea := "\x14\x00\x00\x00\x00\x04\x05\x00NAME\x00value\x00\x00"
	err := errors.Join(os.Link(dir+"/d?r /f*", dir+"/l<nk"), os.Link(dir+"/d?r /f*", dir+"/zzz"), unix.Setxattr(dir+"/a/b", "system.ntfs_ea", []byte(ea), 0),
		unix.Setxattr(dir+"/case", "system.ntfs_dos_name", []byte("CAS~1"), 0), os.WriteFile(dir+"/a:large", make([]byte, 100_000), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"d?r /con", "d?r ", "a", long, "lone\xed\xa0\x80"} {
		at := time.Date(2001+i, 2, 3, 4, 5, 6, 700, time.UTC)
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	unmount()
	return image
}

// TestArchiveNames unpacks archives of names that they cannot hold, gives them their metadata, and compares all of it; and
// so with a folder.
func TestArchiveNames(t *testing.T) {
	image := buildNames(t)
	for _, c := range []struct {
		name   string
		format restore.Format
		unpack []string
	}{
		{"folder", 0, nil},
		{"unzip", restore.Zip, []string{"unzip", "-q"}},
		{"bsdtar zip", restore.Zip, []string{"bsdtar", "-xf"}},
		{"tar", restore.Tar, []string{"tar", "-xf"}},
		{"bsdtar", restore.Tar, []string{"bsdtar", "-x", "--no-xattrs", "-f"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := freshNTFS(t, "512", 64<<20)
			dir, unmount := ntfstest.MountNTFS3G(t, target, targetOptions)
			if c.unpack == nil {
				viaPOSIX(t, testenv.Open(t, image), dir)
			} else {
				plain := t.TempDir() // where names have 255 bytes
				unpack(t, plain, append(c.unpack, archiveOf(t, image, c.format)))
				testenv.Run(t, "cp", "-a", plain+"/.", dir)
				apply(t, dir)
				applied(t, dir) // again: names that were given back are found
			}
			unmount()
			original, _ := ntfstest.MountNTFS3G(t, image, "ro,streams_interface=windows")
			dir, _ = ntfstest.MountNTFS3G(t, target, "ro,streams_interface=windows")
			compareTrees(t, original, dir, true)
		})
	}
}
