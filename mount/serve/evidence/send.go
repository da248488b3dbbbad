package evidence

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/mount/tree"
)

// Sender sends content of a tree.
type Sender struct {
	files *tree.FS
	warn  func(error)
	run   string // makes tags of this run of the program differ from all others
}

// NewSender makes one. warn is told what could not be sent, and why.
func NewSender(files *tree.FS, warn func(error)) *Sender {
	return &Sender{files: files, warn: warn, run: rand.Text()[:10]}
}

// Tag is the strong entity tag of a file: its number (point, record, stream), the record's sequence number, its size and the
// time of its last change. Content of a point never changes while this program runs; another run may be of another image,
// or open it otherwise, so tags end with the run.
func (s *Sender) Tag(n tree.Node, a *tree.Attr) string {
	return fmt.Sprintf(`"%s-%x-%x-%x-%x.%x"`, s.run, n.ID, a.Generation, a.Size, a.Changed.Unix(), a.Changed.Nanosecond()/100)
}

// Send answers GET or HEAD with the content of a file, or with the ranges of it that are wanted. A byte that cannot be known
// is never sent as another: where it is known before the first byte, the answer is an error; else the connection is cut
// before the length that was promised, so that the client sees a download that failed.
func (s *Sender) Send(w http.ResponseWriter, r *http.Request, n tree.Node, name string) {
	a, err := n.Attr()
	if err != nil {
		s.fail(w, n, err)
		return
	}
	src, err := s.files.Content(n.ID)
	if err != nil {
		s.fail(w, n, err)
		return
	}
	h := w.Header()
	Guard(h)
	mime, show, _ := Type(name)
	how := "attachment"
	if show {
		how = "inline"
	}
	h.Set("Content-Type", mime)
	h.Set("Content-Disposition", how+"; filename*=UTF-8''"+string(AppendPath(nil, Name(name))))
	h.Set("ETag", s.Tag(n, &a))
	if t, ok := Time(a.Modified); ok {
		h.Set("Last-Modified", t)
	}
	g := &gate{ResponseWriter: w, ctx: r.Context(), src: src}
	// Of conditions only those with tags are looked at: file times prove nothing.
	http.ServeContent(g, r, "", never, io.NewSectionReader(src, 0, src.Size()))
	switch {
	case g.err == nil:
		g.begin()
	case !g.begun:
		s.fail(w, n, g.err)
	default:
		s.warn(fmt.Errorf("%s: the download was cut: %w", n, g.err))
		panic(http.ErrAbortHandler)
	}
}

func (s *Sender) fail(w http.ResponseWriter, n tree.Node, err error) {
	s.warn(fmt.Errorf("%s: %w", n, err))
	Fail(w, err)
}

// gate lets an answer out when its first bytes are there.
type gate struct {
	http.ResponseWriter
	ctx   context.Context
	src   layer.Source
	off   int64 // where the range that is sent begins
	code  int
	begun bool
	err   error // why the content cannot be sent
}

// WriteHeader looks at what is to be sent before anything is.
func (g *gate) WriteHeader(code int) {
	g.code = code
	off, n := int64(0), g.src.Size()
	if code == http.StatusPartialContent {
		var last int64
		if _, err := fmt.Sscanf(g.Header().Get("Content-Range"), "bytes %d-%d/", &off, &last); err != nil {
			return // several ranges: what is lost of them is met later
		}
		n = last - off + 1
	} else if code != http.StatusOK {
		return
	}
	g.off, g.err = off, lost(g.ctx, g.src, off, n)
}

func (g *gate) begin() {
	if !g.begun && g.code != 0 {
		g.ResponseWriter.WriteHeader(g.code)
	}
	g.begun = true
}

func (g *gate) Write(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	g.begin()
	return g.ResponseWriter.Write(p)
}

// buffers are what content is sent through.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// ReadFrom sends what r reads, and tells failures of reading from those of a client that has gone. A reader of one range,
// which is all but that of several, reads what follows in the content: where that lies in an image file, the kernel sends it.
func (g *gate) ReadFrom(r io.Reader) (total int64, err error) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	var d direct
	defer d.close()
	for g.err == nil {
		if limit, section := oneRange(r); section != nil {
			if part := d.part(g.src, g.off+total, limit.N); part != nil {
				sent, err := g.direct(part)
				total, limit.N = total+sent, limit.N-sent
				if err == nil {
					_, err = section.Seek(sent, io.SeekCurrent)
				}
				if err != nil {
					g.err = layer.ReadFull(g.src, make([]byte, 1), g.off+total) // else it is the client
					return total, err
				}
				continue
			}
		}
		n := g.fill(buf[:], r)
		if n == 0 || g.err != nil {
			break
		}
		sent, err := g.Write(buf[:n])
		if total += int64(sent); err != nil {
			return total, err
		}
	}
	return total, g.err
}

// oneRange gives what a reader of one range consists of.
func oneRange(r io.Reader) (*io.LimitedReader, *io.SectionReader) {
	limit, ok := r.(*io.LimitedReader)
	if !ok {
		return nil, nil
	}
	section, _ := limit.R.(*io.SectionReader)
	return limit, section
}

// direct has the kernel send a part of an image file.
func (g *gate) direct(part *io.LimitedReader) (int64, error) {
	g.begin()
	n := part.N
	sent, err := io.Copy(g.ResponseWriter, part)
	if err == nil && sent < n {
		err = io.ErrUnexpectedEOF
	}
	return sent, err
}

// fill reads until buf is full or r ends. Its end is io.EOF as it is: an error that wraps that, or io.ErrUnexpectedEOF, is one
// of an image file that was cut.
func (g *gate) fill(buf []byte, r io.Reader) (n int) {
	for n < len(buf) {
		more, err := r.Read(buf[n:])
		if n += more; err == io.EOF {
			return n
		}
		if g.err = err; err != nil {
			return n
		}
	}
	return n
}

// maxSteps is how many pieces of a file are looked at before the first byte is sent, some milliseconds of time.
const maxSteps = 1 << 14

// lost says why a range cannot be read, as far as tables tell that soon. What they have as unknown counts where reading it
// fails: options may have it filled.
func lost(ctx context.Context, src layer.Source, off, n int64) error {
	steps := 0
	for e, err := range layer.Resolve(src, off, n) {
		if p, ok := e.Base.(layer.Packed); ok && err == nil {
			err = layer.CheckPacked(p)
		}
		if err != nil || e.Kind == layer.Unknown {
			if err := layer.ReadFull(src, make([]byte, 1), e.Off); err != nil {
				return fmt.Errorf("at 0x%x, of 0x%x bytes: %w", e.Off, src.Size(), err)
			}
		}
		if steps++; steps == maxSteps || ctx.Err() != nil {
			break
		}
	}
	return nil
}
