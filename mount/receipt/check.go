package receipt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/layer"
	"snapmount/mount/report"
	"snapmount/ntfs/restore"
)

// Check is what became of files and images since a receipt was written, as "verify --json" gives it.
type Check struct {
	Schema   int       `json:"schema"`       // of receipts
	Receipt  string    `json:"receipt"`      // its file
	Target   string    `json:"target"`       // the directory that was looked at
	Complete bool      `json:"complete"`     // what the receipt says of the restore
	Files    int64     `json:"files"`        // whose content is as in the receipt, by its hash
	Sized    int64     `json:"files_sized"`  // of which the receipt has no hash: their size is as in it
	Dirs     int64     `json:"directories"`  // that are there
	Links    int64     `json:"links"`        // that lead where the receipt says, or are there where it does not say it
	Images   int64     `json:"image_files"`  // whose size and both ends are as in the receipt
	Failed   int64     `json:"not_restored"` // by the receipt: nothing is concluded of them
	Findings []Finding `json:"findings"`     // what differs, or cannot be compared
}

// Finding is something that differs, or that cannot be compared.
type Finding struct {
	Result string      `json:"result"`           // missing, differs, extra (in a directory that the restore made) or unknown
	Path   report.Name `json:"path"`             // below the target; of a file of an image as the receipt has it
	Image  bool        `json:"image,omitempty"`  // Path is of an image
	Detail string      `json:"detail,omitempty"` // what it is and what the receipt has, or why it is unknown
}

// The words of Finding.Result.
const (
	Missing = "missing"
	Differs = "differs"
	Extra   = "extra"
	Unknown = "unknown"
)

// Counts gives how many findings differ, and how many could not be compared.
func (c *Check) Counts() (differ, unknown int) {
	for _, f := range c.Findings {
		if f.Result == Unknown {
			unknown++
		} else {
			differ++
		}
	}
	return differ, unknown
}

// A checker holds a receipt against a directory.
type checker struct {
	*Check
	ctx      context.Context
	doc      *Document
	root     *os.Root
	progress layer.Progress
	made     []string // directories that the restore made
	several  map[key]*Finding
	done     int64
}

// Against looks at the files of a receipt below a directory, which is that of the restore where it is empty, and at the
// files of the images where they were. The error is of the context, the directory or the receipt.
func (d *Document) Against(ctx context.Context, dir string, progress layer.Progress) (*Check, error) {
	if dir == "" {
		dir = d.Target
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	c := &checker{Check: &Check{Schema: Schema, Receipt: d.name, Target: dir, Complete: d.Complete, Findings: []Finding{}}, ctx: ctx, doc: d, root: root,
		progress: progress, several: map[key]*Finding{}}
	defer progress.Tell("", 0, 0)
	if _, _, err := d.parse(c.item); err != nil {
		return nil, err
	}
	first := len(c.Findings)
	for _, f := range c.several {
		if f != nil {
			c.Findings = append(c.Findings, *f)
		}
	}
	slices.SortFunc(c.Findings[first:], func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	for _, name := range c.made {
		c.extra(name)
	}
	for _, f := range d.HostFiles {
		c.image(f)
	}
	return c.Check, context.Cause(ctx)
}

// item looks at one item.
func (c *checker) item(item *Item) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	c.done++
	c.progress.Tell("items of "+c.doc.name, c.done, int64(c.doc.Count))
	if item.Error != "" {
		c.Failed++
		return nil
	}
	f := c.compare(item)
	k := keyOf(string(item.Path))
	if !c.doc.has[k] {
		if f != nil {
			c.Findings = append(c.Findings, *f)
		}
		return context.Cause(c.ctx)
	}
	if before, met := c.several[k]; !met || before != nil { // of several that went to one path, one is there
		c.several[k] = f
	}
	return context.Cause(c.ctx)
}

// compare counts an item that is as it should be, or says what is not.
func (c *checker) compare(item *Item) *Finding {
	found := func(result, detail string, args ...any) *Finding {
		return &Finding{Result: result, Path: item.Path, Detail: fmt.Sprintf(detail, args...)}
	}
	name := filepath.FromSlash(string(item.Path))
	if !filepath.IsLocal(name) {
		return found(Unknown, "a path that leads out of the directory")
	}
	info, err := c.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && item.Result == "aside":
		c.Failed++
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return found(Missing, "")
	case err != nil:
		return found(Unknown, "%s", report.OneLine(err))
	case item.Type == "dir" && info.IsDir():
		c.Dirs++
		if item.Result == "restored" {
			c.made = append(c.made, string(item.Path))
		}
		return nil
	case item.Type == "link" && item.Link != nil:
		return c.link(item, name, info)
	case item.Type == "link" && !info.Mode().IsRegular(): // a link of Windows may be a directory elsewhere
		c.Links++
		return nil
	case item.Type != "file" || !info.Mode().IsRegular():
		return found(Differs, "is no %s", item.Type)
	case item.Result == "skipped" && item.SHA256 == "": // what was there was left alone, and is not known
		c.Failed++
		return nil
	case info.Size() != item.Size:
		return found(Differs, "%d bytes, want %d", info.Size(), item.Size)
	case item.SHA256 == "":
		c.Sized++
		return nil
	}
	sum, err := c.hash(name)
	switch {
	case err != nil:
		return found(Unknown, "%s", report.OneLine(err))
	case sum != item.SHA256:
		return found(Differs, "sha256 %s, want %s", sum, item.SHA256)
	}
	c.Files++
	return nil
}

// link compares where a symbolic link leads.
func (c *checker) link(item *Item, name string, info fs.FileInfo) *Finding {
	f := &Finding{Result: Differs, Path: item.Path, Detail: "is no symbolic link"}
	if info.Mode()&fs.ModeSymlink == 0 {
		return f
	}
	switch text, err := c.root.Readlink(name); {
	case err != nil:
		f.Result, f.Detail = Unknown, report.OneLine(err)
	case text != string(*item.Link):
		f.Detail = fmt.Sprintf("leads to %q, want %q", text, string(*item.Link))
	default:
		c.Links++
		return nil
	}
	return f
}

// hash reads a file.
func (c *checker) hash(name string) (string, error) {
	f, err := c.root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, b := sha256.New(), make([]byte, 1<<20)
	for c.ctx.Err() == nil {
		n, err := f.Read(b)
		sum.Write(b[:n])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", context.Cause(c.ctx)
}

// extra finds what is in a directory that the restore made and not in the receipt.
func (c *checker) extra(dir string) {
	d, err := c.root.Open(filepath.FromSlash(dir))
	if err == nil {
		var entries []fs.DirEntry
		entries, err = d.ReadDir(-1)
		err = errors.Join(err, d.Close())
		for _, e := range entries {
			name := path.Join(dir, e.Name())
			if _, known := c.doc.has[keyOf(name)]; !known && !c.isNote(name) {
				c.Findings = append(c.Findings, Finding{Result: Extra, Path: report.Name(name)})
			}
		}
	}
	if err != nil {
		c.Findings = append(c.Findings, Finding{Result: Unknown, Path: report.Name(dir), Detail: report.OneLine(err)})
	}
}

// isNote reports whether a file is the note of an item that tells which ranges are lost.
func (c *checker) isNote(name string) bool {
	of, ok := strings.CutSuffix(name, restore.RangesEnd)
	if !ok {
		return false
	}
	_, known := c.doc.has[keyOf(of)]
	if i := strings.LastIndexByte(of, '~'); !known && i > 0 {
		_, known = c.doc.has[keyOf(of[:i])]
	}
	return known
}

// image compares a file of an image with what the receipt says of it.
func (c *checker) image(want File) {
	f := Finding{Path: report.Name(want.Path), Image: true, Result: Differs}
	var got File
	info, err := device.Stat(want.Path)
	if err == nil && !info.Mode().IsRegular() && !device.IsDisk(info.Mode()) {
		err = errors.New("is neither a file nor a disk") // to open a pipe would wait without end
	}
	if err == nil {
		got, err = fileOf(want.Path)
	}
	switch {
	case err != nil:
		f.Result, f.Detail = Unknown, report.OneLine(err)
	case got.Size != want.Size:
		f.Detail = fmt.Sprintf("%d bytes, want %d", got.Size, want.Size)
	case got.Edges != want.Edges:
		f.Detail = fmt.Sprintf("sha256 %s of its first and last 64 KiB, want %s", got.Edges, want.Edges)
	case got.Modified != want.Modified:
		f.Result = Unknown
		f.Detail = fmt.Sprintf("modified at %s, was %s: size and both ends are the same, what is between cannot be told", got.Modified, want.Modified)
	default:
		c.Images++
		return
	}
	c.Findings = append(c.Findings, f)
}
