package evidence

import (
	"fmt"
	"io"
	"os"

	"snapmount/imagefmt/layer"
)

// minDirect is how many bytes in a row the kernel has to find in an image file to send them faster by itself.
const minDirect = 128 << 10

// A direct sends bytes of image files without copying them through this program, by sendfile(2). That goes by the place of an
// open file, which those of images share: so it has files of its own. It is for one answer.
type direct struct {
	files map[*os.File]*os.File
}

// part gives what up to n bytes of src at off are in an image file, where they lie in a row there; else nil.
func (d *direct) part(src layer.Source, off, n int64) *io.LimitedReader {
	if n < minDirect {
		return nil
	}
	e, err := layer.Leaf(src, off, n)
	leaf, ok := e.Base.(layer.FileBacked)
	if err != nil || e.Kind != layer.Data || e.Len < minDirect || !ok {
		return nil
	}
	own := d.own(leaf.File())
	if own == nil {
		return nil
	}
	if _, err := own.Seek(e.BaseOff, io.SeekStart); err != nil {
		return nil
	}
	return &io.LimitedReader{R: own, N: e.Len}
}

// own opens an image file once more; nil where that cannot be.
func (d *direct) own(file *os.File) *os.File {
	own, tried := d.files[file]
	if !tried {
		own, _ = os.Open(fmt.Sprintf("/proc/self/fd/%d", file.Fd())) // nil: reading works all the same
		if d.files == nil {
			d.files = map[*os.File]*os.File{}
		}
		d.files[file] = own
	}
	return own
}

func (d *direct) close() {
	for _, f := range d.files {
		f.Close() // of a nil one, an error
	}
}
