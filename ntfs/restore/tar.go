package restore

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

const (
	tarBlock = 512
	// maxPax is how many bytes of streams go into the extended header of one member: readers take 1 MiB in all.
	maxPax = 800 << 10
	// maxUstar is the largest size that the plain header holds: eleven octal digits.
	maxUstar = 1<<33 - 1
)

// A tarPacker writes the pax format of POSIX.1-2001. What the plain header cannot hold is in an extended one before it,
// with the keywords that GNU tar and libarchive have for extended attributes and holes.
type tarPacker struct{ out io.Writer }

// pax are the records of an extended header.
type pax map[string]string

func (*tarPacker) names(n Names) (Names, func(string) string) {
	n.UTF8 = true
	return n, nil
}

func (t *tarPacker) dir(p string, m *Meta) error {
	return t.header('5', p+"/", "", 0, m, metaPax(m))
}

func (t *tarPacker) link(p, text string, m *Meta) error {
	return t.header('2', p, text, 0, m, timesPax(m))
}

func (t *tarPacker) hardLink(p, first string, m *Meta) (bool, error) {
	return true, t.header('1', p, first, 0, m, pax{})
}

// loose says that streams are extended attributes, as long as they are small, and tar's keywords can name them.
func (*tarPacker) loose(m *Meta) (loose []*Stream, lost []string) {
	if len(m.EFS) > 0 {
		lost = append(lost, "EFS keys")
	}
	if m.Name != "" {
		lost = append(lost, "name")
	}
	room := int64(maxPax)
	for i := range m.Streams {
		s := &m.Streams[i]
		if s.Size <= room && s.Size == int64(len(s.Data)) && !strings.ContainsAny(s.Name, "=%\x00") && utf8.ValidString(s.Name) && len(s.Name) <= 250 {
			room -= s.Size
			continue
		}
		loose = append(loose, s)
		lost = append(lost, "stream "+s.Name)
	}
	return loose, lost
}

func (*tarPacker) fits(body) error { return nil }

// streamsLast is since GNU tar sets the times of a directory when it meets a member that is elsewhere.
func (*tarPacker) streamsLast() bool { return true }

// file begins a file. One with holes is in the form that GNU tar calls sparse 1.0: the content begins with a list of
// the spans that follow.
func (t *tarPacker) file(p string, m *Meta, b body) (io.Writer, error) {
	records := metaPax(m)
	if b.data == b.Size() {
		return t.content(b.data), t.header('0', p, "", b.data, m, records)
	}
	var list bytes.Buffer
	end := int64(0)
	spans := b.spans
	if len(spans) > 0 {
		end = spans[len(spans)-1].off + spans[len(spans)-1].len
	}
	if end < b.Size() { // readers take the size from the last span, too
		spans = append(slices.Clone(spans), span{b.Size(), 0})
	}
	fmt.Fprintf(&list, "%d\n", len(spans))
	for _, s := range spans {
		fmt.Fprintf(&list, "%d\n%d\n", s.off, s.len)
	}
	list.Write(make([]byte, padding(int64(list.Len()))))
	maps.Copy(records, pax{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": p,
		"GNU.sparse.realsize": strconv.FormatInt(b.Size(), 10)})
	plain := path.Join(path.Dir(p), "GNUSparseFile.0", path.Base(p))
	size := int64(list.Len()) + b.data
	if err := t.header('0', plain, "", size, m, records); err != nil {
		return nil, err
	}
	w := t.content(size)
	_, err := w.Write(list.Bytes())
	return w, err
}

func (t *tarPacker) small(p string, m *Meta, content []byte) (func() error, error) {
	var out bytes.Buffer
	out.Grow(len(content) + 8*tarBlock)
	if err := (&tarPacker{out: &out}).header('0', p, "", int64(len(content)), m, metaPax(m)); err != nil {
		return nil, err
	}
	out.Write(content)
	out.Write(make([]byte, padding(int64(len(content)))))
	return func() error { _, err := t.out.Write(out.Bytes()); return err }, nil
}

// header writes the headers of a member.
func (t *tarPacker) header(kind byte, name, link string, size int64, m *Meta, records pax) error {
	if size > maxUstar {
		records["size"] = strconv.FormatInt(size, 10)
	}
	for _, x := range []struct {
		key, value string
		room       int
	}{{"path", name, 100}, {"linkpath", link, 100}} {
		if len(x.value) > x.room || strings.IndexFunc(x.value, func(r rune) bool { return r >= 0x80 }) >= 0 {
			records[x.key] = x.value
		}
	}
	if !utf8.ValidString(link) || strings.IndexFunc(name+link, composes) >= 0 {
		records["hdrcharset"] = "BINARY" // libarchive composes what is called UTF-8
	}
	if len(records) > 0 {
		text := records.text()
		b := append(ustar('x', "PaxHeaders/"+plainName(path.Base(name)), "", int64(len(text)), m), text...)
		if _, err := t.out.Write(append(b, make([]byte, padding(int64(len(text))))...)); err != nil {
			return err
		}
	}
	_, err := t.out.Write(ustar(kind, plainName(name), plainName(link), size, m))
	return err
}

// composes reports whether a character may be made one with that before it.
func composes(r rune) bool { return unicode.Is(unicode.M, r) || r >= 0x1100 && r < 0x1200 }

// plainName is what a plain header says where the extended one has the name.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return '_'
		}
		return r
	}, name)
}

// ustar is a plain header: fields of octal digits and text.
func ustar(kind byte, name, link string, size int64, m *Meta) []byte {
	b := make([]byte, tarBlock)
	octal := func(off, digits int, v int64) {
		for i := off + digits - 1; i >= off; i, v = i-1, v>>3 {
			b[i] = '0' + byte(v&7)
		}
	}
	mode := int64(0o644)
	switch {
	case kind == '5':
		mode = 0o755
	case kind == '2':
		mode = 0o777
	case m.Attributes&ntfs.AttrReadOnly != 0:
		mode = 0o444
	}
	if size > maxUstar {
		size = 0
	}
	copy(b[0:100], name)
	octal(100, 7, mode)
	octal(108, 7, 0) // user
	octal(116, 7, 0) // group
	octal(124, 11, size)
	octal(136, 11, min(max(m.Modified.Time().Unix(), 0), maxUstar))
	b[156] = kind
	copy(b[157:257], link)
	copy(b[257:], "ustar\x0000")
	octal(329, 7, 0) // device
	octal(337, 7, 0)
	copy(b[148:156], "        ") // as the checksum counts itself
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	octal(148, 6, sum)
	b[154] = 0
	return b
}

// text is the content of an extended header: "LENGTH KEYWORD=VALUE\n" for each record, LENGTH counting itself.
func (r pax) text() []byte {
	size := 0
	for key, value := range r {
		size += len("1048576 ") + len(key) + len("=") + len(value) + len("\n")
	}
	out := make([]byte, 0, size)
	for _, key := range slices.Sorted(maps.Keys(r)) {
		rest := len(" ") + len(key) + len("=") + len(r[key]) + len("\n")
		n := rest
		for n != rest+len(strconv.Itoa(n)) {
			n = rest + len(strconv.Itoa(n))
		}
		out = append(append(strconv.AppendInt(out, int64(n), 10), ' '), key...)
		out = append(append(append(out, '='), r[key]...), '\n')
	}
	return out
}

// timesPax gives the times to 100 ns.
func timesPax(m *Meta) pax {
	r := pax{}
	for _, t := range []struct {
		key string
		at  wintype.Filetime
	}{{"mtime", m.Modified}, {"atime", m.Accessed}, {"ctime", m.Changed}} {
		if t.at != 0 {
			r[t.key] = seconds(t.at.Time())
		}
	}
	return r
}

// seconds is a time as a decimal number of seconds since 1970.
func seconds(t time.Time) string {
	sec, nsec, sign := t.Unix(), int64(t.Nanosecond()), ""
	if sec < 0 {
		sign = "-"
		if sec = -sec; nsec > 0 {
			sec, nsec = sec-1, int64(math.Pow10(9))-nsec
		}
	}
	whole := sign + strconv.FormatInt(sec, 10)
	if nsec == 0 {
		return whole
	}
	digits := strconv.FormatInt(int64(time.Second)+nsec, 10) // a one, and nine of them
	return whole + "." + strings.TrimRight(digits[1:], "0")
}

// metaPax gives all of m: the attributes as ntfs-3g names them, so that unpacking on its volumes sets them, and streams.
func metaPax(m *Meta) pax {
	r := timesPax(m)
	if m.Path == "" {
		return r // a note, or a stream
	}
	for _, x := range ntfsValues(m) {
		if len(x.value) > 0 {
			r["SCHILY.xattr."+x.name] = string(x.value)
		}
	}
	for i := range m.Streams {
		if s := &m.Streams[i]; s.File == "" {
			r["SCHILY.xattr.user."+s.Name] = string(s.Data) // of a size that ReadMeta reads
		}
	}
	return r
}

// content is where the content of a member goes, which is n bytes long.
func (t *tarPacker) content(n int64) io.Writer { return &tarContent{t.out, padding(n)} }

type tarContent struct {
	io.Writer
	pad int64
}

// Close fills the last block.
func (c *tarContent) Close() error {
	_, err := c.Write(make([]byte, c.pad))
	return err
}

func padding(n int64) int64 { return -n & (tarBlock - 1) }

// close ends the archive by two empty blocks.
func (t *tarPacker) close() error {
	_, err := t.out.Write(make([]byte, 2*tarBlock))
	return err
}
