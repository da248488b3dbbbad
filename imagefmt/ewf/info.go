package ewf

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/adler32"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// setHashes takes hashes as bytes; all zeros is none.
func setHashes(h *format.Hashes, md5, sha1 []byte) {
	if len(bytes.Trim(md5, "\x00")) > 0 {
		h.MD5 = hex.EncodeToString(md5)
	}
	if len(bytes.Trim(sha1, "\x00")) > 0 {
		h.SHA1 = hex.EncodeToString(sha1)
	}
}

// volume says how the disk is kept.
type volume struct {
	media       uint8
	chunks      uint32
	sectors     uint32 // of a chunk
	bytes       uint32 // of a sector
	total       uint64 // sectors
	flags       uint8
	compression uint8
	set         wintype.GUID
}

const (
	volumeLen      = 1052
	volumeLenSmart = 94
	flagPhysical   = 2
)

func decodeVolume(b []byte) volume {
	le := binary.LittleEndian
	return volume{
		media: b[0], chunks: le.Uint32(b[4:]), sectors: le.Uint32(b[8:]), bytes: le.Uint32(b[12:]), total: le.Uint64(b[16:]),
		flags: b[36], compression: b[52], set: wintype.GUID(b[64:80]),
	}
}

// decodeVolumeSmart decodes the section as SMART and the first specification have it.
func decodeVolumeSmart(b []byte) volume {
	le := binary.LittleEndian
	return volume{
		media: 1, chunks: le.Uint32(b[4:]), sectors: le.Uint32(b[8:]), bytes: le.Uint32(b[12:]), total: uint64(le.Uint32(b[16:])),
	}
}

// volume1 reads a volume, disk or data section: the last is a copy, of which every later segment has one.
func (s *segment) volume1(sec section1) {
	var v volume
	if sec.n >= volumeLen {
		b := s.checked(sec, volumeLen, volumeLen-4)
		if b == nil {
			return
		}
		v = decodeVolume(b)
	} else {
		b := s.checked(sec, volumeLenSmart, volumeLenSmart-4)
		if b == nil {
			return
		}
		v = decodeVolumeSmart(b)
	}
	if err := s.accept(v); err != nil {
		s.warnf("%w", layer.Corrupt(sec.kind+" section", sec.at, "%w", err))
	}
}

// accept keeps a description of a disk that can be.
func (s *segment) accept(v volume) error {
	chunk := uint64(v.sectors) * uint64(v.bytes)
	switch {
	case chunk == 0 || chunk > maxChunkSize:
		return fmt.Errorf("chunks of %d sectors of %d bytes, want %d bytes at most", v.sectors, v.bytes, maxChunkSize)
	case v.total > math.MaxInt64/uint64(v.bytes):
		return fmt.Errorf("%d sectors of %d bytes", v.total, v.bytes)
	}
	s.claims = append(s.claims, claim{v, s.number})
	return nil
}

// header1 reads a header section, whose text is in some code page, or a header2 section, whose text is UTF-16.
func (s *segment) header1(sec section1) {
	if s.newer && sec.kind == "header" || s.number > 1 {
		s.later = append(s.later, s.checkText(sec))
		return
	}
	b := s.data(sec, sec.n)
	if b == nil {
		return
	}
	text, err := inflateText(b)
	if err != nil {
		s.warnf("%w", layer.Corrupt(sec.kind+" section", sec.at, "%w", err))
		return
	}
	if sec.kind == "header2" {
		s.newer, s.header = true, parseValues(decodeText(text))
	} else if s.header = parseValues(string(text)); !utf8.Valid(text) {
		s.header = parseValues(latin1(text))
	}
}

// inflateText unpacks a text of bounded length.
func inflateText(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(z, maxTextLen))
	if err != nil {
		return nil, err
	}
	return text, nil
}

// decodeText decodes UTF-16 of either byte order by its mark.
func decodeText(b []byte) string {
	if len(b) >= 2 && b[0] == 0xfe && b[1] == 0xff {
		b = bytes.Clone(b)
		for i := 0; i+1 < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
	return strings.TrimPrefix(wintype.DecodeUTF16(b), "\ufeff")
}

// latin1 is the best guess for a text of unknown code page.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// values are the texts of a header by their tags.
type values map[string]string

// parseValues reads the object "main": a line of tags and a line of values, each between tabs.
func parseValues(text string) values {
	lines := strings.Split(strings.ReplaceAll(text, "\r", ""), "\n")
	escapes := strings.NewReplacer("\x01", "\n", "\x02", "\r", "\x03", "\t")
	v := make(values)
	for i, line := range lines {
		if line != "main" || i+2 >= len(lines) {
			continue
		}
		texts := strings.Split(lines[i+2], "\t")
		for k, tag := range strings.Split(lines[i+1], "\t") {
			if k < len(texts) {
				v[tag] = escapes.Replace(texts[k])
			}
		}
		break
	}
	return v
}

// time reads seconds since 1970, or the local year, month, day, hour, minute and second of a header section.
func (v values) time(tag string) string {
	if sec, err := strconv.ParseInt(v[tag], 10, 64); err == nil && sec > 0 && sec < 1<<33 {
		return time.Unix(sec, 0).UTC().Format(time.RFC3339)
	}
	if t, err := time.Parse("2006 1 2 15 4 5", v[tag]); err == nil {
		return t.Format("2006-01-02T15:04:05")
	}
	return ""
}

// describe fills in Info.
func (l *loader) describe(d *Disk) {
	v, h, i := l.volume, l.header, &l.info
	i.Version, i.Set, i.Physical = l.first.version, v.set, v.flags&flagPhysical != 0
	i.SectorSize, i.Sectors, i.ChunkSize = int64(v.bytes), d.size/int64(v.bytes), d.chunkSize
	i.Media = map[uint8]string{0: "removable", 1: "fixed", 3: "optical", 0x0e: "single files", 0x10: "memory"}[v.media]
	i.Compression = [...]string{"none", "fast", "best", ""}[min(v.compression, 3)]
	i.Case, i.Evidence, i.Description, i.Examiner, i.Notes = h["c"], h["n"], h["a"], h["e"], h["t"]
	i.Model, i.Serial, i.Label, i.Software, i.System = h["md"], h["sn"], h["l"], h["av"], h["ov"]
	i.Acquired, i.Clock = h.time("m"), h.time("u")
	if l.first.version == 2 {
		i.Set = l.first.set
		i.Compression = [...]string{"none", "zlib", "bzip2", ""}[min(l.first.compression, 3)]
		i.Case, i.Evidence, i.Description, i.Examiner, i.Notes = h["cn"], h["en"], h["nm"], h["ex"], h["nt"]
		i.Label, i.System, i.Acquired, i.Clock = h["lb"], h["os"], h.time("tt"), h.time("at")
	}
	d.info, d.stored = *i, l.stored
}

// list reads the entries of a section that is a header with their number, the entries, and the Adler-32 of each.
func (s *segment) list(sec section1, headerLen, headerSum, entryLen int64) []byte {
	b := s.checked(sec, headerLen, headerSum)
	if b == nil {
		return nil
	}
	n := headerLen + int64(binary.LittleEndian.Uint32(b))*entryLen
	if b = s.data(sec, n+4); b == nil {
		return nil
	}
	if got, want := adler32.Checksum(b[headerLen:n]), binary.LittleEndian.Uint32(b[n:]); got != want {
		s.warnf("%w", layer.Corrupt(sec.kind+" section", sec.at, "entries: adler-32 0x%08x, want 0x%08x", got, want))
		return nil
	}
	return b[headerLen:n]
}

// errors1 reads an error2 section.
func (s *segment) errors1(sec section1) {
	le := binary.LittleEndian
	for b := s.list(sec, 520, 516, 8); len(b) > 0; b = b[8:] {
		s.info.ReadErrors = append(s.info.ReadErrors, format.Sectors{First: int64(le.Uint32(b)), Count: int64(le.Uint32(b[4:]))})
	}
}

// sessions1 reads a session section.
func (s *segment) sessions1(sec section1) {
	le := binary.LittleEndian
	for b := s.list(sec, 36, 32, 32); len(b) > 0; b = b[32:] {
		s.info.Sessions = append(s.info.Sessions, format.Session{First: int64(le.Uint32(b[4:])), Audio: le.Uint32(b)&1 != 0})
	}
}
