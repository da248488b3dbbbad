package report

import (
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
)

// Carved is what is known of a snapshot that was deleted, and how.
type Carved struct {
	Found       string       `json:"found"`       // by what its store was: record (of its file), header, table or range list
	Store       int64        `json:"store"`       // where the store begins on the volume that holds it, in bytes
	Order       string       `json:"order"`       // what tells that it is newer than the one before: catalog, bitmaps, lsn, file or guid; empty for the first
	Alone       bool         `json:"alone"`       // its place among other snapshots is not known, so that it is read by itself
	NotBefore   *string      `json:"not_before"`  // it was made after that, where its own time is not known
	Until       Until        `json:"until"`       // the end of copying
	Listed      bool         `json:"listed"`      // the store's file is still there: only the catalog has lost it
	Gap         bool         `json:"gap"`         // copies may be missing before the next snapshot, or up to now
	Table       *string      `json:"table"`       // why the list of its blocks may not be whole; null when it is
	Rows        int          `json:"rows"`        // blocks that the store kept
	Overwritten int          `json:"overwritten"` // of them, whose place has something else now
	Bytes       CarvedShares `json:"bytes"`       // of what the snapshot needs, by what they rest on
	Share       float64      `json:"share"`       // of them that is shown by default: kept, carved, proved and agreed
}

// Until tells how far copies were made.
type Until struct {
	LSN    uint64  `json:"lsn"`    // log sequence number, for certain; 0 when not known
	Agreed uint64  `json:"agreed"` // the same by all that tells
	Time   *string `json:"time"`   // not before; null when not known
	From   string  `json:"from"`   // what tells it
}

// CarvedShares are bytes by class.
type CarvedShares struct {
	Kept     int64 `json:"kept"`     // by a store that is not deleted, or as they are now without a gap in copying
	Carved   int64 `json:"carved"`   // by a deleted store, and not written over
	Proved   int64 `json:"proved"`   // as they are now: by sequence numbers their file was not written since
	Agreed   int64 `json:"agreed"`   // as they are now, by times or by what is probable
	Doubtful int64 `json:"doubtful"` // in clusters that no file has now
	Unknown  int64 `json:"unknown"`  // nowhere for certain
}

func carvedOf(p *points.Point) *Carved {
	if p.Carved == nil {
		return nil
	}
	f := p.Carved.Facts()
	r := &Carved{Found: f.Found, Store: f.Store, Order: f.Order.String(), Alone: f.Alone, Until: Until{LSN: f.LSN, Agreed: f.AgreedLSN, Time: timeOf(f.Time), From: f.From},
		Listed: f.Listed, Gap: f.Gap, Rows: f.Rows, Overwritten: f.Overwritten, Share: f.Shares.Shown(points.Agreed),
		Bytes: sharesOf(f.Shares)}
	if f.Damage != nil {
		r.Table = text(OneLine(f.Damage))
	}
	if p.Created().IsZero() {
		r.NotBefore = timeOf(p.Carved.NotBefore())
	}
	return r
}

func sharesOf(s points.Shares) CarvedShares { return CarvedShares{s[1], s[2], s[3], s[4], s[5], s[6]} }

// carveOptions are those that commands need to see the same deleted snapshots.
func carveOptions(s *points.Set) (words []string) {
	how, show, from := s.Carving()
	switch {
	case how == points.CarveOff:
		return nil
	case from != "":
		words = []string{"--carve-from", from}
	case how == points.CarveScan:
		words = []string{"--carve=scan"}
	default:
		words = []string{"--carve"}
	}
	if show != 0 && show != points.Agreed {
		words = append(words, "--carve-show", show.String())
	}
	return words
}

func timeOf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return text(t.UTC().Format(wintype.Layout7))
}
