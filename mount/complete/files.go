package complete

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
)

// endings are those of files that hold disks; of an image in several files that of the first.
var endings = []string{".vhd", ".vhdx", ".avhd", ".avhdx", ".qcow2", ".qcow", ".qed", ".vmdk", ".vdi", ".hdd", ".raw", ".img", ".ima", ".dd",
	".bin", ".dmg", ".iso", ".e01", ".ex01", ".s01", ".l01", ".001", ".000", ".aff", ".aff4", ".gz", ".zst", ".bz2", ".xz"}

// Files completes the path of an image: directories, disks, and files that are named as images are, or end as more says;
// where there are none of these, all files.
func Files(ctx context.Context, word string, more ...string) []Candidate {
	dir, typed := filepath.Split(word)
	found := &names{head: dir, typed: typed, equal: sameBytes}
	others := &names{head: dir, typed: typed, equal: sameBytes}
	list := open(dir)
	if list == nil {
		return nil
	}
	defer list.Close()
	var all []fs.DirEntry
	for {
		some, err := list.ReadDir(1 << 10)
		for _, e := range some {
			if strings.HasPrefix(e.Name(), typed) && (typed != "" || e.Name()[0] != '.') {
				all = append(all, e)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			break
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range all {
		if ctx.Err() != nil {
			return nil
		}
		switch mode := modeOf(dir, e); {
		case mode.IsDir():
			found.add(e.Name(), string(filepath.Separator), true, "")
		case isDisk(mode), mode.IsRegular() && isNamedAs(e.Name(), more):
			found.add(e.Name(), "", false, "")
		case mode.IsRegular():
			others.add(e.Name(), "", false, "")
		}
	}
	if len(found.list) == 0 {
		return others.all()
	}
	return found.all()
}

// open opens a directory; nil is one that cannot be read.
func open(dir string) *os.File {
	if dir == "" {
		dir = "."
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() { // what is no directory may wait at its opening
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	return f
}

// modeOf is what an entry is, or a link leads to.
func modeOf(dir string, e fs.DirEntry) fs.FileMode {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	if err != nil {
		return fs.ModeIrregular
	}
	return info.Mode()
}

func isDisk(mode fs.FileMode) bool { return mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0 }

func isNamedAs(name string, more []string) bool {
	end := strings.ToLower(filepath.Ext(name))
	return slices.Contains(endings, end) || slices.Contains(more, end)
}

// isImage reports whether a path can be that of an image: a file or a disk.
func isImage(path string) bool {
	info, err := device.Stat(path)
	return err == nil && (info.Mode().IsRegular() || isDisk(info.Mode()))
}

func sameBytes(a, b string) bool { return a == b }
