package restore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// A lateStream is a stream that is a member of its own, its File.
type lateStream struct {
	res      Result // of its file
	modified wintype.Filetime
	Stream
}

// streamFile takes a path for the member of a stream: as in "dir/file%3Astream", which no file is called.
func (a *archiver) streamFile(file, stream string) string {
	rule := a.opts.Names
	rule.Colon = true
	name := Unmap(path.Base(file)) + ":" + stream
	for i, try := 2, name; ; i++ {
		p := path.Join(StreamsName, path.Dir(file), rule.Map(try))
		if a.claim(p, false) == nil {
			return p
		}
		try = fmt.Sprintf("%s~%d", name, i)
	}
}

// stream adds a stream now, or when all else is done.
func (a *archiver) stream(l *lateStream) error {
	if !a.pack.streamsLast() {
		return a.lateStream(l)
	}
	a.late = append(a.late, *l)
	return nil
}

// lateStream adds a stream. Its error ends the archive.
func (a *archiver) lateStream(l *lateStream) error {
	err := a.loose(l)
	if err == nil {
		return nil
	}
	res := l.res
	res.Path, res.Err, res.At = res.Path+":"+l.Name, err, time.Now().UTC()
	if a.opts.Done != nil {
		a.opts.Done(res)
	}
	return ending(&res)
}

// loose adds the member of a stream.
func (a *archiver) loose(l *lateStream) error {
	content, ok := l.content.(layer.Mapper)
	if !ok {
		return fs.ErrInvalid
	}
	b, gaps, err := a.look(content)
	if err != nil {
		return err
	}
	l.res.Gaps = gaps
	_, err = a.send(l.File, &Meta{Type: "file", Modified: l.modified}, b)
	if err == nil && len(gaps) > 0 {
		err = fmt.Errorf("%d ranges are not in the image, and zeros: %w", len(gaps), layer.ErrUnknown)
	}
	return err
}

// keep adds a line for a member.
func (a *archiver) keep(m *Meta) error {
	if a.lines == nil {
		return nil
	}
	return a.lines.write(m)
}

// addLines adds the lines of all members as one.
func (a *archiver) addLines() error {
	if a.lines == nil || a.lines.file == nil {
		return nil
	}
	return a.addOwn(SidecarName, io.NewSectionReader(a.lines.file, 0, a.lines.size))
}

// addOwn adds a member that is of no volume. Its time is the first that a zip can have, so that archives of the same are the
// same.
func (a *archiver) addOwn(name string, src layer.Source) error {
	m := Meta{Type: "file", Modified: wintype.FiletimeOf(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC))}
	_, err := a.send(name, &m, body{Source: src, spans: []span{{0, src.Size()}}, data: src.Size()})
	return err
}

// spool makes a temporary file, without a name where the system allows that.
func spool() (*os.File, error) {
	f, err := os.CreateTemp("", partStart+"*"+partEnd)
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name()) // dropSpool does it where open files keep their names
	return f, nil
}

// dropSpool removes what spool made, by its name, where it is there still.
func dropSpool(name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
