package ntfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
)

const (
	typeEA = 0xe0
	maxEAs = 64 << 10 // bytes of all of a file

	eaNeed  = 0x80
	eaFixed = 8 // bytes before the name
)

// An EA is an extended attribute, FILE_FULL_EA_INFORMATION of [MS-FSCC] 2.4.16.
type EA struct {
	Name   string // as it is: in the character set of the program that wrote it, ASCII mostly
	NeedEA bool   // who does not understand the attribute must not open the file
	Value  []byte
}

// EAs lists the node's extended attributes, none where it has none. With an error, those before the damage are there.
func (n *Node) EAs() ([]EA, error) {
	b, err := n.RawEA()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := decodeEAs(b)
	if err != nil {
		err = fmt.Errorf("%v: extended attributes: %w", n.Ref, err)
	}
	return list, err
}

// RawEA returns the node's $EA as it is on the volume. It wraps fs.ErrNotExist when there is none.
func (n *Node) RawEA() ([]byte, error) {
	b, err := n.value(typeEA, "", maxEAs)
	if err != nil {
		err = fmt.Errorf("extended attributes: %w", err)
	}
	return b, err
}

// decodeEAs decodes a list of EAs. The last one leads to the end of b, or nowhere.
func decodeEAs(b []byte) ([]EA, error) {
	var list []EA
	for at := 0; at < len(b); {
		e, next, err := decodeEA(b[at:], int64(at))
		if err != nil {
			return list, err
		}
		list = append(list, e)
		if next == 0 {
			break
		}
		at += next
	}
	return list, nil
}

// decodeEA decodes the EA that b starts with, and tells how far from it the next one is; 0 for none.
func decodeEA(b []byte, off int64) (EA, int, error) {
	le := binary.LittleEndian
	if len(b) < eaFixed {
		return EA{}, 0, layer.Corrupt("extended attribute", off, "%d bytes, want %d at least", len(b), eaFixed)
	}
	next, flags, nameLen, valueLen := le.Uint32(b[0:]), b[4], int(b[5]), int(le.Uint16(b[6:]))
	size := eaFixed + nameLen + 1 + valueLen
	switch {
	case uint64(next) > uint64(len(b)) || size > len(b) || next != 0 && int(next) < size:
		return EA{}, 0, layer.Corrupt("extended attribute", off, "name of %d and value of %d bytes, the next one at 0x%x, 0x%x left", nameLen, valueLen, next, len(b))
	case nameLen == 0 || b[eaFixed+nameLen] != 0:
		return EA{}, 0, layer.Corrupt("extended attribute", off, "name of %d bytes without an end", nameLen)
	case next == 0 && len(bytes.Trim(b[size:], "\x00")) > 0:
		return EA{}, 0, layer.Corrupt("extended attribute", off, "the last one, with 0x%x bytes after it", len(b)-size)
	}
	e := EA{Name: string(b[eaFixed:][:nameLen]), NeedEA: flags&eaNeed != 0, Value: b[eaFixed+nameLen+1:][:valueLen:valueLen]}
	return e, int(next), nil
}

// LXFields says which fields of an LX are there.
type LXFields uint8

const (
	LXUID LXFields = 1 << iota
	LXGID
	LXMode
	LXDev
)

// LX is what the Windows Subsystem for Linux keeps of a file in EAs: $LXUID, $LXGID, $LXMOD and $LXDEV.
type LX struct {
	Fields   LXFields
	UID, GID uint32
	Mode     uint32 // st_mode of Linux, with the type of the file
	Dev      struct{ Major, Minor uint32 }
}

// LX decodes the node's EAs of Linux, and reports whether there are any.
func (n *Node) LX() (LX, bool, error) {
	list, err := n.EAs()
	x, damage := decodeLX(list)
	if err = errors.Join(err, damage); err != nil {
		err = fmt.Errorf("%v: Linux metadata: %w", n.Ref, err)
	}
	return x, x.Fields != 0, err
}

func decodeLX(list []EA) (LX, error) {
	le := binary.LittleEndian
	var x LX
	for _, e := range list {
		var field LXFields
		var to []*uint32
		switch e.Name {
		case "$LXUID":
			field, to = LXUID, []*uint32{&x.UID}
		case "$LXGID":
			field, to = LXGID, []*uint32{&x.GID}
		case "$LXMOD":
			field, to = LXMode, []*uint32{&x.Mode}
		case "$LXDEV":
			field, to = LXDev, []*uint32{&x.Dev.Major, &x.Dev.Minor}
		default:
			continue
		}
		if len(e.Value) != 4*len(to) {
			return x, fmt.Errorf("%s: %d bytes, want %d: %w", e.Name, len(e.Value), 4*len(to), layer.ErrCorrupt)
		}
		for i, v := range to {
			*v = le.Uint32(e.Value[4*i:])
		}
		x.Fields |= field
	}
	return x, nil
}
