package ewf

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// loader gathers what the sections of all segments say.
type loader struct {
	first  fileHeader
	warn   func(error)
	volume volume // of the first section that is whole; bytes is 0 without one
	tables []table
	// A table that cannot be read leaves the place of those behind it unknown, unless all others are there: then it
	// held what they leave over. gap counts such tables, and behind is the index of the first table after the first.
	gap, behind int
	header      values
	newer       bool // the header is a header2
	info        format.Info
	stored      format.Hashes
}

// ending is how a segment ends.
type ending int

const (
	endCut  ending = iota // without a section that says so
	endNext               // another segment follows
	endDone               // it is the last
)

// segments reads the first segment and all that follow it.
func (l *loader) segments(src layer.Source, env format.Env) error {
	for n := 1; ; n++ {
		end, err := l.segment(src, n)
		if err != nil {
			return fmt.Errorf("segment %d: %w", n, err)
		}
		if l.info.Segments = n; end == endDone {
			return nil
		}
		if end == endCut {
			l.lost("segment %d: ends without a section that closes it: the file is cut short", n)
		}
		if src, err = l.next(n+1, env, end == endNext); src == nil || err != nil {
			return err
		}
	}
}

// next opens a segment, which the one before may have promised; nil when it is not there or not of this image.
func (l *loader) next(n int, env format.Env, promised bool) (layer.Source, error) {
	src, err := openSegment(n, env)
	if errors.Is(err, fs.ErrNotExist) {
		if promised {
			l.lost("segment %d: %w", n, err)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("segment %d: %w", n, err)
	}
	h, err := readFileHeader(src)
	switch {
	case err != nil:
		l.lost("segment %d: %w", n, err)
	case h.number != n || h.version != l.first.version || h.set != l.first.set:
		l.lost("segment %d: is segment %d of another image", n, h.number)
	default:
		return src, nil
	}
	return nil, nil
}

// lost tells of tables that cannot be had, however many.
func (l *loader) lost(format string, args ...any) {
	if l.gap == 0 || l.behind != len(l.tables) {
		l.gap++
	}
	if l.gap == 1 {
		l.behind = len(l.tables)
	}
	l.warn(fmt.Errorf(format, args...))
}

// segment reads the sections of one segment.
func (l *loader) segment(src layer.Source, n int) (ending, error) {
	s := segment{loader: l, src: src, number: n}
	if l.first.version == 2 {
		return s.walk2()
	}
	return s.walk1(), nil
}

// segment is one segment file while its sections are read.
type segment struct {
	*loader
	src    layer.Source
	number int
	low    int64 // chunks of the next table are not before it
	held   heldTable
	// The section before a table was not found. Where its first chunk is not just behind the descriptor that must have
	// been there, a table may be missing.
	resynced bool
	other    bool // it describes another disk than the first segment
}

// warnf warns of something in this segment.
func (s *segment) warnf(format string, args ...any) {
	s.warn(fmt.Errorf("segment %d: "+format, append([]any{s.number}, args...)...))
}

// finish lays out the disk from what was gathered.
func (l *loader) finish(d *Disk) error {
	v := l.volume
	if v.bytes == 0 {
		return layer.Corrupt("volume section", 0, "none is there that is whole")
	}
	d.chunkSize = int64(v.sectors) * int64(v.bytes)
	if v.total == 0 {
		v.total = l.countSectors(int64(v.sectors))
	}
	if v.total > math.MaxInt64/uint64(v.bytes) {
		return layer.Corrupt("volume section", 0, "%d sectors of %d bytes", v.total, v.bytes)
	}
	d.size = int64(v.total) * int64(v.bytes)
	need := (d.size + d.chunkSize - 1) / d.chunkSize
	if need > maxChunks {
		return fmt.Errorf("%d chunks, want %d at most: %w", need, int64(maxChunks), layer.ErrUnsupported)
	}
	d.tables = l.place(need)
	l.describe(d)
	return nil
}

// countSectors is for an image that does not say how large the disk is, as of an acquisition that was broken off.
func (l *loader) countSectors(perChunk int64) uint64 {
	var n int64
	for _, t := range l.tables {
		n += t.count
	}
	l.warn(fmt.Errorf("volume section: no number of sectors: taken from %d chunks", n))
	return uint64(n * perChunk)
}

// place says which chunks each table is of, and drops what is past the end of the disk.
func (l *loader) place(need int64) []table {
	if l.first.version == 2 {
		return l.placed(need)
	}
	var sum int64
	for _, t := range l.tables {
		sum += t.count
	}
	if l.gap > 1 || l.gap == 1 && sum > need {
		l.tables = l.tables[:l.behind]
	}
	next := int64(0)
	for i := range l.tables {
		if l.gap > 0 && i == l.behind {
			next += need - sum
		}
		l.tables[i].first = next
		next += l.tables[i].count
	}
	return l.placed(need)
}

// placed drops what tables say past the end of the disk or again, and warns of what none says.
func (l *loader) placed(need int64) []table {
	var kept []table
	next, missing := int64(0), int64(0)
	for _, t := range l.tables {
		if t.first >= need || t.count > need-t.first {
			l.warn(fmt.Errorf("table of chunks %d to %d: the disk has only %d", t.first, t.first+t.count-1, need))
			t.count = max(0, need-t.first)
		}
		if t.first < next && t.count > 0 {
			l.warn(fmt.Errorf("table of chunks %d to %d: chunks before %d are in another already", t.first, t.first+t.count-1, next))
			t.count = 0
		}
		if t.count > 0 {
			missing += t.first - next
			next = t.first + t.count
			kept = append(kept, t)
		}
	}
	if missing += need - next; missing > 0 {
		l.warn(fmt.Errorf("%d of %d chunks of the disk are not in the image and cannot be read", missing, need))
	}
	return kept
}
