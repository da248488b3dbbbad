package restore

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// A zipPacker writes a zip: names in UTF-8, of which Windows takes all, three times of NTFS, DOS attributes. Holes are
// zeros, and a further name of a file is a copy.
type zipPacker struct {
	w    *zip.Writer
	fast sync.Pool // of *flate.Writer
}

func newZipPacker(out io.Writer) *zipPacker { return &zipPacker{w: zip.NewWriter(out)} }

func (*zipPacker) names(n Names) (Names, func(string) string) {
	n.Windows, n.UTF8 = true, true
	return n, strings.ToLower
}

// zipAttributes are those of DOS, which a zip has.
const zipAttributes = ntfs.AttrReadOnly | ntfs.AttrHidden | ntfs.AttrSystem | ntfs.AttrArchive

// header describes a member, as section 4 of APPNOTE.TXT and Info-ZIP's extra fields have it.
func (z *zipPacker) header(name string, m *Meta, mode fs.FileMode) *zip.FileHeader {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	t, le := m.Modified.Time(), binary.LittleEndian
	//lint:ignore SA1019 Modified gives wrong ones for times out of their range
	h.ModifiedDate, h.ModifiedTime = dosTime(t)
	var x []byte
	if t.Unix() >= 0 && t.Unix() <= math.MaxInt32 { // before that, readers differ
		x = le.AppendUint16(x, 0x5455) // times of Unix
		x = le.AppendUint16(x, 5)
		x = append(x, 1) // of the last change alone
		x = le.AppendUint32(x, uint32(t.Unix()))
	}
	h.SetMode(mode)
	h.ExternalAttrs |= uint32(m.Attributes & zipAttributes)
	if m.Created != 0 || m.Accessed != 0 {
		x = le.AppendUint16(x, 0x000a) // NTFS
		x = le.AppendUint16(x, 32)
		x = le.AppendUint32(x, 0)
		x = le.AppendUint16(x, 1) // times
		x = le.AppendUint16(x, 24)
		for _, t := range []uint64{uint64(m.Modified), uint64(m.Accessed), uint64(m.Created)} {
			x = le.AppendUint64(x, t)
		}
	}
	h.Extra = x
	return h
}

// dosTime is a time as DOS has it, in steps of 2 seconds, or the next that it can have.
func dosTime(t time.Time) (date, clock uint16) {
	switch {
	case t.Year() < 1980:
		return 1<<5 | 1, 0
	case t.Year() > 2107:
		return 127<<9 | 12<<5 | 31, 23<<11 | 59<<5 | 29
	}
	return uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day()), uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2)
}

func (z *zipPacker) dir(p string, m *Meta) error {
	h := z.header(p+"/", m, fs.ModeDir|0o755)
	h.Method = zip.Store
	_, err := z.w.CreateHeader(h)
	return err
}

func (z *zipPacker) link(p, text string, m *Meta) error {
	w, err := z.w.CreateHeader(z.header(p, m, fs.ModeSymlink|0o777))
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	return err
}

func (*zipPacker) hardLink(string, string, *Meta) (bool, error) { return false, nil }

// loose says that a zip has no streams, and none of what only NTFS has.
func (*zipPacker) loose(m *Meta) (loose []*Stream, lost []string) {
	for i := range m.Streams {
		loose = append(loose, &m.Streams[i])
	}
	rest := *m
	rest.Created = 0
	rest.Attributes &^= zipAttributes
	return loose, rest.losses()
}

func (*zipPacker) streamsLast() bool { return false }

func (*zipPacker) fits(b body) error {
	if holes := b.Size() - b.data; holes > maxHashed {
		return fmt.Errorf("%d bytes of holes, which a zip has not: %w", holes, layer.ErrUnsupported)
	}
	return nil
}

func (z *zipPacker) file(p string, m *Meta, b body) (io.Writer, error) {
	w, err := z.w.CreateHeader(z.header(p, m, modeOf(m)))
	return &zipContent{w: w, b: b}, err
}

// small deflates fast: to begin anew, what deflates better clears more memory than a small file has.
func (z *zipPacker) small(p string, m *Meta, content []byte) (func() error, error) {
	crc, size := crc32.ChecksumIEEE(content), uint64(len(content))
	var packed bytes.Buffer
	w, ok := z.fast.Get().(*flate.Writer)
	if ok {
		w.Reset(&packed)
	} else {
		var err error
		if w, err = flate.NewWriter(&packed, flate.BestSpeed); err != nil {
			return nil, err
		}
	}
	_, err := w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	z.fast.Put(w)
	h := z.header(p, m, modeOf(m))
	if out := packed.Bytes(); len(out) < len(content) {
		content = out
	} else {
		h.Method = zip.Store
	}
	const utf8Name, version = 1 << 11, 20
	h.Flags, h.ReaderVersion, h.CreatorVersion = utf8Name, version, h.CreatorVersion&0xff00|version
	h.CRC32, h.UncompressedSize64, h.CompressedSize64 = crc, size, uint64(len(content))
	return func() error {
		w, err := z.w.CreateRaw(h)
		if err == nil {
			_, err = w.Write(content)
		}
		return err
	}, nil
}

// modeOf is the mode of a file.
func modeOf(m *Meta) fs.FileMode {
	if m.Attributes&ntfs.AttrReadOnly != 0 {
		return 0o444
	}
	return 0o644
}

// zipContent writes the holes that a body has before, between and after its spans.
type zipContent struct {
	w    io.Writer
	b    body
	next int   // span
	done int64 // bytes of it
	at   int64 // of the content
}

// Write writes bytes of the next span.
func (c *zipContent) Write(b []byte) (int, error) {
	if c.done == 0 && len(b) > 0 {
		if err := c.zeros(c.b.spans[c.next].off); err != nil {
			return 0, err
		}
	}
	n, err := c.w.Write(b)
	c.at += int64(n)
	if c.done += int64(n); c.done > 0 && c.done == c.b.spans[c.next].len {
		c.next, c.done = c.next+1, 0
	}
	return n, err
}

// Close writes what is behind the last span.
func (c *zipContent) Close() error { return c.zeros(c.b.Size()) }

func (c *zipContent) zeros(to int64) error {
	for c.at < to {
		n, err := c.w.Write(zeroPage[:min(to-c.at, int64(len(zeroPage)))])
		if c.at += int64(n); err != nil {
			return err
		}
	}
	return nil
}

func (z *zipPacker) close() error { return z.w.Close() }
