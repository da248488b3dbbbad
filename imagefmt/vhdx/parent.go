package vhdx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const (
	locatorType      = "b04aefb7-d19e-4a81-b789-25b8e9445913"
	locatorHeaderLen = 20
	locatorEntryLen  = 12
)

// locatorEntry says where a key and its value are in the parent locator. Little-endian.
type locatorEntry struct {
	keyOff, valueOff uint32
	keyLen, valueLen uint16
}

// decodeLocatorEntry reads 12 bytes, MS-VHDX 2.6.2.6.2.
func decodeLocatorEntry(b []byte) locatorEntry {
	le := binary.LittleEndian
	return locatorEntry{keyOff: le.Uint32(b[0:]), valueOff: le.Uint32(b[4:]), keyLen: le.Uint16(b[8:]), valueLen: le.Uint16(b[10:])}
}

// lineage is what a child says of its parent.
type lineage struct {
	ids   []wintype.GUID // the parent has one of them
	paths []string       // in the order in which to try them
}

// readLocator decodes a parent locator item.
func readLocator(b []byte) (lineage, error) {
	var l lineage
	if len(b) < locatorHeaderLen {
		return l, layer.Corrupt("parent locator", 0, "%d bytes, want %d or more", len(b), locatorHeaderLen)
	}
	if kind := wintype.GUID(b[:16]).String(); kind != locatorType {
		return l, fmt.Errorf("parent locator of type %s, want %s: %w", kind, locatorType, layer.ErrUnsupported)
	}
	values := make(map[string]string)
	for i := range int(binary.LittleEndian.Uint16(b[18:])) {
		at := locatorHeaderLen + i*locatorEntryLen
		if at+locatorEntryLen > len(b) {
			return l, layer.Corrupt("parent locator", int64(at), "entry %d is past the end", i)
		}
		e := decodeLocatorEntry(b[at:])
		key, okKey := cut(b, e.keyOff, e.keyLen)
		value, okValue := cut(b, e.valueOff, e.valueLen)
		if !okKey || !okValue {
			return l, layer.Corrupt("parent locator", int64(at), "entry %d reaches past the end", i)
		}
		values[wintype.DecodeUTF16(key)] = wintype.DecodeUTF16(value)
	}
	for _, key := range []string{"parent_linkage", "parent_linkage2"} {
		if text := values[key]; text != "" {
			id, err := wintype.ParseGUID(text)
			if err != nil {
				return l, layer.Corrupt("parent locator", 0, "%s: %w", key, err)
			}
			l.ids = append(l.ids, id)
		}
	}
	if len(l.ids) == 0 {
		return l, layer.Corrupt("parent locator", 0, "no parent_linkage")
	}
	for _, key := range []string{"relative_path", "volume_path", "absolute_win32_path"} {
		if path := values[key]; path != "" && !slices.Contains(l.paths, path) {
			l.paths = append(l.paths, path)
		}
	}
	return l, nil
}

// cut returns b[off:][:n] where that is within b.
func cut(b []byte, off uint32, n uint16) ([]byte, bool) {
	if uint64(off)+uint64(n) > uint64(len(b)) {
		return nil, false
	}
	return b[off:][:n], true
}

// check reports why the file in src is not the parent.
func (l lineage) check(src layer.Source) error {
	id, err := readID(src)
	if err == nil && !l.has(id) {
		err = fmt.Errorf("not the parent: id %v, want %v", id.File, l.ids[0])
	}
	return err
}

// has reports whether a file of that identifier is the parent.
func (l lineage) has(id format.ID) bool { return slices.Contains(l.ids, id.File) }

// openParent tries the paths that the child gives, then looks for a file with the parent's identifier, which is for when
// files were renamed, and for a child that had the name of its parent in another folder.
func openParent(locator []byte, env format.Env) (*format.Disk, error) {
	l, err := readLocator(locator)
	if err != nil {
		return nil, err
	}
	return env.Files.Parent(format.Lineage{
		Names: l.paths, Style: format.Windows, Check: l.check, ID: l.ids[0].String(), IDs: []func(format.ID) bool{l.has},
	})
}
