package restore

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"sync"
)

// SidecarName is the file in the target that holds what the target could not: a Meta in JSON a line; later lines count
// more. StreamsName is the directory of the streams that are too large for it, by their SHA-256.
const (
	SidecarName = ".snapmount-meta.jsonl"
	StreamsName = ".snapmount-streams"
	ReceiptName = ".snapmount-receipt.json" // in an archive: what Options.Last gives
)

// securityType is the type of a line that has a security descriptor alone, once for all files that have it.
const securityType = "security"

// A sidecar is made when there is something to write, or added to.
type sidecar struct {
	root   *os.Root // of the target; nil for a temporary file, whose lines become a member of an archive
	resume bool     // lines that are there need not be written again

	mu    sync.Mutex // held while a line is written: lines must not mix
	file  *os.File
	size  int64
	err   error
	seed  maphash.Seed
	known map[uint64]struct{} // hashes of the lines of security descriptors, and of all that were there on resuming
}

// write adds a line, and the streams that are too large for one. A stream that cannot be had costs no more than itself.
func (s *sidecar) write(m *Meta) error {
	line := *m
	line.Streams = nil
	var damage error
	for _, st := range m.Streams {
		if st.Data == nil && st.Size > 0 && st.File == "" {
			if err := s.writeStream(&st); err != nil {
				damage = errors.Join(damage, fmt.Errorf("stream %q: %w", st.Name, err))
				continue
			}
		}
		line.Streams = append(line.Streams, st)
	}
	l, err := linesOf(&line)
	if err == nil {
		err = s.put(l)
	}
	return errors.Join(damage, err)
}

// metaLines are a line, and that of its security descriptor before it, where it has one.
type metaLines struct{ line, security []byte }

// linesOf makes the lines of m.
func linesOf(m *Meta) (l metaLines, err error) {
	line := *m
	if len(m.Security) > 0 {
		sum := sha256.Sum256(m.Security)
		line.Security, line.SecurityID = nil, hex.EncodeToString(sum[:16])
		l.security = base64.StdEncoding.AppendEncode([]byte(`{"security":"`), m.Security)
		l.security = fmt.Appendf(l.security, `","security_id":%q,"type":%q}`, line.SecurityID, securityType)
	}
	l.line, err = encodeMeta(&line)
	return l, err
}

// put adds lines.
func (s *sidecar) put(l metaLines) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && s.err == nil {
		s.err = s.open()
	}
	if err := s.err; err != nil {
		return err
	}
	if l.security != nil {
		if err := s.add(l.security, true); err != nil {
			return err
		}
	}
	return s.add(l.line, false)
}

// add writes a line, or nothing at all, and remembers it where it may come again.
func (s *sidecar) add(line []byte, again bool) error {
	key := maphash.Bytes(s.seed, line)
	if _, ok := s.known[key]; ok {
		return nil
	}
	if _, err := s.file.WriteAt(append(line, '\n'), s.size); err != nil {
		return fmt.Errorf("%s: %w", SidecarName, errors.Join(err, s.file.Truncate(s.size)))
	}
	s.size += int64(len(line)) + 1
	if again {
		s.known[key] = struct{}{}
	}
	return nil
}

// open makes the file, or reads what is there and removes half a line at the end.
func (s *sidecar) open() error {
	s.seed, s.known = maphash.MakeSeed(), map[uint64]struct{}{}
	var f *os.File
	var err error
	if s.root == nil {
		f, err = spool()
	} else {
		f, err = openOwn(s.root, SidecarName)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", SidecarName, err)
	}
	s.file = f
	for r := bufio.NewReaderSize(f, 1<<16); ; {
		line, err := r.ReadSlice('\n')
		if err == bufio.ErrBufferFull { // a long one: hashed in pieces, and so not found again
			s.size += int64(len(line))
			continue
		}
		if err == io.EOF {
			return s.dropTail()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", SidecarName, err)
		}
		s.size += int64(len(line))
		if s.resume {
			s.known[maphash.Bytes(s.seed, bytes.TrimSuffix(line, []byte("\n")))] = struct{}{}
		}
	}
}

// dropTail removes what follows the last line end: a line that was being written when a run was ended.
func (s *sidecar) dropTail() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, 1)
	for s.size = info.Size(); s.size > 0; s.size-- {
		if _, err := s.file.ReadAt(b, s.size-1); err != nil {
			return err
		}
		if b[0] == '\n' {
			break
		}
	}
	return s.file.Truncate(s.size)
}

// openOwn opens a file of the program's own for reading and writing, and makes it when it is not there. Links are not
// followed.
func openOwn(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	return openThere(root, name, os.O_RDWR)
}

// openRegular opens a file for reading: no link, and nothing that waits for another process.
func openRegular(root *os.Root, name string) (*os.File, error) {
	return openThere(root, name, os.O_RDONLY)
}

func openThere(root *os.Root, name string, flag int) (*os.File, error) {
	info, err := root.Lstat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("is no file")
	}
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, flag, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(info, opened) {
		err = errors.New("was replaced while it was opened")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeStream writes a stream to a file that is called by its content.
func (s *sidecar) writeStream(st *Stream) error {
	dir, _, err := makeDir(s.root, StreamsName)
	if err != nil {
		return fmt.Errorf("%s: %w", StreamsName, err)
	}
	defer dir.Close()
	part := partName()
	f, err := dir.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), st.reader())
	name := hex.EncodeToString(sum.Sum(nil))
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(part, name)
	}
	if err != nil {
		return errors.Join(err, dir.Remove(part))
	}
	st.File = StreamsName + "/" + name
	return nil
}

func (s *sidecar) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.root == nil {
		err = errors.Join(err, dropSpool(s.file.Name()))
	}
	return err
}

// copyTo writes the content of a stream.
func (s *Stream) copyTo(f *os.File) error {
	if s.content == nil {
		_, err := f.Write(s.Data)
		return err
	}
	_, err := io.Copy(f, s.reader())
	return err
}

// reader reads the content, and notes why it cannot be had.
func (s *Stream) reader() io.Reader {
	return &streamReader{io.NewSectionReader(s.content, 0, s.Size), s}
}

type streamReader struct {
	*io.SectionReader
	stream *Stream
}

func (r *streamReader) Read(b []byte) (int, error) {
	n, err := r.SectionReader.Read(b)
	if err != nil && err != io.EOF {
		r.stream.damage = err
	}
	return n, err
}

// damaged says which streams were found not to be had.
func (m *Meta) damaged() (err error) {
	for i := range m.Streams {
		if s := &m.Streams[i]; s.damage != nil {
			err = errors.Join(err, fmt.Errorf("stream %q: %w", s.Name, s.damage))
		}
	}
	return err
}
