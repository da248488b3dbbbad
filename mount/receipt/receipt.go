// Package receipt is the record of a restore: what was restored, from where and when, with the SHA-256 of each file and
// what is known of the images, in one JSON document of its own Schema.
//
// A receipt is written while the work is done and gets its name when it is complete: of work that is killed there is
// none. Its items are in the order of the walk, however many files are written at once. Receipt is the document as a program
// reads it; Writer writes it, and holds no more of its items than where they are.
package receipt

import (
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/ntfs/restore"
)

// Schema is the version of the document: it grows when a field changes its name or meaning.
const Schema = 1

// Receipt is the whole document.
type Receipt struct {
	Head
	Items []Item `json:"items"` // in the order of the walk
	End
}

// Head is what a receipt begins with.
type Head struct {
	Schema int    `json:"schema"` // the version of the receipt, which counts by itself
	Tool   string `json:"tool"`   // program and version
	About
	Started   string   `json:"started"`     // RFC 3339, UTC, as all times
	Locations []string `json:"locations"`   // as they were given
	Target    string   `json:"target"`      // directory or archive
	To        string   `json:"to"`          // dir, tar or zip
	Zone      string   `json:"zone"`        // that times in Locations and options without a zone were read in
	Images    []Image  `json:"images"`      // that were opened
	HostFiles []File   `json:"image_files"` // of this machine, which the images are made of
	Points    []Point  `json:"points"`      // that something came from
}

// About is what who does the work says of it.
type About struct {
	Case     string `json:"case,omitempty"`     // name or number, by --case
	Examiner string `json:"examiner,omitempty"` // by --examiner
	Notes    string `json:"notes,omitempty"`    // by --notes
}

// Image is one image, and the hashes that an E01 keeps of itself.
type Image struct {
	Path   string `json:"path"`                  // as it was named
	Format string `json:"format"`                // such as qcow2
	Size   int64  `json:"size"`                  // bytes of the disk
	MD5    string `json:"stored_md5,omitempty"`  // of the disk, as the image keeps it
	SHA1   string `json:"stored_sha1,omitempty"` // likewise
}

// File tells a file of an image from others, without reading all of it.
type File struct {
	Path     string `json:"path"`         // on this machine
	Size     int64  `json:"size"`         // bytes
	Modified string `json:"modified"`     // as this machine has it
	Edges    string `json:"sha256_edges"` // of the first 64 KiB and the last 64 KiB, in a row; of all of a smaller file
}

// Point is a point in time that something was restored from.
type Point struct {
	Origin  string  `json:"origin"`  // IMAGE:VOLUME@POINT
	Image   string  `json:"image"`   // as it was named
	Volume  string  `json:"volume"`  // its name
	Serial  string  `json:"serial"`  // of the volume
	Point   string  `json:"point"`   // its name
	Created *string `json:"created"` // null for the current state
	CopyID  *string `json:"copy_id"` // of the shadow copy; null for the current state
	SetID   *string `json:"set_id"`  // of the shadow copy set

	UnlockedBy *report.Unlocker `json:"unlocked_by,omitempty"` // what opened the volume, which BitLocker encrypts; nothing of a key
}

// Item is a file, directory or link.
type Item struct {
	Path     report.Name   `json:"path"`                        // below the target
	Origin   string        `json:"origin"`                      // of one of the points
	Ref      string        `json:"ref"`                         // MFT record and sequence number
	Stream   report.Name   `json:"stream,omitempty"`            // its name, of a named stream
	Type     string        `json:"type"`                        // file, dir, link or stream
	Size     int64         `json:"size"`                        // bytes of content
	SHA256   string        `json:"sha256,omitempty"`            // of what was written
	Verdict  string        `json:"verdict,omitempty"`           // whether all content is in the image, by its tables
	Ranges   []report.Gap  `json:"ranges,omitempty"`            // of the verdict
	Trust    points.Trust  `json:"trust,omitempty"`             // what a file of a deleted snapshot rests on: kept, carved, proved, agreed, doubtful or unknown
	Result   string        `json:"result"`                      // restored, skipped (was there, and is right), aside (a link, in the sidecar alone), incomplete, failed, or left-out (of the snapshot by Windows)
	Error    string        `json:"error,omitempty"`             // why it failed
	Link     *report.Name  `json:"link,omitempty"`              // what the symbolic link leads to; not of links that the target has otherwise
	Mapped   report.Name   `json:"mapped,omitempty"`            // the name on the volume
	Missing  []restore.Gap `json:"missing,omitempty"`           // ranges that read as zeros
	Metadata []string      `json:"metadata_not_held,omitempty"` // what of the metadata the target does not hold
	Time     string        `json:"time"`                        // when it was done

	LastGood *report.AttackFile `json:"last_good,omitempty"` // with --last-good, the file, and why this version of it was taken
}

// End is what became of all.
type End struct {
	Finished string `json:"finished"`           // when the work ended
	Complete bool   `json:"complete"`           // all was tried and nothing failed, and no volume or point was out of reach
	Files    int64  `json:"files"`              // restored
	Dirs     int64  `json:"directories"`        // restored
	Links    int64  `json:"links"`              // restored
	Bytes    int64  `json:"bytes"`              // of the files restored
	Skipped  int64  `json:"skipped"`            // items that were there already
	Aside    int64  `json:"aside,omitempty"`    // links that the target did not take: in the sidecar alone
	Failed   int64  `json:"failed"`             // items that were not restored, or not in full
	LeftOut  int64  `json:"left_out,omitempty"` // of their content Windows leaves some out of snapshots on purpose, and nothing else is missing
	Error    string `json:"error,omitempty"`    // why it ended early
}

// Add counts an item. apart is as for Writer.Add.
func (e *End) Add(res *restore.Result, apart bool) {
	switch {
	case apart:
		e.LeftOut++
	case res.Err != nil, len(res.Gaps) > 0:
		e.Failed++
	}
	switch {
	case res.Err != nil:
	case res.Skipped:
		if res.Type != "dir" { // one may be met from several sources
			e.Skipped++
		}
	case res.Aside:
		e.Aside++
	case res.Type == "dir":
		e.Dirs++
	case res.Type == "link":
		e.Links++
	default:
		e.Files++
		e.Bytes += res.Size
	}
}
