package cmd

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"snapmount/mount/tree"
	"snapmount/ntfs/compare"
)

// write writes a version below the directory asked for, unless it was written already. It never overwrites, and never
// follows a name out of the directory.
func (h *historian) write(v compare.Version) {
	key := versionKey{v.Ref, v.Number}
	if h.written[key] {
		return
	}
	h.written[key] = true
	base := tree.EscapeName(v.Path[strings.LastIndexByte(v.Path, '/')+1:])
	extension := path.Ext(base)
	if err := h.writeAs(base[:len(base)-len(extension)]+"."+h.points[v.First].Name+extension, v); err != nil {
		h.fail(v, fmt.Errorf("--extract: %w", h.points[v.First].Because(err)))
	}
}

func (h *historian) writeAs(file string, v compare.Version) error {
	m, err := v.Node.Stream(v.Stream)
	if err != nil {
		return err
	}
	f, err := h.root.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	times := v.Node.Times
	err = errors.Join(copyOut(f, m, false), f.Close())
	if err == nil {
		err = h.root.Chtimes(file, times.Accessed.Time(), times.Modified.Time())
	}
	if err != nil {
		err = errors.Join(err, h.root.Remove(file))
	}
	return err
}
