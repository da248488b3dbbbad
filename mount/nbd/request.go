package nbd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/clients"
)

const (
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef
	done            = 1 // flag of the last piece of a structured answer
	maxAtOnce       = 8 // requests of a connection that are read at the same time
)

// Commands of a client, and their flags.
const (
	cmdRead        = 0
	cmdWrite       = 1
	cmdDisconnect  = 2
	cmdFlush       = 3
	cmdTrim        = 4
	cmdWriteZeroes = 6
	cmdBlockStatus = 7

	flagOne = 8 // a single extent is wanted
)

// Pieces of a structured answer.
const (
	chunkNone   = 0
	chunkData   = 1
	chunkStatus = 5
	chunkError  = 1<<15 + 1
)

// Errors, with Linux's numbers.
const (
	errnoPerm    = 1
	errnoIO      = 5
	errnoInvalid = 22
	errnoUnsup   = 95
)

// A session is a connection on which an export was chosen.
type session struct {
	server     *Server
	export     *export
	in         *bufio.Reader
	out        net.Conn
	structured bool
	blocks     bool

	mu sync.Mutex // one answer at a time
}

// A request is 28 bytes: u32 magic, u16 flags, u16 command, u64 cookie, u64 offset, u32 length.
type request struct {
	flags, command uint16
	cookie         uint64
	off            uint64
	n              uint32
}

func decodeRequest(b []byte) (r request, err error) {
	if magic := be.Uint32(b); magic != magicRequest {
		return r, fmt.Errorf("a request begins with 0x%08x, want 0x%08x", magic, uint32(magicRequest))
	}
	return request{be.Uint16(b[4:]), be.Uint16(b[6:]), be.Uint64(b[8:]), be.Uint64(b[16:]), be.Uint32(b[24:])}, nil
}

// readHead is the room before the bytes of a read: for what goes before them, and so that they begin on a page. The kernel
// copies half as fast to anywhere else.
const readHead = 4 << 10

// buffers are for what is read: most clients ask for 256 KiB.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, readHead+256<<10); return &b }}

// serve answers requests, several at once, until the client leaves. What is under way then is finished first.
func (s *session) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	slots := make(chan struct{}, maxAtOnce)
	var running sync.WaitGroup
	defer running.Wait()
	var b [28]byte
	for {
		if _, err := io.ReadFull(s.in, b[:]); err != nil {
			return err
		}
		r, err := decodeRequest(b[:])
		if err != nil {
			return err
		}
		switch r.command {
		case cmdDisconnect:
			return nil
		case cmdWrite: // its data follow
			if _, err := io.CopyN(io.Discard, s.in, int64(r.n)); err != nil {
				return err
			}
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if err := s.answer(ctx, r); err != nil {
				if !clients.Gone(err) {
					s.server.warn(err)
				}
				s.out.Close() // half an answer may be out
			}
		})
	}
}

// answer does one request. Its error ends the connection.
func (s *session) answer(ctx context.Context, r request) (err error) {
	defer func() { // nothing else has to end with it
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: a fault of the server: %v", s.export.name, p)
		}
	}()
	size := uint64(s.export.src.Size())
	outside := r.n == 0 || r.off > size || uint64(r.n) > size-r.off
	switch {
	case r.command == cmdFlush:
		return s.ok(r)
	case r.command == cmdWrite, r.command == cmdTrim, r.command == cmdWriteZeroes:
		return s.fail(r, errnoPerm, "the export is read-only")
	case r.command == cmdRead && (outside || r.n > maxRead):
		return s.fail(r, errnoInvalid, fmt.Sprintf("0x%x bytes at 0x%x, of 0x%x", r.n, r.off, size))
	case r.command == cmdRead:
		return s.read(r)
	case r.command == cmdBlockStatus && (outside || !s.blocks):
		return s.fail(r, errnoInvalid, "no such block status")
	case r.command == cmdBlockStatus:
		return s.status(ctx, r)
	}
	return s.fail(r, errnoUnsup, fmt.Sprintf("command %d", r.command))
}

// read answers with all that was asked for in one piece, or an error.
func (s *session) read(r request) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	if cap(*buf) < readHead+int(r.n) {
		*buf = make([]byte, 0, readHead+int(r.n))
	}
	b := (*buf)[:readHead+int(r.n)]
	if err := layer.ReadFull(s.export.src, b[readHead:], int64(r.off)); err != nil {
		s.server.warn(fmt.Errorf("%s: read at 0x%x: %w", s.export.name, r.off, err))
		return s.fail(r, errnoIO, err.Error())
	}
	if !s.structured {
		b = b[readHead-16:]
		appendSimple(b[:0], 0, r.cookie)
		return s.send(b)
	}
	b = b[readHead-28:]
	appendStructured(b[:0], chunkData, r.cookie, 8+r.n)
	be.PutUint64(b[20:], r.off)
	return s.send(b)
}

// ok answers that something is done.
func (s *session) ok(r request) error {
	if s.structured {
		return s.send(appendStructured(nil, chunkNone, r.cookie, 0))
	}
	return s.send(appendSimple(nil, 0, r.cookie))
}

// fail answers with an error: u32 number, u16 length and text, where answers are structured.
func (s *session) fail(r request, errno uint32, why string) error {
	if !s.structured {
		return s.send(appendSimple(nil, errno, r.cookie))
	}
	why = wintype.Printable(why)
	why = why[:min(len(why), maxName)]
	b := appendStructured(nil, chunkError, r.cookie, uint32(6+len(why)))
	b = be.AppendUint16(be.AppendUint32(b, errno), uint16(len(why)))
	return s.send(append(b, why...))
}

// send writes a whole answer.
func (s *session) send(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.out.Write(b)
	return err
}

// appendSimple appends the 16 bytes of a simple answer: magic, error, cookie.
func appendSimple(b []byte, errno uint32, cookie uint64) []byte {
	return be.AppendUint64(be.AppendUint32(be.AppendUint32(b, magicSimple), errno), cookie)
}

// appendStructured appends the 20 bytes before the only piece of an answer, of n bytes: magic, flags, type, cookie, n.
func appendStructured(b []byte, kind uint16, cookie uint64, n uint32) []byte {
	b = be.AppendUint16(be.AppendUint16(be.AppendUint32(b, magicStructured), done), kind)
	return be.AppendUint32(be.AppendUint64(b, cookie), n)
}
