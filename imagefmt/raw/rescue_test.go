package raw_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/raw"
)

const head = "# Mapfile. Created by GNU ddrescue version 1.27\n# current_pos  current_status  current_pass\n0x00000000     +               1\n#      pos        size  status\n"

func TestMap(t *testing.T) {
	want := random(10000)
	for _, c := range []struct {
		text   string
		size   int64 // of the disk
		unread string
	}{
		{head + "0x0 10000 +\n", 10000, ""},
		{head + "0x0 0x1000 +\n0x1000 512 -\n0x1200 5392 +\n", 10000, "[1000 1200)"},
		{head + "0 01000 ?\n512 512 *\n1024 512 / # not scraped\n1536 8464 +\n", 10000, "[0 600)"},
		{"0x0 + \n0 4096 +\n4096 0 -\n4096 5904 +", 10000, ""}, // of an old version, which has no pass
		{head + "0 10000 +\n10000 2000 ?\n", 12000, "[2710 2ee0)"},
		{head + "512 100 +\n1024 8976 +\n", 10000, "[0 200)[264 400)"},
		{head + "0 0x100 +\n", 10000, "[100 2710)"},
	} {
		m, err := raw.ParseMap(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		d := m.Rescue(bytes.NewReader(want))
		if c.unread == "" {
			layertest.Contract(t, d, want)
		}
		got, n, ranges := "", int64(0), 0
		for e, err := range layer.Resolve(d, 0, d.Size()) {
			switch {
			case err != nil:
				t.Fatal(err)
			case e.Kind == layer.Unknown && e.Why == layer.NotAcquired:
				got += fmt.Sprintf("[%x %x)", e.Off, e.Off+e.Len)
				n, ranges = n+e.Len, ranges+1
			case e.Off != e.BaseOff:
				t.Errorf("extent %+v", e)
			}
		}
		if unread, k := m.Unread(d.Size()); got != c.unread || d.Size() != c.size || unread != n || k != ranges {
			t.Errorf("%q: %s of %d bytes, 0x%x in %d ranges; want %s of %d", c.text, got, d.Size(), unread, k, c.unread, c.size)
		}
	}
}

func TestNoMap(t *testing.T) {
	for _, text := range []string{
		"", head, "x", "0x0 +\n", "0x0 +\n0 1\n", "0x0 +\n0 1 +\n0 1 +\n", "0x0 +\n-1 1 +\n", "0x0 +\n0 x +\n", "0x0 +\n0 1 !\n", "0x0 +\n1 0x7fffffffffffffff +\n",
		"2026-03-01 opened the case\n", "a map of something\n0 1 +\n", "0x0 ++\n0 1 +\n", "0x0 + 1 2\n0 1 +\n", "0x0 +\n0x10000000000000000 1 +\n",
	} {
		if m, err := raw.ParseMap(text); !errors.Is(err, layer.ErrFormat) {
			t.Errorf("%q: %v, %v", text, m, err)
		}
	}
}

func FuzzMap(f *testing.F) {
	f.Add(head + "0x0 0x1000 +\n0x1000 512 -\n0x1200 5392 +\n")
	f.Add("0x0 +\n1 0x7ffffffffffffffe +\n")
	src := strings.NewReader("some bytes")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := raw.ParseMap(text)
		if err != nil {
			return
		}
		d := m.Rescue(src)
		at, unread := int64(0), int64(0)
		for e, err := range layer.Extents(d, 0, d.Size()) {
			if err != nil || e.Off != at || e.Len <= 0 {
				t.Fatalf("extent %+v, %v", e, err)
			}
			if at += e.Len; e.Kind == layer.Unknown {
				unread += e.Len
			}
		}
		if n, _ := m.Unread(d.Size()); at != d.Size() || n != unread {
			t.Errorf("%d of %d bytes, %d unread, want %d", at, d.Size(), n, unread)
		}
	})
}
