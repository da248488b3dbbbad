package ewf

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// What the first 8 bytes of a segment file say.
const (
	magicDisk1  = "EVF\x09\x0d\x0a\xff\x00"
	magicFiles1 = "LVF\x09\x0d\x0a\xff\x00"
	magicDisk2  = "EVF2\x0d\x0a\x81\x00"
	magicFiles2 = "LEF2\x0d\x0a\x81\x00"

	fileHeaderLen1 = 13
	fileHeaderLen2 = 32
)

// fileHeader is what every segment file begins with.
type fileHeader struct {
	version     int // 1 or 2
	compression uint16
	number      int
	set         wintype.GUID // version 2: the same in all segments
}

func readFileHeader(src layer.Source) (fileHeader, error) {
	b := make([]byte, min(fileHeaderLen2, src.Size()))
	if err := layer.ReadFull(src, b, 0); err != nil {
		return fileHeader{}, fmt.Errorf("file header: %w", err)
	}
	if len(b) < fileHeaderLen1 {
		return fileHeader{}, fmt.Errorf("file header: %d bytes: %w", len(b), layer.ErrFormat)
	}
	h := fileHeader{version: 1, number: int(binary.LittleEndian.Uint16(b[9:]))}
	switch string(b[:8]) {
	case magicDisk1:
	case magicDisk2:
		if len(b) < fileHeaderLen2 {
			return h, layer.Corrupt("file header", 0, "%d bytes, want %d", len(b), fileHeaderLen2)
		}
		h = decodeFileHeader2(b)
		if major := b[8]; major != 2 {
			return h, fmt.Errorf("version %d, want 2: %w", major, layer.ErrUnsupported)
		}
	case magicFiles1, magicFiles2:
		return h, fmt.Errorf("logical evidence (L01), which holds files and no disk: %w", layer.ErrUnsupported)
	default:
		return h, fmt.Errorf("file header: magic 0x%x: %w", b[:8], layer.ErrFormat)
	}
	if h.number < 1 {
		return h, layer.Corrupt("file header", 0, "segment number %d", h.number)
	}
	return h, nil
}

func decodeFileHeader2(b []byte) fileHeader {
	le := binary.LittleEndian
	return fileHeader{
		version:     2,
		compression: le.Uint16(b[10:]),
		number:      int(min(le.Uint32(b[12:]), 1<<31-1)),
		set:         wintype.GUID(b[16:32]),
	}
}

// openSegment opens a segment beside the first, in whose Env this is. fs.ErrNotExist says that there is none.
func openSegment(n int, env format.Env) (layer.Source, error) {
	name, ok := SegmentName(env.Name, n)
	if !ok {
		return nil, fmt.Errorf("what follows the name %s: %w", env.Name, fs.ErrNotExist)
	}
	return env.Files.Open(name, format.Windows)
}

// firstSegment opens what has the name of the first segment in place of segment n, which is closed.
func firstSegment(n int, env format.Env) (src layer.Source, first format.Env, err error) {
	err = layer.ErrUnsupported
	if name, ok := SegmentName(env.Name, 1); ok {
		src, first, err = env.Files.Instead(name, format.Windows)
	}
	if err != nil {
		err = fmt.Errorf("is segment %d of an image, whose first has to be opened: %w", n, err)
	}
	return src, first, err
}

// SegmentName gives the name of another segment beside the one of the given name: after .E99 come .EAA to .EZZ, then
// .FAA, and so on to .ZZZ, in upper or lower case as the name given; .s01 and .Ex01 count alike, the latter to .EzZZ. It
// reports false for a name that is no segment's, and when there are no more names.
func SegmentName(name string, number int) (string, bool) {
	ext := filepath.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if len(ext) != 4 && len(ext) != 5 || number < 1 {
		return "", false
	}
	tail := strings.ToUpper(ext[len(ext)-2:])
	if !(isDigit(tail[0]) && isDigit(tail[1])) && !(isLetter(tail[0]) && isLetter(tail[1])) {
		return "", false
	}
	lead := ext[1 : len(ext)-2]
	if up := strings.ToUpper(lead); up[0] < 'E' || up[0] > 'Z' || len(up) == 2 && (up[0] != 'E' || up[1] < 'X' || up[1] > 'Z') {
		return "", false
	}
	if number < 100 {
		return fmt.Sprintf("%s.%s%02d", stem, firstLead(lead), number), true
	}
	number -= 100
	last := firstLead(lead)
	turn := last[len(last)-1] + byte(min(number/(26*26), 26))
	if upper := turn &^ 0x20; upper > 'Z' {
		return "", false
	}
	first := byte('A')
	if last[0] >= 'a' { // all of .e01 is lower case, and only the x of .Ex01
		first = 'a'
	}
	return fmt.Sprintf("%s.%s%c%c%c", stem, last[:len(last)-1], turn, first+byte(number/26%26), first+byte(number%26)), true
}

// firstLead is what the extension of segment 1 begins with, given that of any: F of .FAA is E, y of .EyAA is x.
func firstLead(lead string) string {
	c := lead[len(lead)-1]
	lower := c & 0x20
	switch upper := c &^ 0x20; {
	case len(lead) == 2:
		return lead[:1] + string('X'|lower)
	case upper == 'S':
		return lead
	}
	return string('E' | lower)
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' }
