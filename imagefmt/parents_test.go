package imagefmt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt"
	"snapmount/imagefmt/imagetest"
)

// TestParentByID finds parents that no name leads to: beside, below and above the child, and where the user says.
func TestParentByID(t *testing.T) {
	const absent = `C:\gone\old.vhd`
	vhd, vdi, qcowBase := vhdFile(1, 0, ""), vdiFile(1, 0, 1, 0), bytes.Repeat([]byte{1}, 4096)
	cowd, flat := cowdFile(2), bytes.Repeat([]byte{1}, 8192)
	disk := func(extent string) []byte { return vmdkText(5, 0xffffffff, "", `RW 16 FLAT "`+extent+`" 0`) }
	child := vmdkText(6, 5, "gone.vmdk", `RW 16 VMFSSPARSE "top-delta.vmdk"`)
	for _, c := range []struct {
		name    string
		top     string
		files   map[string][]byte
		parents []string
		want    string // the file that is the parent, "" for an error
		text    string // of the error or the warning
	}{
		{"vhd beside", "a/top.vhd", map[string][]byte{"a/top.vhd": vhdFile(2, 1, absent), "a/20160916_full.vhd": vhd, "a/other.vhd": vhdFile(9, 0, "")}, nil, "a/20160916_full.vhd", "has its identifier"},
		{"vhd below", "a/top.vhd", map[string][]byte{"a/top.vhd": vhdFile(2, 1, absent), "a/b/x.vhd": vhd}, nil, "a/b/x.vhd", "has its identifier"},
		{"vhd above", "a/top.vhd", map[string][]byte{"a/top.vhd": vhdFile(2, 1, absent), "x.vhd": vhd}, nil, "x.vhd", "has its identifier"},
		{"vhd two above", "a/b/top.vhd", map[string][]byte{"a/b/top.vhd": vhdFile(2, 1, absent), "x.vhd": vhd}, nil, "", `parent "C:\\gone\\old.vhd": old.vhd is not beside top.vhd`},
		{"vhd named", "a/b/top.vhd", map[string][]byte{"a/b/top.vhd": vhdFile(2, 1, absent), "far/x": vhd, "far/y": vhdFile(9, 0, "")}, []string{"far/y", "far/x"}, "far/x", ""},
		{"vhd named before names", "top.vhd", map[string][]byte{"top.vhd": vhdFile(2, 1, "base.vhd"), "base.vhd": vhd, "far/x": vhd}, []string{"far/x"}, "far/x", ""},
		{"vhd named, others", "top.vhd", map[string][]byte{"top.vhd": vhdFile(2, 1, absent), "far/y": vhdFile(9, 0, "")}, []string{"far/y"}, "", "is not beside"},
		{"vdi as VirtualBox does", "m/Snapshots/{2}.vdi", map[string][]byte{"m/Snapshots/{2}.vdi": vdiFile(2, 1, 0, 0), "m/disk.vdi": vdi}, nil, "m/disk.vdi", ""},
		{"vdi through a snapshot", "m/Snapshots/{3}.vdi", map[string][]byte{"m/Snapshots/{3}.vdi": vdiFile(3, 2, 0, 0), "m/Snapshots/{2}.vdi": vdiFile(2, 1, 0, 0), "m/disk.vdi": vdi}, nil, "m/disk.vdi", ""},
		{"vdi from the machine", "m/disk.vdi", map[string][]byte{"m/disk.vdi": vdiFile(2, 1, 0, 0), "m/Snapshots/{1}.vdi": vdi}, nil, "m/Snapshots/{1}.vdi", ""},
		{"vmdk by content id", "a/top.vmdk", map[string][]byte{"a/top.vmdk": child, "a/top-delta.vmdk": cowd, "base.vmdk": disk("base-flat.vmdk"), "base-flat.vmdk": flat}, nil, "base-flat.vmdk", "has its identifier"},
		{"vmdk, two of them", "top.vmdk", map[string][]byte{"top.vmdk": child, "top-delta.vmdk": cowd, "a.vmdk": disk("a-flat.vmdk"), "b.vmdk": disk("a-flat.vmdk"), "a-flat.vmdk": flat}, nil, "", "a.vmdk and b.vmdk have this identifier: want --parent FILE"},
		{"vmdk named", "top.vmdk", map[string][]byte{"top.vmdk": child, "top-delta.vmdk": cowd, "far/b.vmdk": disk("a-flat.vmdk"), "far/a-flat.vmdk": flat}, []string{"far/b.vmdk"}, "far/a-flat.vmdk", ""},
		{"qcow2 named", "top.qcow2", map[string][]byte{"top.qcow2": qcow("/gone/base.raw", "raw"), "far/x.raw": qcowBase}, []string{"far/x.raw"}, "far/x.raw", ""},
		{"qcow2, by name first", "top.qcow2", map[string][]byte{"top.qcow2": qcow("/gone/b.qcow2", ""), "far/b.qcow2": qcow("/gone/c.raw", "raw"), "far/c.raw": qcowBase}, []string{"far/c.raw", "far/b.qcow2"}, "far/c.raw", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := folder(t, c.files)
			var warned []string
			opts := imagefmt.Options{Warn: func(err error) { warned = append(warned, err.Error()) }}
			for _, p := range c.parents {
				opts.Parents = append(opts.Parents, filepath.Join(root, filepath.FromSlash(p)))
			}
			img, err := imagefmt.Open(filepath.Join(root, filepath.FromSlash(c.top)), opts)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want %q", err, c.text)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer img.Close()
			if full := filepath.Join(root, filepath.FromSlash(c.want)); !slices.Contains(img.Files(), full) {
				t.Errorf("files %q, want %s among them", img.Files(), full)
			}
			if all := strings.Join(warned, "; "); !strings.Contains(all, c.text) || (all == "") != (c.text == "") {
				t.Errorf("warned %q, want %q", all, c.text)
			}
			if b := imagetest.Content(t, img); b[0] != 1 {
				t.Errorf("first byte %d", b[0])
			}
		})
	}
}

// TestChainError has a long chain whose end is lost: the error names the file that it is of, and no other.
func TestChainError(t *testing.T) {
	files := make(map[string][]byte)
	for i := range byte(100) {
		files[fmt.Sprintf("disk-%d.vhd", i)] = vhdFile(i+1, i+2, fmt.Sprintf("disk-%d.vhd", i+1))
	}
	_, err := imagefmt.Open(filepath.Join(folder(t, files), "disk-0.vhd"), imagefmt.Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `vhd: disk-99.vhd: parent "disk-100.vhd": disk-100.vhd is not beside disk-99.vhd`) || strings.Contains(err.Error(), "disk-50") {
		t.Errorf("error %v", err)
	}
}

// TestNewerParent warns of a parent that was written to after its child.
func TestNewerParent(t *testing.T) {
	dir := folder(t, map[string][]byte{"top.vhd": vhdFile(2, 1, "base.vhd"), "base.vhd": vhdFile(1, 0, ""), "top.qcow2": qcow("base.raw", "raw"), "base.raw": make([]byte, 4096), "any.qcow2": qcow("base.raw", "")})
	now := time.Now()
	for name, want := range map[string]bool{"top.vhd": true, "any.qcow2": true, "top.qcow2": true, "base.vhd": false} {
		for _, base := range []string{"base.vhd", "base.raw"} {
			if err := os.Chtimes(filepath.Join(dir, base), now, now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		warned := ""
		img, err := imagefmt.Open(filepath.Join(dir, name), imagefmt.Options{Warn: func(err error) { warned += err.Error() }})
		if err != nil {
			t.Fatal(err)
		}
		if img.Close(); strings.Contains(warned, "was written to later") != want || len(img.Faults()) > 0 {
			t.Errorf("%s: warned %q, faults %v", name, warned, img.Faults())
		}
	}
}
