// Package attacktest makes files of many kinds, changes them as their users do, and damages them as ransomware does.
package attacktest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
)

// Kinds are the extensions of the files that Make makes.
var Kinds = []string{"docx", "xlsx", "zip", "png", "jpg", "gif", "gz", "tar", "txt", "csv", "json", "html", "xml", "pdf", "wav", "bmp", "go", "so"}

// Make makes a file of a kind; one seed makes the same file again.
func Make(kind string, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	switch kind {
	case "docx", "xlsx", "zip":
		return zipOf(kind, r)
	case "png", "jpg", "gif", "bmp":
		return pictureOf(kind, r)
	case "gz":
		return gzipOf(r)
	case "tar":
		return tarOf(r)
	case "csv":
		return lines(r, func(i int) string { return fmt.Sprintf("%d;%s;%s;%d", i, word(r), word(r), r.IntN(1e6)) })
	case "json":
		return jsonOf(r)
	case "html":
		return wrap("<!DOCTYPE html>\n<html><body>\n", prose(r), "</body></html>\n")
	case "xml":
		return wrap("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<doc>\n", prose(r), "</doc>\n")
	case "pdf":
		return pdfOf(r)
	case "wav":
		return wavOf(r)
	case "so":
		return elfOf(r)
	case "go":
		return wrap("package x\n\nconst text = `", prose(r), "`\n")
	}
	return prose(r)
}

// Edit changes a file as its user does, and leaves it a sound one of its kind.
func Edit(kind string, b []byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 11))
	switch kind {
	case "txt", "csv":
		more := []byte(word(r) + " " + word(r) + ", appended\n")
		if r.IntN(2) == 0 {
			return append(bytes.Clone(b), more...)
		}
		at := bytes.IndexByte(b[len(b)/2:], '\n') + len(b)/2 + 1
		return append(append(bytes.Clone(b[:at]), more...), b[at:]...)
	case "bmp", "wav", "so": // a record in place
		out := bytes.Clone(b)
		at := len(b)/2 + r.IntN(len(b)/4)
		copy(out[at:], prose(r)[:min(400, len(b)-at)])
		return out
	}
	return Make(kind, seed^0x5eed)
}

const letters = "etaoinshrdlucmfwypvbgkjqxz"

func word(r *rand.Rand) string {
	b := make([]byte, 2+r.IntN(8))
	for i := range b {
		b[i] = letters[min(r.IntN(26), r.IntN(26))]
	}
	return string(b)
}

func prose(r *rand.Rand) []byte {
	return lines(r, func(int) string {
		words := make([]string, 6+r.IntN(8))
		for i := range words {
			words[i] = word(r)
		}
		return strings.Join(words, " ") + "."
	})
}

// lines makes 1 to 60 KiB of them.
func lines(r *rand.Rand, line func(i int) string) []byte {
	var b bytes.Buffer
	for i, n := 0, 1<<10+r.IntN(60<<10); b.Len() < n; i++ {
		b.WriteString(line(i) + "\n")
	}
	return b.Bytes()
}

func wrap(head string, b []byte, tail string) []byte {
	return append(append([]byte(head), b...), tail...)
}

func zipOf(kind string, r *rand.Rand) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	names := []string{"[Content_Types].xml", "_rels/.rels", "word/document.xml", "word/styles.xml", "docProps/core.xml"}
	switch kind {
	case "xlsx":
		names[2], names[3] = "xl/workbook.xml", "xl/worksheets/sheet1.xml"
	case "zip":
		names = []string{"a.txt", "b/c.txt", "b/d.csv"}
	}
	for _, name := range names {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write(wrap("<?xml version=\"1.0\"?>\n<x>", prose(r), "</x>"))
		}
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

func pictureOf(kind string, r *rand.Rand) []byte {
	m := image.NewPaletted(image.Rect(0, 0, 80+r.IntN(120), 60+r.IntN(120)), nil)
	for range 200 {
		m.Palette = append(m.Palette, color.RGBA{uint8(r.IntN(256)), uint8(r.IntN(256)), uint8(r.IntN(256)), 255})
	}
	for i := range m.Pix {
		m.Pix[i] = uint8(min(r.IntN(200), r.IntN(200)))
	}
	var b bytes.Buffer
	switch kind {
	case "png":
		must(png.Encode(&b, m))
	case "jpg":
		must(jpeg.Encode(&b, m, nil))
	case "gif":
		must(gif.Encode(&b, m, nil))
	case "bmp":
		return bmpOf(m)
	}
	return b.Bytes()
}

// bmpOf writes a picture of eight bits a pixel.
func bmpOf(m *image.Paletted) []byte {
	wide, high := m.Rect.Dx(), m.Rect.Dy()
	row := (wide + 3) &^ 3
	le := binary.LittleEndian
	b := append([]byte("BM"), make([]byte, 52)...)
	le.PutUint32(b[2:], uint32(54+1024+row*high))
	le.PutUint32(b[10:], 54+1024)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(wide))
	le.PutUint32(b[22:], uint32(high))
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 8)
	for i := range 256 {
		b = append(b, byte(i), byte(i), byte(i), 0)
	}
	for y := range high {
		line := make([]byte, row)
		for x := range wide { // a slope, as pictures have them
			line[x] = byte(x+y) &^ 7
		}
		b = append(b, line...)
	}
	return b
}

func gzipOf(r *rand.Rand) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(prose(r))
	must(err)
	must(w.Close())
	return b.Bytes()
}

func tarOf(r *rand.Rand) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range 3 {
		text := prose(r)
		must(w.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir/file%d.txt", i), Mode: 0o644, Size: int64(len(text))}))
		_, err := w.Write(text)
		must(err)
	}
	must(w.Close())
	return b.Bytes()
}

func jsonOf(r *rand.Rand) []byte {
	rows := []map[string]any{}
	for range 50 + r.IntN(500) {
		rows = append(rows, map[string]any{"name": word(r), "value": r.IntN(1e6), "text": word(r) + " " + word(r)})
	}
	b, err := json.MarshalIndent(rows, "", "  ")
	must(err)
	return append(b, '\n')
}

// pdfOf makes a document of one page, with its table of objects.
func pdfOf(r *rand.Rand) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	text := prose(r)
	var at []int
	for i, body := range []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(text), text)} {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, body)
	}
	table := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, off := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", off)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, table)
	return b.Bytes()
}

func wavOf(r *rand.Rand) []byte {
	n := 8<<10 + r.IntN(60<<10)&^1
	le := binary.LittleEndian
	b := make([]byte, 44, 44+n)
	copy(b, "RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	le.PutUint32(b[4:], uint32(36+n))
	le.PutUint32(b[24:], 8000)
	le.PutUint32(b[28:], 16000)
	le.PutUint16(b[32:], 2)
	le.PutUint16(b[34:], 16)
	copy(b[36:], "data")
	le.PutUint32(b[40:], uint32(n))
	for i := range n / 2 { // a saw, with a little noise
		b = le.AppendUint16(b, uint16(i%100*40+r.IntN(8)))
	}
	return b
}

// elfOf makes what looks like a shared object: a header, code in repeating patterns, and text.
func elfOf(r *rand.Rand) []byte {
	b := append([]byte("\x7fELF\x02\x01\x01\x00"), make([]byte, 56)...)
	le := binary.LittleEndian
	le.PutUint16(b[16:], 3)
	le.PutUint16(b[18:], 62)
	le.PutUint32(b[20:], 1)
	le.PutUint16(b[52:], 64)
	for range 300 + r.IntN(2000) {
		b = append(b, 0x48, 0x89, byte(r.IntN(8)*8), 0xe8, byte(r.IntN(64)), 0, 0, 0, 0x48, 0x83, 0xc4, byte(r.IntN(4)*8), 0xc3, 0x90, 0x90, 0x90)
	}
	return append(b, prose(r)...)
}

func must(err error) {
	if err != nil {
		panic(err) // into memory, of what is made here
	}
}
