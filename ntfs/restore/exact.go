package restore

import (
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"snapmount/imagefmt/wintype"
)

// wtf is WTF-8 as JSON. Package json has no form for a lone surrogate: a text that has one is written as nothing but
// \uXXXX, one for each UTF-16 code unit.
type wtf string

const unitLen = len(`\uXXXX`)

// MarshalJSON writes s without loss.
func (s wtf) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(s)) {
		return json.Marshal(string(s))
	}
	out := []byte{'"'}
	for _, unit := range wintype.EncodeUTF16(string(s)) {
		out = fmt.Appendf(out, `\u%04x`, unit)
	}
	return append(out, '"'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and any other string.
func (s *wtf) UnmarshalJSON(b []byte) error {
	if units, ok := unitsOf(b); ok {
		*s = wtf(wintype.DecodeUTF16(units))
		return nil
	}
	return json.Unmarshal(b, (*string)(s))
}

// unitsOf reads a JSON string of nothing but \uXXXX: UTF-16, little-endian.
func unitsOf(b []byte) (units []byte, ok bool) {
	if len(b) < 2+unitLen || (len(b)-2)%unitLen != 0 {
		return nil, false
	}
	for b = b[1 : len(b)-1]; len(b) > 0; b = b[unitLen:] {
		unit, err := strconv.ParseUint(string(b[2:unitLen]), 16, 16)
		if err != nil || b[0] != '\\' || b[1] != 'u' {
			return nil, false
		}
		units = append(units, byte(unit), byte(unit>>8))
	}
	return units, true
}

type plainMeta Meta

// exactMeta is a Meta as it is written and read, without loss: names of the outer struct go before those in it.
type exactMeta struct {
	Path      wtf `json:"path"`
	Name      wtf `json:"name,omitempty"`
	ShortName wtf `json:"short_name,omitempty"`
	Link      wtf `json:"link,omitempty"`
	*plainMeta
}

func (m *Meta) encode() ([]byte, error) {
	return json.Marshal(&exactMeta{wtf(m.Path), wtf(m.Name), wtf(m.ShortName), wtf(m.Link), (*plainMeta)(m)})
}

func (m *Meta) decode(b []byte) error {
	x := exactMeta{plainMeta: (*plainMeta)(m)}
	err := json.Unmarshal(b, &x)
	m.Path, m.Name, m.ShortName, m.Link = string(x.Path), string(x.Name), string(x.ShortName), string(x.Link)
	return err
}

type plainStream Stream

type exactStream struct {
	Name wtf `json:"name"`
	*plainStream
}

// MarshalJSON writes s without loss.
func (s Stream) MarshalJSON() ([]byte, error) {
	return json.Marshal(exactStream{wtf(s.Name), (*plainStream)(&s)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Stream) UnmarshalJSON(b []byte) error {
	x := exactStream{plainStream: (*plainStream)(s)}
	err := json.Unmarshal(b, &x)
	s.Name = string(x.Name)
	return err
}
