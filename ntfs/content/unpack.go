package content

import (
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

// checkGzip unpacks all members and compares their CRC. What stands behind the last one does not matter.
func checkGzip(f *file) finding {
	s := f.from(0)
	z, err := gzip.NewReader(s)
	for first := true; ; first = false {
		if err != nil {
			if !first {
				break
			}
			return unpacked(s.off, "the header", err)
		}
		z.Multistream(false)
		if _, err := f.drain(io.Discard, z); err != nil {
			return unpacked(max(s.off-1, 0), "the packed data", err)
		}
		err = z.Reset(s)
	}
	return sound(true, "it unpacks, and the CRC is right")
}

// checkBzip2 unpacks all and compares the CRC of each block.
func checkBzip2(f *file) finding {
	s := f.from(0)
	_, err := f.drain(io.Discard, bzip2.NewReader(s))
	if err == nil || err == bzip2.StructuralError("bad magic value in continuation file") {
		return sound(true, "it unpacks, and the CRCs are right")
	}
	return unpacked(max(s.off-1, 0), "the packed data", err)
}

// zstdWindow bounds the window of a frame: that of the levels in common use, and more for files that are large themselves.
func zstdWindow(size int64) uint64 { return uint64(min(max(size*32, 8<<20), 128<<20)) }

// checkZstd unpacks all frames, and compares their checksums where they have one.
func checkZstd(f *file) finding {
	var h zstd.Header
	if err := h.Decode(f.upTo(0, zstd.HeaderMaxSize)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return torn(0, "the frame header is wrong")
	}
	s := f.from(0)
	z, err := zstd.NewReader(s, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow(f.size)))
	if err == nil {
		defer z.Close()
		_, err = f.drain(io.Discard, z)
	}
	switch {
	case err == nil:
		return sound(h.HasCheckSum, "it unpacks")
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrUnknownDictionary):
		return unsure("it needs more memory or a dictionary to unpack")
	}
	return unpacked(max(s.off-1, 0), "the packed data", err)
}
