package receipt

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"snapmount/imagefmt/layer"
)

// maxEntry is the most bytes of a receipt that one value of it may take: an item with a range for each 16 KiB of a large
// file, and more.
const maxEntry = 64 << 20

// A Document is a receipt that was read. Its items stay in the file.
type Document struct {
	Head
	End
	Count int // of items

	name string
	has  map[key]bool // by path; true for those of several items
}

// key is the hash of a path.
type key [16]byte

func keyOf(path string) key {
	sum := sha256.Sum256([]byte(path))
	return key(sum[:])
}

// Is reports whether a file begins as a receipt does: no image does.
func Is(name string) (bool, error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	start, err := io.ReadAll(io.LimitReader(f, 512))
	start = bytes.TrimLeft(start, " \t\r\n")
	return bytes.HasPrefix(start, []byte("{")) && bytes.Contains(start, []byte(`"schema"`)), err
}

// Open reads all of a receipt. One that is damaged, or not whole, is a layer.ErrCorrupt, one of another Schema a
// layer.ErrUnsupported.
func Open(name string) (*Document, error) {
	d := &Document{name: name, has: map[key]bool{}}
	var err error
	d.Head, d.End, err = d.parse(func(item *Item) error {
		d.Count++
		k := keyOf(string(item.Path))
		_, twice := d.has[k]
		d.has[k] = twice
		return nil
	})
	return d, err
}

// parse reads the file, and gives each item to do.
func (d *Document) parse(do func(*Item) error) (Head, End, error) {
	f, err := os.Open(d.name)
	if err != nil {
		return Head{}, End{}, err
	}
	defer f.Close()
	p := &parser{in: &portion{r: bufio.NewReader(f)}, fields: map[string]json.RawMessage{}, do: do}
	p.dec = json.NewDecoder(p.in)
	err = p.document()
	var end End
	if err == nil {
		err = p.into(&end)
	}
	if err == nil && (!p.items || end.Finished == "") {
		err = errors.New("has no items, or no end")
	}
	switch {
	case err == nil, errors.Is(err, layer.ErrUnsupported), p.stopped:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = fmt.Errorf("is cut off at byte %d: %w", p.dec.InputOffset(), layer.ErrCorrupt)
	default:
		err = fmt.Errorf("near byte %d: %w: %w", p.dec.InputOffset(), layer.ErrCorrupt, err)
	}
	if err != nil && !p.stopped {
		err = fmt.Errorf("%s: receipt: %w", d.name, err)
	}
	return p.head, end, err
}

// A parser goes through a receipt value by value.
type parser struct {
	in      *portion
	dec     *json.Decoder
	fields  map[string]json.RawMessage // but for the items
	head    Head
	do      func(*Item) error
	items   bool // were there
	stopped bool // by do
}

// maxFields is more than any receipt has beside its items.
const maxFields = 100

func (p *parser) document() error {
	if err := p.delim('{'); err != nil {
		return err
	}
	for p.dec.More() {
		t, err := p.dec.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // a key is one
		switch {
		case name == "items" && !p.items:
			err = p.list()
		case len(p.fields) == maxFields:
			err = errors.New("has too many fields")
		default:
			var raw json.RawMessage
			err = p.value(&raw)
			p.fields[name] = raw
		}
		if err != nil {
			return err
		}
	}
	if err := p.delim('}'); err != nil {
		return err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return nil
}

// list reads the items, which the head has to be before.
func (p *parser) list() error {
	p.items = true
	if err := p.into(&p.head); err != nil {
		return err
	}
	if p.head.Schema != Schema {
		return fmt.Errorf("schema %d, want %d: %w", p.head.Schema, Schema, layer.ErrUnsupported)
	}
	if err := p.delim('['); err != nil {
		return err
	}
	for p.dec.More() {
		var item Item
		if err := p.value(&item); err != nil {
			return err
		}
		if err := p.do(&item); err != nil {
			p.stopped = true
			return err
		}
	}
	return p.delim(']')
}

func (p *parser) value(to any) error {
	p.in.left = maxEntry
	return p.dec.Decode(to)
}

func (p *parser) delim(want json.Delim) error {
	p.in.left = maxEntry
	t, err := p.dec.Token()
	if err == nil && t != want {
		err = fmt.Errorf("%v, want %v", t, want)
	}
	return err
}

// into fills what has the fields so far.
func (p *parser) into(to any) error {
	b, err := json.Marshal(p.fields)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, to)
}

// A portion reads no more at once than is left: a Decoder holds all of a value.
type portion struct {
	r    io.Reader
	left int
}

func (p *portion) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, fmt.Errorf("a value of more than %d bytes", maxEntry)
	}
	n, err := p.r.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}
