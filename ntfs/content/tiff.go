package content

import (
	"encoding/binary"

	"snapmount/imagefmt/layer"
)

// tiff reads a TIFF file in its byte order.
type tiff struct {
	f     *file
	order binary.ByteOrder
}

// tiffSizes is the size of a value by its type (TIFF 6.0, and types 13, 16 to 18 of its supplements); 0 is no type.
var tiffSizes = [19]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8}

// checkTIFF walks the directories: known types, and values, strips and tiles within the file.
func checkTIFF(f *file) finding {
	h := f.bytes(0, 8)
	if h == nil {
		return cut("it ends within its header")
	}
	t := tiff{f: f, order: le}
	if h[0] == 'M' {
		t.order = be
	}
	if t.order.Uint16(h[2:]) != 42 {
		return silent // offsets of 64 bits
	}
	for at, n := int64(t.order.Uint32(h[4:])), 0; at != 0; n++ {
		count := f.bytes(at, 2)
		if count == nil {
			return cut("a directory is beyond the end")
		}
		k := int64(t.order.Uint16(count))
		dir := f.bytes(at+2, 12*k+4)
		if dir == nil {
			return cut("a directory is beyond the end")
		}
		if bad := t.directory(dir, at+2); bad.state != Whole {
			return bad
		}
		if at = int64(t.order.Uint32(dir[12*k:])); n > 10000 {
			return torn(at, "the directories do not end,")
		}
	}
	return sound(false, "the directories are right")
}

// directory checks the entries of a directory, which begins at a place.
func (t *tiff) directory(dir []byte, at int64) finding {
	var offs, sizes []byte // the entries of strips or tiles
	for i := int64(0); len(dir) > 4; i, dir = i+12, dir[12:] {
		kind, num := t.order.Uint16(dir[2:]), int64(t.order.Uint32(dir[4:]))
		if kind == 0 || int(kind) >= len(tiffSizes) || tiffSizes[kind] == 0 {
			return torn(at+i, "an entry of a directory is wrong")
		}
		if n := num * tiffSizes[kind]; n > 4 && layer.Clip(t.f.size, int64(t.order.Uint32(dir[8:])), n) < n {
			return cut("a value is beyond the end")
		}
		switch t.order.Uint16(dir) {
		case 273, 324:
			offs = dir[:12]
		case 279, 325:
			sizes = dir[:12]
		}
	}
	if offs == nil || sizes == nil {
		return sound(false, "")
	}
	starts, lengths := t.values(offs), t.values(sizes)
	for i := range min(len(starts), len(lengths)) {
		if starts[i] > t.f.size || lengths[i] > t.f.size-starts[i] {
			return cut("a strip is beyond the end")
		}
	}
	return sound(false, "")
}

// values returns the numbers of 16 or 32 bits of an entry, as many as the file has, 65,536 at most.
func (t *tiff) values(e []byte) (v []int64) {
	size, n := tiffSizes[t.order.Uint16(e[2:])], min(int64(t.order.Uint32(e[4:])), 1<<16)
	b := e[8:12]
	if n*size > 4 {
		b = t.f.upTo(int64(t.order.Uint32(e[8:])), n*size)
	}
	for i := int64(0); i < n && (i+1)*size <= int64(len(b)); i++ {
		switch size {
		case 2:
			v = append(v, int64(t.order.Uint16(b[2*i:])))
		case 4:
			v = append(v, int64(t.order.Uint32(b[4*i:])))
		}
	}
	return v
}
