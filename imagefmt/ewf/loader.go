package ewf

import (
	"fmt"
	"io/fs"
	"math"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// loader gathers what the sections of all segments say.
type loader struct {
	first  fileHeader
	told   func(error) // each fault
	claims []claim
	volume volume // that the claims settle on
	parts  []part
	closed bool // the segment that is the last by its own word is there
	header values
	newer  bool // the header is a header2
	info   format.Info
	stored format.Hashes
	hidden bool // a section of stored hashes is damaged
	faults []error
	later  []check // of sections that reading does without
}

// maxFaults is how many faults are kept.
const maxFaults = 1000

// warn tells of a fault.
func (l *loader) warn(err error) {
	l.told(err)
	if len(l.faults) < maxFaults {
		l.faults = append(l.faults, err)
	}
}

// ending is how a segment ends.
type ending int

const (
	endCut  ending = iota // without a section that says so
	endNext               // another segment follows
	endDone               // it is the last
)

// segments reads the first segment and all others, in the order of their own numbers.
func (l *loader) segments(src layer.Source, files *segmentFiles) error {
	for n := 1; ; {
		before := len(l.parts)
		end, err := l.segment(src, n)
		if err != nil {
			return fmt.Errorf("segment %d: %w", n, err)
		}
		l.info.Segments++
		if end == endDone {
			l.closed = true
			return nil
		}
		if end == endCut {
			l.lost("segment %d: ends without a section that closes it: the file is cut short", n)
			if at := len(l.parts) - 1; at == before { // nothing of it is there
				l.parts[at].segments = 1
			}
		}
		next, number, err := files.after(n)
		switch {
		case err != nil:
			return err
		case next == nil && end == endNext:
			l.lost("segment %d: %w", n+1, files.reason(n+1))
			return nil
		case next == nil:
			return nil
		}
		l.missing(n+1, number, files)
		n, src = number, next
	}
}

// missing notes that the segments from n up to end are not there.
func (l *loader) missing(n, end int, files *segmentFiles) {
	if n == end {
		return
	}
	l.parts = append(l.parts, part{lost: true, segments: end - n})
	for ; n < end; n++ {
		from, err := n, files.reason(n)
		for err == fs.ErrNotExist && n+1 < end && files.reason(n+1) == err {
			n++
		}
		if from < n {
			l.warn(fmt.Errorf("segments %d to %d: %w", from, n, err))
			continue
		}
		l.warn(fmt.Errorf("segment %d: %w", n, err))
	}
}

// lost tells of tables that cannot be had, however many.
func (l *loader) lost(format string, args ...any) {
	l.parts = append(l.parts, part{lost: true})
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
}

// warnf warns of something in this segment.
func (s *segment) warnf(format string, args ...any) {
	s.warn(fmt.Errorf("segment %d: "+format, append([]any{s.number}, args...)...))
}

// finish lays out the disk from what was gathered.
func (l *loader) finish(d *Disk) error {
	fromTables, err := l.settle()
	if err != nil {
		return err
	}
	v := l.volume
	d.chunkSize, d.sector = int64(v.sectors)*int64(v.bytes), int64(v.bytes)
	if v.total > math.MaxInt64/uint64(v.bytes) {
		return layer.Corrupt("volume section", 0, "%d sectors of %d bytes", v.total, v.bytes)
	}
	d.size = int64(v.total) * int64(v.bytes)
	need := l.volume.need()
	if need > maxChunks {
		return fmt.Errorf("%d chunks, want %d at most: %w", need, int64(maxChunks), layer.ErrUnsupported)
	}
	d.tables = l.place(need)
	d.prepare()
	if fromTables && need > 0 && d.isThere(need-1) {
		d.shorten(need - 1)
	}
	l.describe(d)
	d.unread = unread(l.info.ReadErrors, d.sector, d.size)
	d.faults, d.later, d.hidden = l.faults, l.later, l.hidden || !l.closed
	return nil
}
