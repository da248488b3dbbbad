package cmd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

// receiptHead is what a receipt begins with. "items", a receiptItem each, and a receiptEnd follow.
type receiptHead struct {
	Schema    int            `json:"schema"`
	Tool      string         `json:"tool"`
	Started   string         `json:"started"` // RFC 3339, UTC, as all times
	Locations []string       `json:"locations"`
	Target    string         `json:"target"`
	To        string         `json:"to"` // dir, tar or zip
	Images    []receiptImage `json:"images"`
	HostFiles []receiptFile  `json:"image_files"` // of this machine, which the images are made of
	Points    []receiptPoint `json:"points"`
}

type receiptImage struct {
	Path   string `json:"path"`
	Format string `json:"format"`
	Size   int64  `json:"size"` // bytes of the disk
	MD5    string `json:"stored_md5,omitempty"`
	SHA1   string `json:"stored_sha1,omitempty"` // that an E01 keeps of itself
}

// receiptFile tells a file of an image from others, without reading all of it.
type receiptFile struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Modified string `json:"modified"`
	Edges    string `json:"sha256_edges"` // of the first 64 KiB and the last 64 KiB, in a row; of all of a smaller file
}

type receiptPoint struct {
	Origin  string  `json:"origin"`
	Image   string  `json:"image"`
	Volume  string  `json:"volume"`
	Serial  string  `json:"serial"` // of the volume
	Point   string  `json:"point"`
	Created *string `json:"created"` // null for the current state
	CopyID  *string `json:"copy_id"`
	SetID   *string `json:"set_id"`
}

// receiptItem is a file, directory or link.
type receiptItem struct {
	Path     name          `json:"path"` // below the target
	Origin   string        `json:"origin"`
	Ref      string        `json:"ref"` // MFT record and sequence number
	Stream   name          `json:"stream,omitempty"`
	Type     string        `json:"type"`
	Size     int64         `json:"size"`
	SHA256   string        `json:"sha256,omitempty"`  // of what was written
	Verdict  string        `json:"verdict,omitempty"` // whether all content is in the image, by its tables
	Ranges   []rangeJSON   `json:"ranges,omitempty"`  // of the verdict
	Result   string        `json:"result"`            // restored, skipped (was there, and is right), incomplete or failed
	Error    string        `json:"error,omitempty"`
	Mapped   name          `json:"mapped,omitempty"`  // the name on the volume
	Missing  []restore.Gap `json:"missing,omitempty"` // ranges that read as zeros
	Metadata []string      `json:"metadata_not_held,omitempty"`
	Time     string        `json:"time"`
}

type receiptEnd struct {
	Finished string `json:"finished"`
	Complete bool   `json:"complete"` // all was tried, and nothing failed
	Files    int64  `json:"files"`
	Dirs     int64  `json:"directories"`
	Links    int64  `json:"links"`
	Bytes    int64  `json:"bytes"`
	Skipped  int64  `json:"skipped"`
	Failed   int64  `json:"failed"`
	Error    string `json:"error,omitempty"` // why it ended early
}

// A receipt is written while the work is done.
type receipt struct {
	r        *restorer
	file     *restore.File
	verdicts sync.Map // of files of several names, by verdictKey

	mu    sync.Mutex
	out   *bufio.Writer
	items int
	err   error
}

func newReceipt(r *restorer, locations []string, dest string) (*receipt, error) {
	h := receiptHead{Schema: 1, Tool: "snapmount " + buildVersion(), Started: now(), Locations: locations, Target: dest, To: r.to}
	if dest != "-" {
		if full, err := filepath.Abs(dest); err == nil {
			h.Target = full
		}
	}
	var err error
	if h.Images, h.HostFiles, err = receiptImages(r.sets); err != nil {
		return nil, err
	}
	for _, c := range r.chosen {
		if !slices.ContainsFunc(h.Points, func(p receiptPoint) bool { return p.Origin == c.origin }) {
			h.Points = append(h.Points, pointReceipt(c))
		}
	}
	head, err := json.MarshalIndent(h, "", " ")
	if err != nil {
		return nil, err
	}
	p := &receipt{r: r}
	if p.file, err = restore.Create(r.receipt, r.opts.Overwrite == restore.Always || r.opts.Resume); err != nil {
		return nil, err
	}
	p.out = bufio.NewWriter(p.file)
	_, p.err = fmt.Fprintf(p.out, "%s,\n \"items\": [", bytes.TrimSuffix(head, []byte("\n}")))
	return p, nil
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }

func receiptImages(sets []*points.Set) (images []receiptImage, files []receiptFile, err error) {
	for _, s := range sets {
		for _, img := range s.Images {
			one := receiptImage{Path: img.Path, Format: img.Disk.Format(), Size: img.Disk.Size()}
			if e := img.Disk.Evidence(); e != nil {
				one.MD5, one.SHA1 = e.Stored().MD5, e.Stored().SHA1
			}
			images = append(images, one)
		}
		for _, name := range s.HostFiles() {
			if slices.ContainsFunc(files, func(f receiptFile) bool { return f.Path == name }) {
				continue
			}
			f, err := fileReceipt(name)
			if err != nil {
				return nil, nil, err
			}
			files = append(files, f)
		}
	}
	return images, files, nil
}

// fileReceipt reads both ends of a file.
func fileReceipt(name string) (receiptFile, error) {
	f, err := os.Open(name)
	if err != nil {
		return receiptFile{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return receiptFile{}, err
	}
	size, err := f.Seek(0, io.SeekEnd) // of a device, too
	if err != nil {
		return receiptFile{}, err
	}
	const edge = 64 << 10
	h := sha256.New()
	for _, part := range [][2]int64{{0, min(edge, size)}, {max(size-edge, min(edge, size)), size}} {
		if _, err := io.Copy(h, io.NewSectionReader(f, part[0], part[1]-part[0])); err != nil {
			return receiptFile{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return receiptFile{name, size, info.ModTime().UTC().Format(wintype.Layout7), hex.EncodeToString(h.Sum(nil))}, nil
}

func pointReceipt(c *chosen) receiptPoint {
	v := c.point.Volume
	p := receiptPoint{Origin: c.origin, Image: v.Image.Path, Volume: v.Name, Serial: fmt.Sprintf("%016x", c.node.Tree().Serial()), Point: c.point.Name}
	if s := c.point.Snapshot; s != nil {
		p.CopyID, p.SetID = text(s.CopyID.String()), text(s.SetID.String())
		if !s.Created.IsZero() {
			p.Created = text(s.Created.UTC().Format(wintype.Layout7))
		}
	}
	return p
}

// add writes an item.
func (p *receipt) add(res *restore.Result) {
	item := receiptItem{Path: name(res.Path), Origin: res.Origin, Ref: res.Ref.String(), Stream: name(res.Stream), Type: res.Type, Size: res.Size, SHA256: res.SHA256,
		Result: "restored", Mapped: name(res.Mapped), Missing: res.Gaps, Metadata: res.Lost, Time: now()}
	switch {
	case res.Err != nil:
		item.Result, item.Error = "failed", oneLine(res.Err)
	case len(res.Gaps) > 0:
		item.Result = "incomplete"
	case res.Skipped:
		item.Result = "skipped"
	}
	if res.Type == "file" {
		v, known := p.verdict(res)
		if known && !(v.Intact() && (item.Error != "" || len(res.Gaps) > 0)) { // by the tables alone
			item.Verdict, item.Ranges = v.String(), rangesOf(v)
		}
	}
	b, err := json.Marshal(item)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	if p.err != nil {
		return
	}
	if p.items++; p.items > 1 {
		_ = p.out.WriteByte(',') // a bufio.Writer keeps its error
	}
	_, p.err = p.out.Write(append([]byte("\n  "), b...))
}

// verdict looks at the tables again: with --unknown, what a file was given in place of what is lost is no gap. That of a
// file of several names is kept. It is not known of what comes from no point.
func (p *receipt) verdict(res *restore.Result) (v points.Verdict, known bool) {
	key := verdictKey{res.Origin, res.Ref, res.Stream}
	if v, ok := p.verdicts.Load(key); ok {
		return v.(points.Verdict), true
	}
	point := p.r.origins[res.Origin]
	if point == nil {
		return v, false
	}
	t, err := point.Files()
	if err != nil {
		return points.Verdict{Err: err}, true
	}
	n, err := t.Node(res.Ref)
	if err != nil {
		return points.Verdict{Err: err}, true
	}
	if res.Stream != "" || n.HasData || n.Damage != nil {
		v = points.Judge(n, res.Stream)
	}
	if n.Links > 1 {
		p.verdicts.Store(key, v)
	}
	return v, true
}

type verdictKey struct {
	origin string
	ref    ntfs.Ref
	stream string
}

// close ends the receipt; err is why the work ended early.
func (p *receipt) close(done *restoreReport, err error) error {
	e := receiptEnd{Finished: now(), Complete: err == nil && done.failed == 0, Files: done.files, Dirs: done.dirs, Links: done.links,
		Bytes: done.bytes, Skipped: done.skipped, Failed: done.failed}
	if err != nil {
		e.Error = oneLine(err)
	}
	b, err := json.MarshalIndent(e, "", " ")
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, "\n ],\n%s\n", bytes.TrimPrefix(b, []byte("{\n")))
	}
	if p.err == nil {
		p.err = p.out.Flush()
	}
	if p.err != nil {
		_ = p.file.Abort() // what went wrong before says more
		return p.err
	}
	return p.file.Commit()
}
