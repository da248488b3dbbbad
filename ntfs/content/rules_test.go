package content

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/layer"
)

func utf16le(s string) []byte { return units(s, binary.LittleEndian) }

func units(s string, order binary.ByteOrder) []byte {
	b := make([]byte, 0, 2*len(s))
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, 0, 0)
		order.PutUint16(b[len(b)-2:], u)
	}
	return b
}

// TestJudge looks at one version alone, by each rule and by what must not set one off.
func TestJudge(t *testing.T) {
	chinese := strings.Repeat("\u5b57\u7b26\u96c6\u5408\u7684\u6587\u4ef6\u3002\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c", 300)
	latin1 := bytes.ReplaceAll(prose(9000), []byte("\u00e4"), []byte{0xe4})
	sjis := bytes.Repeat([]byte("\x83\x65\x83\x58\x83\x67\x82\xcc\x95\xb6\x8f\x91\x81\x42\r\n"), 600)
	tests := []struct {
		name  string
		kind  Kind
		b     []byte
		state State
		rule  Rule
	}{
		{"empty text", Text, nil, Whole, RuleEmpty},
		{"empty picture", "png", nil, Incomplete, RuleEmpty},
		{"one letter", Text, []byte("x"), Whole, RuleNone},
		{"short text", Text, []byte("milk, eggs\r\n"), Whole, RuleNone},
		{"text", Text, prose(100000), Whole, RuleNone},
		{"text in Latin-1", "csv", latin1, Whole, RuleNone},
		{"text in Shift-JIS", Text, sjis, Whole, RuleNone},
		{"UTF-16 with a mark", Text, utf16le("\ufeff" + chinese), Whole, RuleNone},
		{"UTF-16 without a mark", Text, utf16le(chinese), Whole, RuleNone},
		{"UTF-16 without a mark, big-endian", Text, units(chinese, binary.BigEndian), Whole, RuleNone},
		{"UTF-16 of Latin letters without a mark", "csv", utf16le(strings.Repeat("Name;Ort;PLZ\r\n", 500)), Whole, RuleNone},
		{"encrypted text", Text, noise(1, 20000), Spoiled, RuleText},
		{"encrypted short text", Text, noise(1, 300), Spoiled, RuleText},
		{"text with an encrypted window", Text, cat(prose(40960), noise(2, 4096), prose(40000)), Spoiled, RuleText},
		{"text in stripes", Text, spoilEvery(prose(50000), random1(), 0, 64, 192), Spoiled, RuleText},
		{"zeros", "docx", make([]byte, 50000), Torn, RuleZeros},
		{"zeros of an unknown kind", NoKind, make([]byte, 50000), Undecided, RuleNone},
		{"encrypted picture", "jpg", noise(1, 50000), Spoiled, RuleSignature},
		{"encrypted, 100 bytes", "png", noise(1, 100), Spoiled, RuleSignature},
		{"a text named as a picture", "jpg", prose(5000), Undecided, RuleTypeChanged},
		{"a picture named as a document", "doc", madePicture("png"), Undecided, RuleTypeChanged},
		{"points named as a picture", "jpg", madeBMP(), Undecided, RuleTypeChanged},
		{"a broken picture named as a document", "doc", madePicture("png")[:5000], Spoiled, RuleSignature},
		{"a picture named as a text", Text, madePicture("png"), Undecided, RuleTypeChanged},
		{"a program without its head", "exe", cat([]byte("MZ"), noise(3, 90000)), Spoiled, RuleRandom},
		{"encrypted points", "bmp", cat(madeBMP()[:54], noise(4, len(madeBMP())-54)), Spoiled, RuleRandom},
		{"a container of VeraCrypt", NoKind, noise(5, 300000), Undecided, RuleNone},
		{"a download with room made", "zip", cat(madeZip(8)[:15000], make([]byte, 20000)), Incomplete, RuleStructure},
		{"a lost write", "png", zeroed(madePicture("png"), 4096, 512), Torn, RuleStructure},
		{"a log in use", "evtx", madeEVTX(1), Open, RuleStructure},
		{"a database in use", "edb", madeESE(2), Open, RuleStructure},
		{"a hive in use", "hive", madeHive(6), Open, RuleStructure},
		{"a hive in use, by its signature", NoKind, madeHive(6), Open, RuleStructure},
		{"a bomb", "gz", bomb(), Undecided, RuleStructure},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v := judged(t, tt.kind, tt.b); v.State != tt.state || v.Rule != tt.rule {
				t.Errorf("%v by %v (%s), want %v by %v", v.State, v.Rule, v.Why, tt.state, tt.rule)
			}
		})
	}
}

// TestCompare holds a version against an older one.
func TestCompare(t *testing.T) {
	vault, text := noise(5, 300000), prose(40000)
	picture, film := madePicture("jpg"), madeBoxes("moov")
	disk := cat(prose(200000), noise(9, 200000))
	tests := []struct {
		name         string
		kind         Kind
		older, newer []byte
		state        State
	}{
		{"the same", "mp4", film, film, Whole},
		{"a sentence more", Text, text, cat(text[:20000], []byte("One more. "), text[20000:]), Whole},
		{"another text", Text, text, utf16le("\ufeff" + string(prose(9000))), Whole},
		{"emptied", Text, text, nil, Undecided},
		{"overwritten by zeros", Text, text, make([]byte, 40000), Spoiled},
		{"overwritten by zeros, of an unknown kind", NoKind, disk, make([]byte, 400000), Spoiled},
		{"another picture", "jpg", picture, madePicture("jpg")[:], Whole},
		{"a film, a piece encrypted", "mp4", film, spoil(film, random1(), 20480, 45056), Spoiled},
		{"a film, head spared and a key appended", "mp4", film, cat(spoil(film, random1(), 24576, len(film)), noise(3, 528)), Spoiled},
		{"another film", "mp4", film, cat(film[:len(film)-60000-8], u32be(70008), []byte("mdat"), noise(8, 70000)), Whole},
		{"a vault that is used", NoKind, vault, spoil(vault, random1(), 4096, 40960), Undecided},
		{"an unknown kind, encrypted", NoKind, disk, noise(7, 400000), Spoiled},
		{"an unknown kind, in stripes", NoKind, disk[:200000], spoilEvery(disk[:200000], random1(), 0, 16, 32), Spoiled},
		{"an unknown kind, a record changed", NoKind, disk, cat(disk[:9000], []byte("a record"), disk[9008:]), Whole},
		{"a key of 256 bytes in it", NoKind, disk, spoil(disk, random1(), 9000, 9256), Whole},
		{"a script named as a library", "so", []byte("INPUT(libc.so.6)\nmore of it\n"), []byte("INPUT(libm.so.6)\nmore of it\n"), Whole},
		{"broken before, and as before", "png", picture[:9000], picture[:9000], Undecided},
		{"a damaged picture, encrypted", "png", zeroed(madePicture("png"), 4096, 512), noise(3, 20000), Spoiled},
		{"members with a password, one encrypted again", "zip", madeSecretZip(), spoil(madeSecretZip(), random1(), 20480, 61440), Spoiled},
		{"members with a password", "zip", madeSecretZip(), madeSecretZip(), Whole},
		{"saved as another type", "docx", madeZip(8), madePDF(), Undecided},
		{"a text that is a program now", Text, text, madeELF(), Undecided},
		{"79 bytes at the end of a text", Text, text, spoil(text, random1(), len(text)-79, len(text)), Spoiled},
		{"a mailbox, free room filled with pictures", "pst", cat(madePST(), make([]byte, 90000)), cat(madePST(), noise(7, 90000)), Whole},
		{"a mailbox, a piece encrypted", "pst", madePST(), spoil(madePST(), random1(), 18432, 26624), Spoiled},
		{"a database that got pictures", "sqlite", madeSQLite(), pictures(madeSQLite()), Whole},
		{"a database that is in use now", "edb", madeESE(3), madeESE(2), Open},
		{"a database in use, pages encrypted", "edb", madeESE(2), spoil(madeESE(2), random1(), 12288, 40960), Spoiled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := Compare(t.Context(), tt.kind, of(tt.older), of(tt.newer))
			if err != nil || v.State != tt.state {
				t.Errorf("%v by %v (%s), want %v; %v", v.State, v.Rule, v.Why, tt.state, err)
			}
		})
	}
}

// TestKindOf looks at names as ransomware and users make them.
func TestKindOf(t *testing.T) {
	png, script := madePicture("png"), []byte("#!/bin/sh\necho this is a script\n")
	tests := []struct {
		name string
		head []byte
		want Kind
	}{
		{"Report.DOCX", nil, "docx"},
		{"a.docx.locked", noise(1, 512), "docx"},
		{"a.docx.id-1A2B.[mail@x.org].lock3d", noise(1, 512), "docx"},
		{"a.b.c.d.e.f.docx.g", nil, "docx"},
		{"a.docx.1.2.3.4.5", nil, NoKind},
		{"README", nil, NoKind},
		{"vault.hc", noise(1, 512), NoKind},
		{"photo.doc", png, "png"},
		{"libm.so", script, Text},
		{"libm.so.6", []byte("\x7fELF and more"), "so"},
		{"notes.txt.bak", script, Text},
		{"disk.iso", make([]byte, 512), "iso"},
		{"a.txt", noise(1, 512), Text},
		{"old.tar", prose(20), Text},
	}
	for _, tt := range tests {
		if got := KindOf(tt.name, tt.head); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestUnknownBytes expects no conclusion from what is not known, but for damage that the others prove.
func TestUnknownBytes(t *testing.T) {
	hole := func(b []byte, from, to int64) Version {
		v := of(b)
		v.Unknown = func(off, n int64) bool { return off < to && from < off+n }
		return v
	}
	text := prose(40000)
	for _, tt := range []struct {
		name string
		kind Kind
		v    Version
		want State
	}{
		{"text", Text, hole(text, 8192, 8200), Unknown},
		{"picture", "png", hole(madePicture("png"), 4096, 8192), Unknown},
		{"picture whose head is not known", "png", hole(noise(1, 9000), 0, 8), Unknown},
		{"encrypted text", Text, hole(noise(1, 40000), 8192, 8200), Spoiled},
		{"encrypted picture", "png", hole(noise(1, 9000), 4096, 8192), Spoiled},
		{"zeros", "png", hole(make([]byte, 200000), 0, 512), Unknown},
		{"by the read error", "png", Version{R: unreadable{&layer.UnknownError{Why: layer.Missing}}, Size: 9000}, Unknown},
	} {
		if v, err := Judge(t.Context(), tt.kind, tt.v); err != nil || v.State != tt.want {
			t.Errorf("%s: %v by %v (%s), want %v; %v", tt.name, v.State, v.Rule, v.Why, tt.want, err)
		}
		if v, err := Compare(t.Context(), tt.kind, of(text), tt.v); err != nil || v.State.Good() {
			t.Errorf("%s, against an older version: %v by %v (%s); %v", tt.name, v.State, v.Rule, v.Why, err)
		}
	}
}

type unreadable struct{ err error }

func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }

// TestErrors expects what cannot be read, and the end of the context, as errors of every kind's check.
func TestErrors(t *testing.T) {
	broken := errors.New("broken disk")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	for _, m := range madeFiles() {
		v := Version{R: &failsLater{bytes.NewReader(m.b), broken}, Size: int64(len(m.b)) + 1}
		if got, err := Judge(t.Context(), m.kind, v); !errors.Is(err, broken) {
			t.Errorf("%s: %v, %v", m.kind, got, err)
		}
		if _, err := Judge(stopped, m.kind, of(m.b)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v after the end of the context", m.kind, err)
		}
		if _, err := Compare(stopped, m.kind, of(m.b), of(m.b)); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v after the end of the context", m.kind, err)
		}
	}
}

// failsLater reads all but the last byte.
type failsLater struct {
	r   io.ReaderAt
	err error
}

func (f *failsLater) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.r.ReadAt(p, off)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func TestStateNames(t *testing.T) {
	for s := Undecided; s <= Spoiled; s++ {
		if got, ok := ParseState(s.String()); !ok || got != s {
			t.Errorf("%v is read as %v", s, got)
		}
		if s.Good() && s.Damaged() {
			t.Errorf("%v is both", s)
		}
	}
	if s, ok := ParseState("sound"); ok {
		t.Errorf("sound is %v", s)
	}
	if got := fmt.Sprint(State(99), Rule(99), RulePlaces); got != "State(99) Rule(99) changed places" {
		t.Error(got)
	}
}
