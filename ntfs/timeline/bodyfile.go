package timeline

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"

	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
)

// A Writer writes rows in one format. Close writes what is left, and leaves what is below open.
type Writer interface {
	Write(*Row) error
	Close() error
}

// NewWriter returns the Writer of a format: bodyfile, csv, jsonl or parquet; nil for others.
func NewWriter(format string, w io.Writer) Writer {
	switch format {
	case "bodyfile":
		return &bodyfile{w: bufio.NewWriterSize(w, 1<<16), told: map[string]bool{}}
	case "csv":
		return newCSV(w)
	case "jsonl":
		return newJSONL(w)
	case "parquet":
		return newParquet(w)
	}
	return nil
}

// A bodyfile is what mactime of The Sleuth Kit reads, a line for each file, stream and $FILE_NAME as fls -m gives them:
//
//	MD5|name|inode|mode_as_string|UID|GID|size|atime|mtime|ctime|crtime
//
// Times are seconds since 1970, 0 for none. The MD5 is not computed, the UID is the owner's SID. A line of the change
// journal has the one time that it knows four times. Bars, and what could act on a terminal, are written as ^, as fls
// does with control characters. Where a
// volume has several points, a name ends with those that have the file so, in brackets: mactime would take lines of two
// versions for one. No line is written twice.
type bodyfile struct {
	w    *bufio.Writer
	of   *ntfs.Node      // the record, of a version of which the last line was
	told map[string]bool // lines of that record
}

func (b *bodyfile) Write(r *Row) error {
	if r.Event != nil {
		return b.event(r)
	}
	n := r.Node
	mode, mark := bodyMode(n), ""
	if n.Deleted {
		mark = " (deleted)"
	}
	mark += pointMark(r)
	if b.of == nil || b.of.Ref.Record != n.Ref.Record {
		clear(b.told)
	}
	b.of = n
	name, inode := bodyName(r), fmt.Sprint(n.Ref.Record)
	if r.Data {
		inode = fmt.Sprintf("%d-128-%d", n.Ref.Record, r.ID)
	}
	owner := r.Owner
	if owner == "" {
		owner = "0"
	}
	if err := b.line(name+mark, inode, mode, owner, r.Size, n.Times); err != nil || r.Name == nil {
		return err
	}
	size := 66 + 2*int64(len(utf16.Encode([]rune(r.Name.Name))))
	return b.line(name+" ($FILE_NAME)"+mark, fmt.Sprintf("%d-48", n.Ref.Record), mode, owner, size, r.Name.Times)
}

func (b *bodyfile) event(r *Row) error {
	clear(b.told)
	b.of = nil
	t, inode := r.Event.Time, r.Event.File.String()
	if record, _, ok := r.Event.File.Ref(); ok {
		inode = fmt.Sprint(record)
	}
	reasons := strings.ReplaceAll(r.Event.Reason.String(), "|", ", ")
	return b.line(fmt.Sprintf("%s (USN %d: %s)", bodyName(r), r.Event.USN, reasons), inode, "r/rrwxrwxrwx", "0", 0, ntfs.Times{Created: t, Modified: t, Changed: t, Accessed: t})
}

func (b *bodyfile) line(name, inode, mode, owner string, size int64, t ntfs.Times) error {
	line := fmt.Sprintf("0|%s|%s|%s|%s|0|%d|%d|%d|%d|%d\n", bodyText(name), inode, mode, owner, size,
		unix(t.Accessed), unix(t.Modified), unix(t.Changed), unix(t.Created))
	if b.told[line] {
		return nil
	}
	b.told[line] = true
	_, err := b.w.WriteString(line)
	return err
}

// pointMark names the points that a row lasts over, where the volume has several.
func pointMark(r *Row) string {
	from, to := r.span()
	switch {
	case len(r.Volume.Points) < 2:
		return ""
	case from == to:
		return " [" + from.Name + "]"
	}
	return " [" + from.Name + ".." + to.Name + "]"
}

func (b *bodyfile) Close() error { return b.w.Flush() }

// unix gives seconds since 1970, 0 for what is before.
func unix(t wintype.Filetime) int64 { return max(0, t.Time().Unix()) }

// bodyName is a path with what leads to it: the volume where there are several, and $OrphanFiles.
func bodyName(r *Row) string {
	path := r.Path
	if r.Orphan {
		path = "/$OrphanFiles/" + path
	}
	if r.Volume.Name != "" {
		path = "/" + r.Volume.Name + path
	}
	return path
}

func bodyText(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '|' || c < ' ' || c >= 0x7f && wintype.Printable(string(c)) != string(c) {
			return '^'
		}
		return c
	}, s)
}

// bodyMode gives the mode that fls gives: for it, read-only files lack the right to read, hidden ones that to write.
func bodyMode(n *ntfs.Node) string {
	kind := "r/r"
	switch {
	case n.Dir():
		kind = "d/d"
	case n.Kind == ntfs.KindSymlink:
		kind = "l/l"
	}
	rwx := []byte("rwx")
	if n.Attr&ntfs.AttrReadOnly != 0 {
		rwx[0] = '-'
	}
	if n.Attr&ntfs.AttrHidden != 0 {
		rwx[1] = '-'
	}
	return kind + strings.Repeat(string(rwx), 3)
}
