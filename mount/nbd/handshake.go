package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"

	"snapmount/imagefmt/wintype"
)

var be = binary.BigEndian

const (
	magicServer  = "NBDMAGIC"
	magicOption  = "IHAVEOPT"
	magicReply   = 0x3e889045565a9
	fixedNew     = 1 // flags of both sides
	noZeroes     = 2
	maxOption    = 64 << 10 // bytes of what comes with an option
	maxOptions   = 1024     // before a client has to choose
	maxName      = 4096     // bytes, as the protocol says
	contextID    = 1        // that of base:allocation
	allocation   = "base:allocation"
	maxRead      = 32 << 20 // bytes of one request
	preferred    = 64 << 10 // bytes that requests are best aligned to
	transmission = 1 | 2 | 4 | 128 | 256
	// flags: they are there, read-only, FLUSH, DF (answers in one piece), any number of connections see the same
)

// Options of a client.
const (
	optExportName  = 1
	optAbort       = 2
	optList        = 3
	optInfo        = 6
	optGo          = 7
	optStructured  = 8
	optListContext = 9
	optSetContext  = 10
)

// Types of answers to options.
const (
	repAck      = 1
	repServer   = 2
	repInfo     = 3
	repContext  = 4
	repUnsup    = 1<<31 + 1
	repInvalid  = 1<<31 + 3
	repPlatform = 1<<31 + 4
	repUnknown  = 1<<31 + 6
	repTooBig   = 1<<31 + 9
)

// A haggle is the state of a handshake.
type haggle struct {
	server     *Server
	in         *bufio.Reader
	out        net.Conn
	noZeroes   bool
	structured bool
	blocks     string // the export that block status was agreed on for
	agreed     bool   // there is one
	chosen     *export
}

// handshake answers the options of a client, and returns the export that it chose: nil when it took its leave. structured
// is the form of answers, blocks whether it may ask for block status.
func (s *Server) handshake(in *bufio.Reader, out net.Conn) (e *export, structured, blocks bool, err error) {
	hello := be.AppendUint16([]byte(magicServer+magicOption), fixedNew|noZeroes)
	if _, err = out.Write(hello); err != nil {
		return nil, false, false, err
	}
	var b [16]byte
	if _, err = io.ReadFull(in, b[:4]); err != nil {
		return nil, false, false, err
	}
	flags := be.Uint32(b[:])
	if flags&^(fixedNew|noZeroes) != 0 || flags&fixedNew == 0 {
		return nil, false, false, fmt.Errorf("a client of flags 0x%x, want fixed newstyle (1)", flags)
	}
	h := &haggle{server: s, in: in, out: out, noZeroes: flags&noZeroes != 0}
	for range maxOptions {
		if _, err = io.ReadFull(in, b[:]); err != nil {
			return nil, false, false, err
		}
		if string(b[:8]) != magicOption {
			return nil, false, false, fmt.Errorf("an option begins with %x, want %q", b[:8], magicOption)
		}
		more, err := h.option(be.Uint32(b[8:]), be.Uint32(b[12:]))
		if err != nil || !more {
			return h.chosen, h.structured, h.agreed && h.chosen != nil && h.blocks == h.chosen.asked, err
		}
	}
	return nil, false, false, fmt.Errorf("a client sent %d options and chose no export", maxOptions)
}

// option answers one option, with n bytes of data, and reports whether others may follow.
func (h *haggle) option(opt, n uint32) (more bool, err error) {
	if n > maxOption {
		if _, err := io.CopyN(io.Discard, h.in, int64(n)); err != nil {
			return false, err
		}
		return true, h.refuse(opt, repTooBig, fmt.Sprintf("%d bytes, want %d at most", n, maxOption))
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(h.in, data); err != nil {
		return false, err
	}
	switch opt {
	case optExportName:
		return false, h.exportName(string(data))
	case optAbort:
		return false, h.reply(opt, repAck, nil)
	case optList:
		return true, h.list(data)
	case optInfo, optGo:
		return h.info(opt, data)
	case optStructured:
		if n != 0 {
			return true, h.refuse(opt, repInvalid, "data with an option that has none")
		}
		h.structured = true
		return true, h.reply(opt, repAck, nil)
	case optListContext, optSetContext:
		return true, h.contexts(opt, data)
	}
	return true, h.refuse(opt, repUnsup, "")
}

// reply sends one answer to an option: magic, option, type and length, then data.
func (h *haggle) reply(opt, kind uint32, data []byte) error {
	b := be.AppendUint64(make([]byte, 0, 20+len(data)), magicReply)
	b = be.AppendUint32(b, opt)
	b = be.AppendUint32(b, kind)
	b = be.AppendUint32(b, uint32(len(data)))
	_, err := h.out.Write(append(b, data...))
	return err
}

// refuse answers with an error, and says why in words that are safe to print.
func (h *haggle) refuse(opt, kind uint32, why string) error {
	return h.reply(opt, kind, []byte(wintype.Printable(why[:min(len(why), maxName)])))
}

// exportName chooses an export in the old way, which has no words for errors: the connection ends.
func (h *haggle) exportName(name string) error {
	e, err := h.find(name)
	if err != nil {
		return err
	}
	b := be.AppendUint16(be.AppendUint64(nil, uint64(e.src.Size())), transmission)
	if !h.noZeroes {
		b = append(b, make([]byte, 124)...)
	}
	h.chosen = e
	_, err = h.out.Write(b)
	return err
}

func (h *haggle) find(name string) (*export, error) {
	if len(name) > maxName {
		return nil, fmt.Errorf("a name of %d bytes, want %d at most", len(name), maxName)
	}
	e, err := h.server.open(name)
	if err == nil {
		e.asked = name
	}
	return e, err
}

// cannot answers for an export that cannot be opened.
func (h *haggle) cannot(opt uint32, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errSeveral) {
		return h.refuse(opt, repUnknown, err.Error())
	}
	h.server.warn(err)
	return h.refuse(opt, repPlatform, err.Error())
}

// list names all exports.
func (h *haggle) list(data []byte) error {
	if len(data) != 0 {
		return h.refuse(optList, repInvalid, "data with an option that has none")
	}
	all, err := h.server.names()
	if err != nil {
		return h.cannot(optList, err)
	}
	for _, name := range all {
		if err := h.reply(optList, repServer, append(be.AppendUint32(nil, uint32(len(name))), name...)); err != nil {
			return err
		}
	}
	return h.reply(optList, repAck, nil)
}

// info tells of an export: u32 length of its name, the name, u16 count of u16 kinds of information that are asked for. What
// is asked for may be left out, and more may be told.
func (h *haggle) info(opt uint32, data []byte) (more bool, err error) {
	name, rest, ok := cutString(data)
	if !ok || len(rest) < 2 || len(rest) != 2+2*int(be.Uint16(rest)) {
		return true, h.refuse(opt, repInvalid, "lengths do not add up")
	}
	e, err := h.find(name)
	if err != nil {
		return true, h.cannot(opt, err)
	}
	about := be.AppendUint64(be.AppendUint16(nil, 0), uint64(e.src.Size()))
	sizes := be.AppendUint32(be.AppendUint32(be.AppendUint32(be.AppendUint16(nil, 3), 1), preferred), maxRead)
	for _, b := range [][]byte{be.AppendUint16(about, transmission), append(be.AppendUint16(nil, 1), e.name...), sizes} {
		if err := h.reply(opt, repInfo, b); err != nil {
			return false, err
		}
	}
	if opt == optGo {
		h.chosen = e
	}
	return opt != optGo, h.reply(opt, repAck, nil)
}

// contexts lists or chooses kinds of block status: u32 length and name of the export, u32 count of queries, each u32 length
// and text. There is one, base:allocation.
func (h *haggle) contexts(opt uint32, data []byte) error {
	name, rest, ok := cutString(data)
	if !ok || len(rest) < 4 {
		return h.refuse(opt, repInvalid, "lengths do not add up")
	}
	count := be.Uint32(rest)
	rest = rest[4:]
	found := count == 0 && opt == optListContext
	for range count {
		var query string
		if query, rest, ok = cutString(rest); !ok {
			return h.refuse(opt, repInvalid, "lengths do not add up")
		}
		found = found || query == allocation || query == "base:" && opt == optListContext
	}
	switch {
	case len(rest) != 0:
		return h.refuse(opt, repInvalid, "lengths do not add up")
	case !h.structured:
		return h.refuse(opt, repInvalid, "want structured replies first")
	}
	if _, err := h.find(name); err != nil {
		return h.cannot(opt, err)
	}
	if opt == optSetContext {
		h.agreed, h.blocks = found, name
	}
	if found {
		if err := h.reply(opt, repContext, append(be.AppendUint32(nil, contextID), allocation...)); err != nil {
			return err
		}
	}
	return h.reply(opt, repAck, nil)
}

// cutString takes a u32 length and as many bytes off the start of b.
func cutString(b []byte) (s string, rest []byte, ok bool) {
	if len(b) < 4 || uint64(be.Uint32(b)) > uint64(len(b)-4) {
		return "", nil, false
	}
	n := be.Uint32(b)
	return string(b[4:][:n]), b[4:][n:], true
}
