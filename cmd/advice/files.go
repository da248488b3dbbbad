package advice

import (
	"cmp"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/mount/locate"
	"snapmount/mount/selection"
)

var (
	scheme      = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+)://`)
	windowsPath = regexp.MustCompile(`^([A-Za-z]):[\\/]|^\\\\`)
)

// url is an address where a file is wanted.
func (w *words) url() *Hint {
	for i := range w.images() {
		word := w.word(i)
		m := scheme.FindStringSubmatch(word)
		if m == nil {
			continue
		}
		name, err := url.PathUnescape(strings.TrimPrefix(word[len(m[0]):], "localhost"))
		switch {
		case !strings.EqualFold(m[1], "file"):
			return &Hint{Why: "an image is a file of this machine: copy it here, or mount where it is"}
		case err == nil:
			return one("a file's name has no address before it:", w.with(i, name))
		}
	}
	return nil
}

// What looking for files that are meant may cost.
const (
	maxEntries = 10_000 // of a directory
	maxFiles   = 3      // named
)

// elsewhere is an image that is not there, where another file is named nearly so.
func (w *words) elsewhere() *Hint {
	for i := range w.images() {
		word := strings.Trim(w.word(i), blanks)
		if there(word) || isDir(imageOf(word)) {
			continue
		}
		if h := w.windows(i, word); h != nil {
			return h
		}
		name, rest := cut(word)
		h := &Hint{Why: "did you mean:"}
		for _, other := range nearFiles(name) {
			h.Lines = append(h.Lines, w.with(i, other+rest))
		}
		if h.Lines != nil {
			return h
		}
	}
	return nil
}

// cut splits a location whose image is not there.
func cut(word string) (name, rest string) {
	start := 0
	if windowsPath.MatchString(word) {
		start = 2
	}
	if i := strings.IndexAny(word[start:], ":@"); i > 0 {
		return word[:start+i], word[start+i:]
	}
	return word, ""
}

// windows is a path of Windows on another system: of a disk that is mounted as WSL does it, or of a file that is here.
func (w *words) windows(i int, word string) *Hint {
	if !windowsPath.MatchString(word) || runtime.GOOS == "windows" {
		return nil
	}
	name, rest := cut(word)
	slashed := strings.ReplaceAll(name, `\`, "/")
	for _, other := range []string{"/mnt/" + strings.ToLower(name[:1]) + strings.TrimPrefix(slashed[1:], ":"), filepath.Base(slashed)} {
		if isFile(other) {
			return one("that is a path of Windows; here it is:", w.with(i, other+rest))
		}
	}
	return &Hint{Why: "that is a path of Windows: here it begins where its disk is mounted, such as /mnt"}
}

// nearFiles are the files of a directory that are named nearly as one that is not there, the nearest first: those that a
// pattern matches, that have another case or extension, or that a few letters tell apart.
func nearFiles(name string) (list []string) {
	dir, base := filepath.Split(name)
	d, err := os.Open(cmp.Or(dir, "."))
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(maxEntries) // what was read is of use all the same
	type candidate struct {
		name string
		cost int
	}
	var all []candidate
	want := strings.ToLower(strings.TrimSpace(base))
	for _, e := range entries {
		have := strings.ToLower(e.Name())
		cost := nearness(want, have)
		if cost >= 0 && !e.IsDir() && isFile(dir+e.Name()) {
			all = append(all, candidate{dir + e.Name(), cost})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.name, b.name)) })
	for _, c := range all[:min(len(all), maxFiles)] {
		list = append(list, c.name)
	}
	return list
}

// nearness tells how far the name of a file is from one that is wanted, both in lower case; -1 for too far.
func nearness(want, have string) int {
	stem := func(s string) string { return strings.TrimSuffix(s, filepath.Ext(s)) }
	most := min(2, len(want)/3)
	match, err := filepath.Match(want, have)
	switch d := selection.Distance(want, have, most); {
	case want == "":
		return -1
	case want == have, err == nil && match:
		return 0
	case stem(have) == want && len(want) > 2:
		return 1
	case stem(have) == stem(want) && want != stem(want):
		return 2
	case d <= most:
		return 2 + d
	}
	return -1
}

var imageNames = regexp.MustCompile(`(?i)\.(a?vhdx?|vmdk|vdi|qcow2?|e[0-9]{2}|ex01|s01|[0-9]{2,4}|dd|raw|img|ima|bin|iso|gz|zst)$`)

// NamedAsImage reports whether a file is named as images of disks are, or has no extension, as devices have none.
func NamedAsImage(name string) bool {
	return imageNames.MatchString(name) || filepath.Ext(name) == ""
}

// orMount ends what is told of a directory where there can be mounts.
var orMount = map[bool]string{false: "; if that was a mount, snapmount mounts lists those that there are"}[runtime.GOOS == "windows"]

// folder is a directory where an image is wanted: the images in it may be meant.
func (w *words) folder() *Hint {
	if !errors.Is(w.Err, layer.ErrFormat) {
		return nil
	}
	for i := range w.images() {
		word := w.word(i)
		if !isDir(word) {
			continue
		}
		if locate.Inside(word) {
			return &Hint{Why: "a mount shows it, and has no LOCATION for it: what it has is read through the mount, or looked for by find in the image"}
		}
		entries, err := os.ReadDir(word)
		h := &Hint{Why: "images that are in it:"}
		for _, e := range entries {
			if err == nil && len(h.Lines) < maxFiles && !e.IsDir() && imageNames.MatchString(e.Name()) {
				h.Lines = append(h.Lines, w.with(i, filepath.Join(word, e.Name())))
			}
		}
		if h.Lines != nil {
			return h
		}
		return &Hint{Why: "no file in it is named as images are" + orMount}
	}
	return nil
}

// inMount is a file that a mount does not show: it may have been deleted, and is then found by its volume.
func (w *words) inMount(dir, name string) *Hint {
	if !locate.Inside(dir) {
		return nil
	}
	for up := dir; up != filepath.Dir(up); up = filepath.Dir(up) {
		if volume, ok := locate.Path(up); ok {
			return one("what snapshots have had by that name:", []string{"find", volume, name})
		}
	}
	return nil
}

// place tells how far a path of this machine leads.
func (w *words) place() *Hint {
	for i := range w.images() {
		name, _ := cut(w.word(i))
		isDevice := runtime.GOOS == "windows" && (strings.HasPrefix(name, `\\.\`) || strings.HasPrefix(name, `\\?\`))
		if exists(imageOf(w.word(i))) || !strings.Contains(name, string(filepath.Separator)) || isDevice {
			continue
		}
		dir := filepath.Dir(filepath.Clean(name))
		last := filepath.Base(name)
		if exists(dir) {
			return w.inMount(dir, last) // or as the error has it
		}
		for !exists(dir) && dir != filepath.Dir(dir) {
			dir, last = filepath.Dir(dir), filepath.Base(dir)
		}
		return &Hint{Why: dir + " is there, and has no " + last + orMount}
	}
	return nil
}
