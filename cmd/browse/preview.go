package browse

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/folder"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// preview is the begin of a file as text, or all of it in hexadecimal, of which only what is seen is read.
type preview struct {
	source  layer.Mapper
	err     error  // why there is nothing to show
	absent  bool   // the file is not there
	other   string // what it is, if it has no content
	verdict string // what of it is not there
	begin   piece
	isText  bool
	hex     bool
	lines   scroller
	row     int64 // of hex, the first that is seen
	seen    piece
	m       *model
	window  *slot
}

// A piece is some bytes of a file, and which of them are not known.
type piece struct {
	off  int64
	data []byte
	lost []lost
}

type lost struct {
	from, to int // in data
	why      string
}

const maxText = 256 << 10 // bytes that are shown as text

// start has a job read the begin of a file.
func (p *preview) start(m *model, read, window *slot, at folder.Place) {
	window.stop()
	*p = preview{hex: p.hex, m: m, window: window}
	m.jobs.start(read, func(ctx context.Context, send func(func()) bool) error {
		n, stream, err := at.Point.Find(ctx, at.Path, true)
		if points.Absent(err) {
			send(func() { p.absent = true })
			return nil
		}
		if err != nil {
			return at.Point.Because(err)
		}
		if !isFile(n, stream) {
			send(func() { p.other = n.Kind.String() })
			return nil
		}
		source, err := n.Stream(stream)
		if err != nil {
			return at.Point.Because(err)
		}
		begin := readPiece(ctx, source, 0, min(source.Size(), maxText))
		v := points.Judge(n, stream)
		send(func() {
			if p.source, p.begin = source, begin; !v.Intact() {
				p.verdict = v.String()
			}
			p.isText = looksLikeText(begin, source.Size())
			p.fold(m)
		})
		return nil
	}, func(err error) { p.err = err })
}

// readPiece reads what can be read of a range; what cannot is told by its reason, sector by sector.
func readPiece(ctx context.Context, m layer.Source, off, n int64) piece {
	p := piece{off: off, data: make([]byte, n)}
	if layer.ReadFull(m, p.data, off) == nil {
		return p
	}
	const sector = 512
	for at := int64(0); at < n && ctx.Err() == nil; {
		size := min(sector-(off+at)%sector, n-at)
		if err := layer.ReadFull(m, p.data[at:at+size], off+at); err != nil {
			clear(p.data[at : at+size])
			why := report.OneLine(err)
			if last := len(p.lost) - 1; last >= 0 && p.lost[last].to == int(at) && p.lost[last].why == why {
				p.lost[last].to += int(size)
			} else {
				p.lost = append(p.lost, lost{int(at), int(at + size), why})
			}
		}
		at += size
	}
	return p
}

// known reports whether a byte of the data is.
func (p *piece) known(i int) bool {
	for _, l := range p.lost {
		if i >= l.from && i < l.to {
			return false
		}
	}
	return true
}

// looksLikeText reports whether the begin of a file is text: UTF-8, or UTF-16 with a mark.
func looksLikeText(p piece, size int64) bool {
	data := p.data
	if len(data) == 0 || isWide(data) {
		return true
	}
	if len(p.lost) > 0 && p.lost[0].from == 0 {
		return false
	}
	if int64(len(data)) < size { // a character may be cut
		for n := 1; n < utf8.UTFMax && n < len(data); n++ {
			if c := data[len(data)-n:]; utf8.RuneStart(c[0]) {
				if !utf8.FullRune(c) {
					data = data[:len(data)-n]
				}
				break
			}
		}
	}
	for i, c := range data {
		if c < ' ' && !strings.ContainsRune("\t\n\r\f", rune(c)) && p.known(i) {
			return false
		}
	}
	return utf8.Valid(data)
}

func isWide(data []byte) bool {
	return bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff})
}

// decoded is a text in UTF-8.
func decoded(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		return wintype.DecodeUTF16(data[2 : len(data)&^1])
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		swapped := make([]byte, 0, len(data))
		for i := 2; i+1 < len(data); i += 2 {
			swapped = binary.LittleEndian.AppendUint16(swapped, binary.BigEndian.Uint16(data[i:]))
		}
		return wintype.DecodeUTF16(swapped)
	}
	return strings.TrimPrefix(string(data), "\ufeff")
}

// fold makes lines of the text for the width of the screen.
func (p *preview) fold(m *model) {
	p.lines.lines = nil
	if p.source == nil || !p.isText {
		return
	}
	at := 0
	for _, l := range p.begin.lost {
		p.addText(m, decoded(p.begin.data[at:l.from]))
		p.lines.add(fault, m.w, m.safe(fmt.Sprintf("[%d bytes are not known: %s]", l.to-l.from, l.why)))
		at = l.to
	}
	p.addText(m, decoded(p.begin.data[at:]))
	if more := p.source.Size() - int64(len(p.begin.data)); more > 0 {
		p.lines.add(bold, m.w, fmt.Sprintf("[%d more bytes are not shown as text: x shows them in hexadecimal, R restores the file]", more))
	}
}

func (p *preview) addText(m *model, text string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for line := range strings.Lines(text) {
		p.lines.add(plain, m.w, m.safe(untab(strings.TrimSuffix(line, "\n"))))
	}
}

func (p *preview) asHex() bool { return p.hex || !p.isText }

func (p *preview) status(m *model) (string, style) {
	switch {
	case p.verdict != "":
		return m.safe("NOT ALL IS THERE: " + p.verdict), fault
	case p.source == nil:
		return "", plain
	}
	return fmt.Sprintf("%d bytes, intact", p.source.Size()), plain
}

func (p *preview) draw(m *model, g *grid, y, high int) {
	var words string
	switch {
	case p.err != nil:
		words = "This file cannot be read at this point: " + report.OneLine(p.err)
	case p.absent:
		words = "This file is not there at this point. [ and ] go to those that have it."
	case p.other != "":
		words = "There is nothing to preview: this is a " + p.other + "."
	case p.source == nil:
		words = "reading ..."
	case p.source.Size() == 0:
		words = "This file is empty."
	case p.asHex():
		p.drawHex(g, y, high)
		return
	default:
		p.lines.draw(g, y, high)
		return
	}
	for i, line := range wrap(m.safe(words), m.w-4) {
		if i < high {
			g.put(2, y+1+i, plain, line)
		}
	}
}

// across is how many bytes a row has, by the width of the screen.
func across(w int) int {
	if w < 78 {
		return 8
	}
	return 16
}

func (p *preview) drawHex(g *grid, y, high int) {
	n := int64(across(g.w))
	size := p.source.Size()
	for i := range high {
		off := (p.row + int64(i)) * n
		if off >= size {
			break
		}
		src := &p.begin
		if off+n > int64(len(src.data)) && off+n <= size || off >= int64(len(src.data)) {
			src = &p.seen
		}
		from := off - src.off
		if from < 0 || from >= int64(len(src.data)) {
			g.put(0, y+i, dim, fmt.Sprintf("%08x  reading ...", off))
			continue
		}
		g.put(0, y+i, plain, hexRow(src, int(from), int(min(n, int64(len(src.data))-from)), int(n), off))
	}
}

// hexRow writes bytes in hexadecimal and as letters; what is not known is ??.
func hexRow(p *piece, from, count, room int, off int64) string {
	var hex, letters strings.Builder
	for i := range room {
		if i == room/2 {
			hex.WriteByte(' ')
		}
		if i >= count {
			hex.WriteString("   ")
			continue
		}
		c := p.data[from+i]
		switch {
		case !p.known(from + i):
			hex.WriteString(" ??")
			letters.WriteByte('?')
			continue
		case c >= ' ' && c < 0x7f:
			letters.WriteByte(c)
		default:
			letters.WriteByte('.')
		}
		fmt.Fprintf(&hex, " %02x", c)
	}
	return fmt.Sprintf("%08x %s  %s", off, hex.String(), letters.String())
}

func (p *preview) key(m *model, key string, high int) bool {
	if key == "x" {
		p.hex = !p.hex
		if p.hex && p.source != nil {
			p.need(high)
		}
		return true
	}
	if p.source == nil || !p.asHex() {
		return p.lines.move(key, high)
	}
	n := int64(across(m.w))
	rows := (p.source.Size() + n - 1) / n
	page := int64(max(high-1, 1))
	switch key {
	case "up", "k":
		p.row--
	case "down", "j":
		p.row++
	case "pgup", "ctrl+b":
		p.row -= page
	case "pgdn", "ctrl+f", " ":
		p.row += page
	case "home", "g":
		p.row = 0
	case "end", "G":
		p.row = rows
	default:
		return false
	}
	p.row = max(min(p.row, rows-int64(high)), 0)
	p.need(high)
	return true
}

// need has a job read what the screen shows in hexadecimal and the begin lacks.
func (p *preview) need(high int) {
	n := int64(across(p.m.w))
	from, size := p.row*n, p.source.Size()
	to := min(from+int64(high)*n, size)
	if to <= int64(len(p.begin.data)) || from >= p.seen.off && to <= p.seen.off+int64(len(p.seen.data)) {
		return
	}
	source := p.source
	from = max(from-from%512-8<<10, 0) // some around it
	to = min(to+8<<10, size)
	p.m.jobs.start(p.window, func(ctx context.Context, send func(func()) bool) error {
		seen := readPiece(ctx, source, from, to-from)
		send(func() { p.seen = seen })
		return nil
	}, func(error) {})
}
