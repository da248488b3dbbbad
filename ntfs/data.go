package ntfs

import (
	"errors"
	"fmt"
	"io/fs"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs/layout"
)

// StreamInfo describes a $DATA attribute of a node.
type StreamInfo struct {
	Name                          string // "" is the unnamed one, the content of a file
	Size, Allocated, Initialized  int64  // bytes; Allocated is without holes, and 0 when resident
	Resident                      bool
	Compressed, Encrypted, Sparse bool
	ID                            uint16 // of the attribute, in its record
}

// Streams lists the node's $DATA attributes, as they are on the volume. With an error, what could be read is there too.
func (n *Node) Streams() ([]StreamInfo, error) {
	var out []StreamInfo
	var broken error
	damage := n.each(func(a *attribute) bool {
		switch {
		case a.typ != typeData || a.low != 0:
		case a.err != nil:
			broken = errors.Join(broken, a.err)
		default:
			out = append(out, n.tree.streamInfo(a))
		}
		return true
	})
	if broken != nil {
		damage = errors.Join(damage, broken)
	}
	return out, damage
}

func (t *Tree) streamInfo(a *attribute) StreamInfo {
	info := StreamInfo{Name: a.nameString(), Resident: a.resident, Compressed: a.flags&layout.Compressed != 0,
		Encrypted: a.flags&layout.Encrypted != 0, Sparse: a.flags&layout.Sparse != 0, ID: a.id}
	if a.resident {
		info.Size, info.Initialized = int64(len(a.value)), int64(len(a.value))
		return info
	}
	limit := t.sizeLimit(a.flags)
	clip := func(v uint64) int64 { return int64(min(v, uint64(limit))) }
	info.Size, info.Allocated, info.Initialized = clip(a.size), clip(a.taken), clip(a.initialized)
	return info
}

// Stream opens the $DATA attribute of that name, "" for the unnamed one. Case is as in Child. It wraps fs.ErrNotExist
// when there is none, and layer.ErrUnsupported when what the volume keeps is not the content: encrypted without
// Options.Ciphertext, or left to another program by a reparse point.
func (n *Node) Stream(name string) (layer.Mapper, error) {
	list, damage := n.attributes()
	extents := n.tree.pickStream(list, name)
	if len(extents) == 0 {
		if damage != nil {
			return nil, fmt.Errorf("stream %q: %w", name, damage)
		}
		return nil, fmt.Errorf("%v: stream %q: %w", n.Ref, name, fs.ErrNotExist)
	}
	return n.openStream(list, extents, name)
}

func (n *Node) openStream(list, extents []attribute, name string) (layer.Mapper, error) {
	a, label := &extents[0], streamLabel(n.Ref, name)
	if name == "" && n.ReparseTag == TagWOF && a.err == nil {
		return n.openWOF(list, label)
	}
	if a.flags&layout.Encrypted != 0 && !n.tree.opts.Ciphertext {
		return nil, fmt.Errorf("%s: encrypted (EFS): %w", label(), layer.ErrUnsupported)
	}
	if method := a.flags & layout.Compressed; method > 1 && !a.resident {
		return nil, fmt.Errorf("%s: compressed by method %d: %w", label(), method, layer.ErrUnsupported)
	}
	if a.resident && a.err == nil {
		if err := n.checkUnnamed(name, nil); err != nil {
			return nil, err
		}
		return resident(a.value), nil
	}
	s, err := n.tree.newStream(extents, label)
	if err != nil {
		return nil, err
	}
	if err := n.checkUnnamed(name, s); err != nil {
		return nil, err
	}
	switch {
	case a.flags&layout.Encrypted != 0:
		return s.ciphertext(), nil
	case a.flags&layout.Compressed != 0:
		return s.decompress(a.unit)
	}
	return s, nil
}

// streamLabel gives what errors of a stream begin with.
func streamLabel(ref Ref, name string) func() string {
	return func() string {
		if name == "" {
			return ref.String()
		}
		return fmt.Sprintf("%v: stream %q", ref, name)
	}
}

// checkUnnamed is checkContent for the unnamed stream alone.
func (n *Node) checkUnnamed(name string, s *stream) error {
	if name != "" {
		return nil
	}
	return n.checkContent(s)
}

// ciphertext extends s to whole blocks of encryption, of 512 bytes, without which its end could not be decrypted.
func (s *stream) ciphertext() *stream {
	const block = 512
	room := s.runs.end() * int64(s.t.geo.cluster)
	round := func(n int64) int64 { return max(n, min((n+block-1)/block*block, room)) }
	s.size, s.initialized, s.encrypted = round(s.size), round(s.initialized), true
	return s
}

// IsCiphertext reports whether a stream gives the bytes of an encrypted one as they are on the disk.
func IsCiphertext(m layer.Mapper) bool {
	s, ok := m.(*stream)
	return ok && s.encrypted
}

// EFS returns the value of the $EFS attribute, which holds the keys of an encrypted file, encrypted for its users. It
// wraps fs.ErrNotExist when there is none.
func (n *Node) EFS() ([]byte, error) {
	b, err := n.value(typeLoggedUtility, "$EFS", maxAttributeList)
	if err != nil {
		return nil, fmt.Errorf("$EFS: %w", err)
	}
	return b, nil
}

// pickStream returns the extents of the $DATA attribute of that name: exactly, else whatever the case.
func (t *Tree) pickStream(list []attribute, name string) []attribute {
	if found := extentsOf(list, typeData, func(a *attribute) bool { return a.nameString() == name }); len(found) > 0 || name == "" {
		return found
	}
	var room nameRoom
	key, ok := t.fold(name, &room)
	if !ok {
		return nil
	}
	var first []byte
	return extentsOf(list, typeData, func(a *attribute) bool {
		if first != nil {
			return string(first) == string(a.name)
		}
		if len(a.name) == 0 || key.compare(a.name) != 0 {
			return false
		}
		first = a.name
		return true
	})
}
