package receipt

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"slices"

	"snapmount/ntfs/restore"
)

// rows are written to a file as they come, and are in their order when it gets its name. Of them no more is held than
// where they are.
type rows struct {
	before, between string // what is before a row, and before the one that follows another

	file *restore.File
	out  *bufio.Writer
	head int64  // bytes before the rows
	end  int64  // bytes in all
	list []span // as they came
	err  error
	left error // why the first of two files, or what killed runs left of one, is there still
}

// A span is where a row is in the file.
type span struct{ order, off, len int64 }

// create begins a file of its own, which has no name before close.
func (r *rows) create(name string, replace bool, head []byte) (err error) {
	if r.file, err = restore.Create(name, replace); err != nil {
		return err
	}
	r.out, r.left = bufio.NewWriter(r.file), r.file.Left()
	r.head, r.end = int64(len(head)), int64(len(head))
	_, r.err = r.out.Write(head)
	return nil
}

// put writes a row of a place in their order.
func (r *rows) put(order int64, b []byte) {
	start := r.before
	if len(r.list) > 0 {
		start = r.between + start
	}
	_, _ = r.out.WriteString(start) // a bufio.Writer keeps its error
	n, err := r.out.Write(b)
	r.list = append(r.list, span{order, r.end + int64(len(start)), int64(len(b))})
	r.end, r.err = r.end+int64(len(start)+n), err
}

// sort writes the rows anew in their order, as a second file, where they came in another one. What is written in place, a
// device or a pipe, stays as it is.
func (r *rows) sort() error {
	byOrder := func(a, b span) int { return cmp.Compare(a.order, b.order) }
	if err := r.out.Flush(); err != nil || slices.IsSortedFunc(r.list, byOrder) {
		return err
	}
	old, list := r.file, r.list
	again, err := old.Again()
	if err != nil || again == nil {
		return err
	}
	r.file, r.list, r.end = again, nil, r.head
	r.out.Reset(again)
	defer func() { r.left = errors.Join(r.left, old.Abort()) }()
	if _, err := io.Copy(r.out, io.NewSectionReader(old, 0, r.head)); err != nil {
		return err
	}
	slices.SortStableFunc(list, byOrder)
	for _, x := range list {
		b := make([]byte, x.len)
		if _, err := old.ReadAt(b, x.off); err != nil {
			return err
		}
		r.put(x.order, b)
	}
	return r.err
}

// close ends the file and gives it its name, or removes it and says what went wrong.
func (r *rows) close(tail []byte) error {
	if r.err == nil {
		r.err = r.sort()
	}
	if r.err == nil {
		_, r.err = r.out.Write(tail)
	}
	if r.err == nil {
		r.err = r.out.Flush()
	}
	if r.err != nil {
		return errors.Join(r.err, r.file.Abort())
	}
	return r.file.Commit()
}
