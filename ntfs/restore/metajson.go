package restore

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"snapmount/imagefmt/wintype"
)

// What a Meta and a Stream have beside names.
type (
	bareMeta   Meta
	bareStream Stream
)

// metaJSON is a Meta with names that are no UTF-8.
type metaJSON struct {
	Path      wintype.WTF8 `json:"path"`
	Name      wintype.WTF8 `json:"name,omitempty"`
	ShortName wintype.WTF8 `json:"short_name,omitempty"`
	Link      wintype.WTF8 `json:"link,omitempty"`
	Streams   []streamJSON `json:"streams,omitempty"`
	*bareMeta
}

type streamJSON struct {
	Name wintype.WTF8 `json:"name"`
	File wintype.WTF8 `json:"file,omitempty"`
	bareStream
}

// encodeMeta gives a line of a sidecar, without its end.
func encodeMeta(m *Meta) ([]byte, error) {
	valid := utf8.ValidString(m.Path) && utf8.ValidString(m.Name) && utf8.ValidString(m.ShortName) && utf8.ValidString(m.Link)
	for i := range m.Streams {
		valid = valid && utf8.ValidString(m.Streams[i].Name) && utf8.ValidString(m.Streams[i].File)
	}
	if valid {
		return printable(json.Marshal(m))
	}
	x := metaJSON{wintype.WTF8(m.Path), wintype.WTF8(m.Name), wintype.WTF8(m.ShortName), wintype.WTF8(m.Link), nil, (*bareMeta)(m)}
	for _, s := range m.Streams {
		x.Streams = append(x.Streams, streamJSON{wintype.WTF8(s.Name), wintype.WTF8(s.File), bareStream(s)})
	}
	return printable(json.Marshal(&x))
}

// printable is for files that somebody may look at in a terminal.
func printable(b []byte, err error) ([]byte, error) { return wintype.PrintableJSON(b), err }

// decodeMeta reads a line of a sidecar.
func decodeMeta(line []byte, m *Meta) error {
	*m = Meta{}
	if !bytes.Contains(line, []byte(`\u`)) {
		return json.Unmarshal(line, m)
	}
	x := metaJSON{bareMeta: (*bareMeta)(m)}
	if err := json.Unmarshal(line, &x); err != nil {
		return err
	}
	m.Path, m.Name, m.ShortName, m.Link = string(x.Path), string(x.Name), string(x.ShortName), string(x.Link)
	for _, s := range x.Streams {
		out := Stream(s.bareStream)
		out.Name, out.File = string(s.Name), string(s.File)
		m.Streams = append(m.Streams, out)
	}
	return nil
}
