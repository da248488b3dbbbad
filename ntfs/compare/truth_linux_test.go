package compare_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"snapmount/ntfs/compare"
)

// frozen is what a file was at a point in time: what was written, and what ntfs-3g tells of it.
type frozen struct {
	dir              bool
	names            map[string]frozenName // by parent and name
	data             string
	streams          map[string]string
	times            [4]uint64 // created, modified, changed, accessed
	attrib           uint32
	owner, acl       string
	touched, inPlace int
}

type frozenName struct {
	up         int
	name, path string
}

// freeze reads what the model does not know.
func (m *model) freeze() map[int]*frozen {
	out := map[int]*frozen{}
	for id, f := range m.files {
		z := &frozen{dir: f.dir, names: map[string]frozenName{}, data: string(f.data), streams: map[string]string{}, touched: f.touched, inPlace: f.inPlace}
		for _, l := range f.links {
			z.names[fmt.Sprint(l.up.id, "/", l.name)] = frozenName{l.up.id, l.name, path.Join(m.path(l.up), l.name)}
		}
		if f == m.root {
			z.names[""] = frozenName{}
		}
		for k, v := range f.streams {
			z.streams[k] = string(v)
		}
		host := m.host(f)
		b, err := xattr(host, "system.ntfs_times")
		m.check(err)
		for i, from := range []int{0, 1, 3, 2} {
			z.times[i] = binary.LittleEndian.Uint64(b[8*from:])
		}
		b, err = xattr(host, "system.ntfs_attrib")
		m.check(err)
		z.attrib = binary.LittleEndian.Uint32(b)
		b, err = xattr(host, "system.ntfs_acl")
		m.check(err)
		z.owner, z.acl = splitOwner(b)
		out[id] = z
	}
	return out
}

// splitOwner cuts the owner out of a descriptor; what is left is the group and the lists.
func splitOwner(b []byte) (owner, rest string) {
	le := binary.LittleEndian
	for i, at := range []int{4, 8, 12, 16} {
		off := le.Uint32(b[at:])
		if off == 0 {
			continue
		}
		n := 8 + 4*int(b[off+1])
		if i > 1 {
			n = int(le.Uint16(b[off+2:]))
		}
		if part := string(b[off:][:n]); i == 0 {
			owner = part
		} else {
			rest += fmt.Sprint(i, part)
		}
	}
	return owner, rest
}

func xattr(host, key string) ([]byte, error) {
	b := make([]byte, 1<<16)
	n, err := unix.Lgetxattr(host, key, b)
	return b[:max(n, 0)], err
}

// changes says what differs between two states, a line each.
func changes(a, b map[int]*frozen) []string {
	var out []string
	for id, x := range a {
		if b[id] == nil {
			out = append(out, named("deleted", x.names, x.names, x)...)
		}
	}
	for id, y := range b {
		if x := a[id]; x == nil {
			out = append(out, named("created", y.names, y.names, y)...)
		} else {
			out = append(out, differences(x, y)...)
		}
	}
	slices.Sort(out)
	return out
}

func named(kind string, names, all map[string]frozenName, f *frozen) (out []string) {
	var paths []string
	for _, n := range names {
		paths = append(paths, n.path)
	}
	slices.SortFunc(paths, comparePaths)
	for i, p := range paths {
		line := fmt.Sprintf("%s %q", kind, p)
		if i > 0 || len(names) < len(all) {
			line += " link"
		}
		if !f.dir {
			line += fmt.Sprint(" ", len(f.data))
		}
		out = append(out, line)
	}
	return out
}

// differences are those of one file. What was written behind its back is all that is found in its extents.
func differences(x, y *frozen) []string {
	out := renames(x, y)
	var paths []string
	for _, n := range y.names {
		paths = append(paths, n.path)
	}
	at := slices.MinFunc(paths, comparePaths)
	mark := ""
	if x.inPlace != y.inPlace && x.touched == y.touched {
		mark = " in place"
	}
	if x.data != y.data {
		by := compare.ByBytes
		if mark != "" {
			by = compare.ByExtents
		} else if len(x.data) != len(y.data) {
			by = compare.ByRecord
		}
		out = append(out, fmt.Sprintf("content %q %d %d %v%s", at, len(x.data), len(y.data), by, mark))
	}
	var fields []string
	for i, word := range []string{"created", "modified", "changed", "accessed"} {
		if x.times[i] != y.times[i] {
			fields = append(fields, word)
		}
	}
	for _, c := range []struct {
		word string
		yes  bool
	}{{"attributes", x.attrib != y.attrib}, {"owner", x.owner != y.owner}, {"permissions", x.acl != y.acl}} {
		if c.yes {
			fields = append(fields, c.word)
		}
	}
	if len(fields) > 0 {
		out = append(out, fmt.Sprintf("metadata %q %s", at, strings.Join(fields, ",")))
	}
	var streams []string
	for k := range x.streams {
		if v, ok := y.streams[k]; !ok || v != x.streams[k] {
			streams = append(streams, k)
		}
	}
	for k := range y.streams {
		if _, ok := x.streams[k]; !ok {
			streams = append(streams, k)
		}
	}
	if slices.Sort(streams); len(streams) > 0 {
		out = append(out, fmt.Sprintf("streams %q %s", at, strings.Join(streams, ",")))
	}
	return out
}

// renames pairs names: those in the same directory first, then those that are the same word, then in order.
func renames(x, y *frozen) (out []string) {
	gone, came := maps.Clone(x.names), maps.Clone(y.names)
	for k := range x.names {
		if _, ok := came[k]; ok {
			delete(gone, k)
			delete(came, k)
		}
	}
	ordered := func(m map[string]frozenName) []string {
		return slices.SortedFunc(maps.Keys(m), func(a, b string) int { return comparePaths(m[a].path, m[b].path) })
	}
	for rule := range 3 {
		for _, g := range ordered(gone) {
			for _, c := range ordered(came) {
				if rule == 0 && gone[g].up == came[c].up || rule == 1 && gone[g].name == came[c].name || rule == 2 {
					out = append(out, fmt.Sprintf("renamed %q %q", came[c].path, gone[g].path))
					delete(gone, g)
					delete(came, c)
					break
				}
			}
		}
	}
	out = append(out, named("deleted", gone, x.names, x)...)
	return append(out, named("created", came, y.names, y)...)
}
