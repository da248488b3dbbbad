package restore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// limits are what the names of a target have to keep to.
type limits struct {
	names Names
	folds bool // names that differ in case only are one
}

// Names that are tried, and what it says when a file of that name is not there afterwards.
const (
	probeCase    = "case"
	probeColon   = "colon:1"
	probeChars   = "chars*?\"<>|\\\x01"
	probeDot     = "dot."
	probeSpace   = "space "
	probeUTF8    = "wtf\xed\xa0\x80"
	longestUTF8  = 765 // bytes of 255 UTF-16 code units
	longestASCII = 255
	shortest     = 143 // of encrypted file systems
)

// probe tries which names a target can hold. The mount options of a file system count, not its name. left is why what it
// tried them with is there still.
func probe(root *os.Root) (out limits, left, err error) {
	dir := partName()
	if err := root.Mkdir(dir, 0o700); err != nil {
		return limits{}, nil, fmt.Errorf("the target: %w", err)
	}
	d, err := root.OpenRoot(dir)
	if err == nil {
		out, err = tryNames(d)
		d.Close() // else Windows removes it late
	}
	if err != nil {
		err = fmt.Errorf("the target: %w", err)
	}
	return out, leftover(dir, root.RemoveAll(dir)), err
}

// leftover says that a file of the program's own stays.
func leftover(name string, err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s could not be removed, and stays there: it is of no use: %w", name, err)
}

// tryNames makes files in an empty directory.
func tryNames(d *os.Root) (limits, error) {
	long, ascii := strings.Repeat("\u540d", longestUTF8/3), strings.Repeat("n", longestASCII)
	for _, name := range []string{probeCase, probeColon, probeChars, probeDot, probeSpace, probeUTF8, long, ascii} {
		if f, err := d.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600); err == nil {
			f.Close()
		}
	}
	list, err := d.Open(".")
	if err != nil {
		return limits{}, err
	}
	defer list.Close()
	names, err := list.Readdirnames(-1)
	if err != nil {
		return limits{}, err
	}
	has := map[string]bool{}
	for _, name := range names {
		has[name] = true
	}
	_, err = d.Lstat(strings.ToUpper(probeCase))
	out := limits{folds: err == nil, names: Names{Colon: !has[probeColon], UTF8: !has[probeUTF8], Max: shortest}}
	out.names.Windows = !has[probeChars] || !has[probeDot] || !has[probeSpace]
	switch {
	case has[long]:
		out.names.Max = longestUTF8
	case has[ascii]:
		out.names.Max = longestASCII
	}
	return out, nil
}
