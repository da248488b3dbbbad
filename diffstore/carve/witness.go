package carve

import (
	"cmp"
	"encoding/binary"
	"iter"
	"slices"
	"strings"
	"time"

	"snapmount/diffstore"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs/layout"
)

// Kind tells what a claim is of.
type Kind uint8

const (
	Content Kind = iota // of a file: written with a change of its records
	Record              // one file record of the $MFT, which has the number of its own last change
	Index               // index blocks of a directory, which have such numbers each
)

// indexBlock is the size of an index block, in bytes.
const indexBlock = 4096

// Unusable is the number of what can be written without one, or whose number is not known.
const Unusable = ^uint64(0)

// A Claim says who has a run of the volume.
type Claim struct {
	Off, Len int64
	LSN      uint64    // log sequence number of the last change of what owns it; 0 for none, or Unusable
	Changed  time.Time // the later one of the times of the last write and the last change
	Noted    time.Time // that of the last change, which few programs set; zero when not known
	Kind     Kind
	Number   uint64 // of the file record
	Open     bool   // it is of a kind that programs keep open, and write to without a trace
}

// Witness is what the file system of a volume says at one time of who has what of it. It is immutable once settled.
type Witness struct {
	Volume layer.Source      // whose file system it is
	Claims []Claim           // of records in use
	Freed  []Claim           // of records that are not in use any more
	Used   []diffstore.Range // what $Bitmap says is in use, in order
	Newest uint64            // greatest log sequence number of all records
	Dirty  bool              // the volume was in use when it was imaged
	Anew   bool              // the log has started anew: its sequence numbers tell nothing

	reach  []int64   // by freed claim: the end of all up to it
	marked []changed // by number, ascending
}

// changed is when what has a number was changed last.
type changed struct {
	lsn uint64
	at  time.Time
}

// Settle puts the claims in order. What two files claim proves nothing.
func (w *Witness) Settle() {
	w.Claims, w.Freed = apart(w.Claims), sorted(w.Freed)
	end := int64(0)
	for _, c := range w.Freed {
		end = max(end, c.Off+c.Len)
		w.reach = append(w.reach, end)
	}
	for _, c := range w.Claims {
		if c.LSN > 0 && c.LSN != Unusable && !c.Noted.IsZero() {
			w.marked = append(w.marked, changed{c.LSN, c.Noted})
		}
	}
	slices.SortFunc(w.marked, func(a, b changed) int { return cmp.Compare(a.lsn, b.lsn) })
	w.marked = slices.CompactFunc(w.marked, func(a, b changed) bool { return a.lsn == b.lsn })
}

// witnesses is how many changes tell together what the time was.
const witnesses = 64

// contradicts reports whether a claim was changed later than what got the last numbers up to lsn, although its number is
// among these: numbers that started anew after that do so.
func (w *Witness) contradicts(c *Claim, lsn uint64) bool {
	if c.LSN == 0 || c.LSN > lsn || c.Noted.IsZero() {
		return false
	}
	n, _ := slices.BinarySearchFunc(w.marked, lsn, func(a changed, lsn uint64) int {
		if a.lsn <= lsn {
			return -1
		}
		return 1
	})
	for _, m := range w.marked[n-min(n, witnesses, n/4+1) : n] {
		if !c.Noted.After(m.at) {
			return false
		}
	}
	return n > 0
}

// freedIn yields the claims of freed records that have something of [off, end).
func (w *Witness) freedIn(off, end int64) iter.Seq[*Claim] {
	return func(yield func(*Claim) bool) {
		i, _ := slices.BinarySearch(w.reach, off+1)
		for ; i < len(w.Freed) && w.Freed[i].Off < end; i++ {
			if c := &w.Freed[i]; c.Off+c.Len > off && !yield(c) {
				return
			}
		}
	}
}

func sorted(claims []Claim) []Claim {
	slices.SortFunc(claims, func(a, b Claim) int { return cmp.Compare(a.Off, b.Off) })
	return claims
}

// apart sorts claims and makes those unusable that overlap, cut so that they do not.
func apart(claims []Claim) (out []Claim) {
	for _, c := range sorted(claims) {
		n := len(out)
		if n == 0 || c.Off >= out[n-1].Off+out[n-1].Len {
			out = append(out, c)
			continue
		}
		last := &out[n-1]
		last.LSN = Unusable
		if over := last.Off + last.Len - c.Off; over < c.Len {
			c.Off, c.Len, c.LSN = c.Off+over, c.Len-over, Unusable
			out = append(out, c)
		}
	}
	return out
}

// at returns the claim that has off, or how far it is to the next one.
func at(claims []Claim, off int64) (c *Claim, free int64) {
	i, found := slices.BinarySearchFunc(claims, off, func(c Claim, off int64) int { return cmp.Compare(c.Off, off) })
	if !found {
		i--
	}
	if i >= 0 && off < claims[i].Off+claims[i].Len {
		return &claims[i], 0
	}
	if i+1 < len(claims) {
		return nil, claims[i+1].Off - off
	}
	return nil, 1 << 62
}

// used reports whether off is in use by $Bitmap, and how far that is so.
func (w *Witness) used(off int64) (in bool, n int64) {
	i, found := slices.BinarySearchFunc(w.Used, off, func(r diffstore.Range, off int64) int { return cmp.Compare(r.Off, off) })
	if !found {
		i--
	}
	if i >= 0 && off < w.Used[i].Off+w.Used[i].Len {
		return true, w.Used[i].Off + w.Used[i].Len - off
	}
	if i+1 < len(w.Used) {
		return false, w.Used[i+1].Off - off
	}
	return false, 1 << 62
}

// An until is the end of copying: no change up to it went without a copy.
type until struct {
	lsn    uint64    // up to it, for certain
	agreed uint64    // up to it, by all that tells
	time   time.Time // zero when not known
	from   string    // what tells it
}

// judge says what the witness proves of [off, off+n) since the end of copying, and of how much of it that holds: 1 at least.
func (w *Witness) judge(off, n int64, t until) (Trust, int64) {
	c, free := at(w.Claims, off)
	if c == nil {
		in, same := w.used(off)
		if n = min(n, free, same); in {
			return Lost, n
		}
		return Doubtful, n
	}
	n = min(n, c.Off+c.Len-off)
	lsn := c.LSN
	if c.Kind == Index {
		first := off - (off-c.Off)%indexBlock
		n = min(n, first+indexBlock-off)
		if own, ok := w.indexLSN(first); ok && (own > 0 || lsn == Unusable) {
			lsn = own
		} else if !ok {
			lsn = Unusable
		}
	}
	switch {
	case lsn == Unusable || w.contradicts(c, t.agreed):
		return Lost, n
	case lsn > 0 && lsn <= t.agreed:
		if lsn > t.lsn || (w.Dirty || c.Open) && c.Kind == Content {
			return Agreed, n
		}
		return Proved, n
	case lsn == 0 && !t.time.IsZero() && !c.Changed.IsZero() && !c.Changed.After(t.time):
		return Agreed, n
	}
	return Lost, n
}

// indexLSN returns the number of the index block at off.
func (w *Witness) indexLSN(off int64) (uint64, bool) {
	var b [16]byte
	if n, err := layer.Read(w.Volume, b[:], off, layer.Fail); n < len(b) || err != nil && n < len(b) || string(b[:4]) != "INDX" {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[8:]), true
}

// records yields the runs of the volume that hold file records, neighbours joined, and the number of the first in each.
func (w *Witness) records() (runs []recordRun) {
	for _, c := range w.Claims {
		if c.Kind != Record {
			continue
		}
		if n := len(runs); n > 0 && runs[n-1].Off+runs[n-1].Len == c.Off && runs[n-1].size == c.Len && runs[n-1].first+uint64(runs[n-1].Len/c.Len) == c.Number {
			runs[n-1].Len += c.Len
		} else {
			runs = append(runs, recordRun{diffstore.Range{Off: c.Off, Len: c.Len}, c.Len, c.Number})
		}
	}
	return runs
}

// recordRun is a run of file records.
type recordRun struct {
	diffstore.Range
	size  int64 // of a record, in bytes
	first uint64
}

// number of the record at off of the volume.
func (r recordRun) number(off int64) uint64 { return r.first + uint64((off-r.Off)/r.size) }

// What a file record begins with, and its attributes $STANDARD_INFORMATION and $FILE_NAME.
const (
	standardInformation = 0x10
	fileName            = 0x30
	nameAt              = 0x40 // in the value of $FILE_NAME: how many units, and two bytes behind, the name
	storeSuffix         = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
)

// changeTime returns the time of the last change of a file record, with its update sequence still in place; zero for those of
// the files of VSS, which change when a snapshot has been made already.
func changeTime(b []byte) (t time.Time) {
	var r layout.FileRecord
	r.Decode(b)
	for at := int(r.First); at+layout.ResidentLen <= len(b); {
		var a layout.Attribute
		a.Decode(b[at:])
		if a.Type == layout.EndMarker || a.Len < layout.ResidentLen || int64(at)+int64(a.Len) > int64(len(b)) {
			break
		}
		var in layout.Resident
		in.Decode(b[at:])
		value := b[min(at+int(in.ValueOff), at+int(a.Len)):][:max(0, int(a.Len)-int(in.ValueOff))]
		switch {
		case a.NonResident != 0:
		case a.Type == standardInformation && len(value) >= 24:
			t = wintype.Filetime(binary.LittleEndian.Uint64(value[16:])).Time()
		case a.Type == fileName && len(value) > nameAt+2:
			name := wintype.DecodeUTF16(value[nameAt+2:][:min(2*int(value[nameAt]), (len(value)-nameAt-2)&^1)])
			if strings.HasSuffix(strings.ToLower(name), storeSuffix) || name == "System Volume Information" {
				return time.Time{}
			}
		}
		at += int(a.Len)
	}
	return t
}

const (
	lsnOffset    = 0x08
	numberOffset = 0x2c
)

// lsnOf returns the log sequence number of a file record, if b is that of this number.
func lsnOf(b []byte, number uint64) (lsn uint64, ok bool) {
	if len(b) < 0x30 || string(b[:4]) != "FILE" || uint64(binary.LittleEndian.Uint32(b[numberOffset:])) != number&0xffffffff {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[lsnOffset:]), true
}
