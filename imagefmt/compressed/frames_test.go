package compressed_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The kinds of files that slices makes.
const (
	withTable     = 1 << iota // the seek table of the seekable format
	withChecksums             // in it
	noSizes                   // frames do not tell how long they are
)

// slices packs b in zstd frames of n bytes.
func slices(t testing.TB, b []byte, n int, kind int) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	var file, table []byte
	count := uint32(0)
	for at := 0; at < len(b); at += n {
		part := b[at:min(len(b), at+n)]
		begin := len(file)
		if kind&noSizes != 0 {
			file = append(file, streamed(t, part)...)
		} else {
			file = w.EncodeAll(part, file)
		}
		table = le.AppendUint32(table, uint32(len(file)-begin))
		table = le.AppendUint32(table, uint32(len(part)))
		if kind&withChecksums != 0 {
			table = le.AppendUint32(table, 0x12345678)
		}
		count++
	}
	if kind&withTable == 0 {
		return file
	}
	table = le.AppendUint32(table, count)
	table = append(table, byte(kind&withChecksums<<6))
	table = le.AppendUint32(table, 0x8f92eab1)
	file = le.AppendUint32(file, 0x184d2a5e)
	file = le.AppendUint32(file, uint32(len(table)))
	return append(file, table...)
}

// streamed is a frame made by a writer that does not know how long it will be.
func streamed(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := zstd.NewWriter(&buf, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := min(len(b), 100<<10)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
