// Package compressed reads disk images that are compressed as a whole, by gzip or zstd, at random and without unpacking them
// to a file.
//
// Open unpacks the file once, to find the size of the disk, where its zeros are, and what is damaged; it keeps
// checkpoints from which a read unpacks only some MiB. A gzip file (RFC 1952) has them anywhere, as a DEFLATE stream
// (RFC 1951) goes on from 32 KiB of history; a zstd file (RFC 8878) between its frames. A zstd file that ends with the
// seek table of the seekable format (contrib/seekable_format of zstd's sources), and whose frames bear it out by telling
// their lengths, is not unpacked at Open: its damage and its zeros are found when they are read.
//
// What is damaged stays local where the file tells the place:
//   - Where the file is cut off, or cannot be read, the disk ends, unless members of BGZF or frames follow whose place
//     on the disk is known. What is before is shown, though no checksum vouches for it.
//   - Where packed data makes no sense, the member or frame cannot be read from 1 MiB before on, because wrong bits most
//     often unpack to wrong bytes for a while. What is before that is shown, though no checksum vouches for it.
//   - Where a member or frame unpacks and its checksum is wrong, no part of it can be told from the wrong one, and all
//     of it cannot be read. A checksum that is not there, as in many zstd files, vouches for nothing.
package compressed

import (
	"encoding/binary"
	"fmt"
	"sort"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Disk is what a compressed file holds, a layer.Mapper. Its leaves are unpacked pieces and long runs of zeros.
type Disk struct{ data *unpacked }

const (
	chunkLen     = 256 << 10 // unpacked at a time
	inputLen     = 128 << 10 // read at a time
	decoderBytes = 256 << 20 // of windows, in all kept decoders
	maxDecoders  = 8
	maxWarnings  = 100
	gzipMagic    = 0x088b1f // with the only method there is
	slowFrame    = 64 << 20 // bytes, of a frame that is worth a warning
	slowFrames   = "frames of up to 0x%x bytes are unpacked from their start for each read elsewhere, which is slow: " +
		"smaller frames are fast, as \"zstd -dc FILE | pzstd -o NEW.zst\" writes them"
)

// The compressions, as users know them.
const (
	gzipName = "gzip"
	zstdName = "zstd"
)

// nameOf returns the name of the compression of a file that begins so, "" for none that is known. A zstd file may begin
// with a skippable frame, as pzstd writes it.
func nameOf(head string) string {
	var b [4]byte
	copy(b[:], head)
	magic := binary.LittleEndian.Uint32(b[:])
	switch {
	case magic&0xffffff == gzipMagic:
		return gzipName
	case magic == frameMagic, magic&^15 == skippableMagic:
		return zstdName
	}
	return ""
}

// readName is nameOf for the file in src.
func readName(src layer.Source) (string, error) {
	b := make([]byte, layer.Clip(src.Size(), 0, 4))
	if err := layer.ReadFull(src, b, 0); err != nil {
		return "", fmt.Errorf("magic: %w", err)
	}
	return nameOf(string(b)), nil
}

// readHead fills p with the first bytes of what src unpacks to, as far as there are any, and returns how many. Nothing vouches
// for them.
func readHead(src layer.Source, p []byte) (n int, err error) {
	name, err := readName(src)
	if err != nil {
		return 0, err
	}
	var s stream = newMembers(src, chunkLen)
	if name != gzipName {
		if s, err = newFrames(src, windowLimit(src.Size()), 0); err != nil {
			return 0, err
		}
	}
	for n < len(p) && err == nil {
		var b []byte
		b, _, err = s.next()
		n += copy(p[n:], b)
	}
	return n, err
}

// Open reads all of src, a file of one or several gzip members or zstd frames. One of neither is a layer.ErrFormat.
func Open(src layer.Source, env format.Env) (*Disk, error) {
	env = env.Ready()
	env.Warn = limited(env.Warn)
	name, err := readName(src)
	if err != nil {
		return nil, err
	}
	u := &unpacked{name: name, pieces: make(map[int64]*piece)}
	u.free.L = &u.lock
	switch name {
	case gzipName:
		err = u.openGzip(src, env)
	case zstdName:
		err = u.openZstd(src, env)
	default:
		err = fmt.Errorf("neither gzip nor zstd: %w", layer.ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	if u.size == 0 {
		return nil, fmt.Errorf("nothing is packed in it: %w", layer.ErrFormat)
	}
	return &Disk{u}, nil
}

// limited passes on the first warnings only, as a file may give cause for millions.
func limited(warn func(error)) func(error) {
	count := 0
	return func(err error) {
		if count++; count < maxWarnings {
			warn(err)
		} else if count == maxWarnings {
			warn(fmt.Errorf("%w (and more that is not told)", err))
		}
	}
}

// run makes the index by a pass of s, with a tail of so many bytes.
func (u *unpacked) run(s stream, tail int, total int64, env format.Env) error {
	x := newBuilder(env.Warn)
	x.keep = tail
	tell := func(at int64) { env.Progress.Tell("reading all of it once, MiB", layer.MiB(at), layer.MiB(total)) }
	err := x.pass(env.Context, s, tell)
	tell(total)
	u.index = &x.index
	return err
}

func (u *unpacked) openGzip(src layer.Source, env format.Env) error {
	u.limit = maxDecoders
	u.open = func() (stream, error) { return newMembers(src, chunkLen), nil }
	m := newMembers(src, chunkLen)
	m.verify = env.Warn
	return u.run(m, 0, src.Size(), env)
}

func (u *unpacked) openZstd(src layer.Source, env format.Env) error {
	table, window, err := seekTable(src)
	if err != nil {
		env.Warn(fmt.Errorf("%w: the whole file is unpacked instead", err))
	}
	whole := int64(0)
	if u.index = table; table != nil {
		whole = table.largest
	} else {
		f, err := newFrames(src, windowLimit(src.Size()), 0)
		if err != nil {
			return err
		}
		if err := u.run(f, tailLen, src.Size(), env); err != nil {
			return err
		}
		window = f.window
	}
	if u.largest > slowFrame {
		env.Warn(fmt.Errorf(slowFrames, u.largest))
	}
	window = min(max(window, 8<<20), maxWindow)
	u.limit = int(max(1, min(maxDecoders, decoderBytes/window)))
	u.open = func() (stream, error) { return newFrames(src, window, whole) }
	return nil
}

// Size is the disk's, in bytes.
func (d *Disk) Size() int64 { return d.data.size }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) { return layer.Read(d, p, off, layer.Fail) }

// At implements layer.Mapper.
func (d *Disk) At(off, n int64) (layer.Extent, error) {
	x := d.data.index
	n = layer.Clip(x.size, off, n)
	if i := sort.Search(len(x.damages), func(i int) bool { return x.damages[i].end > off }); i < len(x.damages) {
		if bad := x.damages[i]; bad.off <= off {
			return layer.Extent{Off: off, Len: min(n, bad.end-off)}, bad.err
		}
		n = min(n, x.damages[i].off-off)
	}
	if i := sort.Search(len(x.zeros), func(i int) bool { return x.zeros[i].end > off }); i < len(x.zeros) {
		if z := x.zeros[i]; z.off <= off {
			return layer.Extent{Off: off, Len: min(n, z.end-off), Kind: layer.Zero}, nil
		}
		n = min(n, x.zeros[i].off-off)
	}
	return layer.Extent{Off: off, Len: n, Kind: layer.Data, Base: d.data, BaseOff: off}, nil
}
