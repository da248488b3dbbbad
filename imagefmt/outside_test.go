package imagefmt_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer/testenv"
)

// TestOutside has images that name files outside their folder, by all kinds of names; ROOT in a name is the folder
// above.
func TestOutside(t *testing.T) {
	base, cowd := bytes.Repeat([]byte{7}, 4096), cowdFile(2)
	flat := func(name string) []byte { return vmdkText(5, 0xffffffff, "", `RW 8 FLAT "`+name+`" 0`) }
	for _, c := range []struct {
		name  string
		top   func(root string) []byte
		files map[string][]byte
		want  string // that is opened with the flag
		err   string // without it
	}{
		{"qcow2, absolute", func(r string) []byte { return qcow(r+"/other/base.raw", "raw") }, map[string][]byte{"other/base.raw": base},
			"other/base.raw", "base.raw is not beside top, and want --allow-backing-anywhere for ROOT/other/base.raw"},
		{"qcow2, above", func(string) []byte { return qcow("../other/base.raw", "raw") }, map[string][]byte{"other/base.raw": base},
			"other/base.raw", "--allow-backing-anywhere for ROOT/other/base.raw"},
		{"qcow2, chain", func(string) []byte { return qcow("../other/mid.qcow2", "qcow2") },
			map[string][]byte{"other/mid.qcow2": qcow("sub/base.raw", "raw"), "other/sub/base.raw": base}, "other/sub/base.raw", "--allow-backing-anywhere"},
		{"qcow2, up and down again", func(string) []byte { return qcow("../disks/base.raw", "raw") }, map[string][]byte{"disks/base.raw": base}, "disks/base.raw", ""},
		{"vhd, above", func(string) []byte { return vhdFile(2, 1, `..\other\base.vhd`) }, map[string][]byte{"other/base.vhd": vhdFile(1, 0, "")},
			"other/base.vhd", "--allow-backing-anywhere for ROOT/other/base.vhd"},
		{"vmdk extent, absolute", func(r string) []byte { return flat(r + "/other/a-flat.vmdk") }, map[string][]byte{"other/a-flat.vmdk": base},
			"other/a-flat.vmdk", "a-flat.vmdk is not beside top, and want --allow-backing-anywhere for ROOT/other/a-flat.vmdk"},
		{"vmdk parent, above", func(string) []byte { return vmdkText(6, 5, "../other/p.vmdk", `RW 16 VMFSSPARSE "top-delta.vmdk"`) },
			map[string][]byte{"disks/top-delta.vmdk": cowd, "other/p.vmdk": vmdkText(5, 0xffffffff, "", `RW 16 FLAT "p-flat.vmdk" 0`), "other/p-flat.vmdk": bytes.Repeat([]byte{7}, 8192)},
			"other/p-flat.vmdk", "--allow-backing-anywhere for ROOT/other/p.vmdk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := folder(t, c.files)
			path := filepath.Join(root, "disks", "top")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.top(filepath.ToSlash(root)), 0o600); err != nil {
				t.Fatal(err)
			}
			img, err := imagefmt.Open(path, imagefmt.Options{})
			want := strings.ReplaceAll(c.err, "ROOT", root)
			if c.err != "" && (err == nil || !strings.Contains(err.Error(), want)) || c.err == "" && err != nil {
				t.Errorf("error %v, want %q", err, want)
			}
			if err == nil {
				img.Close()
			}
			img, err = imagefmt.Open(path, imagefmt.Options{Anywhere: true})
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			if full := filepath.Join(root, filepath.FromSlash(c.want)); !slices.Contains(img.Files(), full) {
				t.Errorf("files %q, want %s among them", img.Files(), full)
			}
			if b := imagetest.Content(t, img); b[0] != 7 && b[0] != 1 {
				t.Errorf("first byte %d", b[0])
			}
		})
	}
}

// TestLinks follows links that lead outside only for the image itself, unless the user allows more.
func TestLinks(t *testing.T) {
	base := bytes.Repeat([]byte{7}, 4096)
	root := folder(t, map[string][]byte{
		"out/base.raw": base, "out/d.001": base, "out/top.qcow2": qcow("base.raw", "raw"), "in/real.raw": base,
		"in/file.qcow2": qcow("link.raw", "raw"), "in/dir.qcow2": qcow("linked/base.raw", "raw"), "in/inside.qcow2": qcow("inside.raw", "raw"),
		"in/device.qcow2": qcow("device.raw", "raw"), "in/d.000": base, "lone/x": base,
	})
	for link, to := range map[string]string{
		"in/link.raw": "../out/base.raw", "in/linked": root + "/out", "in/inside.raw": root + "/in/real.raw", "in/d.001": "../out/d.001",
		"in/device.raw": "/dev/null", "lone/own.qcow2": root + "/in/inside.qcow2", "lone/inside.raw": "x",
	} {
		if err := os.Symlink(filepath.FromSlash(to), filepath.Join(root, link)); err != nil {
			t.Skipf("SKIPPED: no symbolic links: %v", err)
		}
	}
	outside := "is a link to " + root + "/out/base.raw, outside " + root + "/in: want --allow-backing-anywhere for it"
	for _, c := range []struct{ name, err, errFree string }{
		{"in/file.qcow2", outside, ""}, {"in/dir.qcow2", outside, ""}, {"in/inside.qcow2", "", ""}, {"lone/own.qcow2", "", ""},
		{"in/d.000", "part d.001: is a link to", ""}, {"in/device.qcow2", "is a link to /dev/null", "character device"},
	} {
		for _, free := range []bool{false, true} {
			img, err := imagefmt.Open(filepath.Join(root, c.name), imagefmt.Options{Anywhere: free})
			want := c.err
			if free {
				want = c.errFree
			}
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s, anywhere %v: error %v, want %q", c.name, free, err, want)
			}
			if err == nil {
				if b := imagetest.Content(t, img); b[0] != 7 {
					t.Errorf("%s: first byte %d", c.name, b[0])
				}
				img.Close()
			}
		}
	}
}

// TestNamedDevice has an image on a device that names another device beside it.
func TestNamedDevice(t *testing.T) {
	losetup := testenv.Peer(t, "losetup")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: loop devices need root")
	}
	dir := folder(t, map[string][]byte{"victim": bytes.Repeat([]byte{7}, 4096)})
	attach := func(name string) string {
		device := strings.TrimSpace(string(testenv.Run(t, losetup, "--find", "--show", "--read-only", filepath.Join(dir, name))))
		t.Cleanup(func() { testenv.Run(t, losetup, "--detach", device) })
		return device
	}
	victim := attach("victim")
	if err := os.WriteFile(filepath.Join(dir, "image"), qcow(filepath.Base(victim), "raw"), 0o600); err != nil {
		t.Fatal(err)
	}
	image := attach("image")
	if _, err := imagefmt.Open(image, imagefmt.Options{}); err == nil || !strings.Contains(err.Error(), "is a device that the image names") {
		t.Errorf("error %v", err)
	}
	img, err := imagefmt.Open(image, imagefmt.Options{Anywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if b := imagetest.Content(t, img); b[0] != 7 {
		t.Errorf("first byte %d", b[0])
	}
}
