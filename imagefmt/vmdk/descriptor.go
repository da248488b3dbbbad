package vmdk

import (
	"fmt"
	"strconv"
	"strings"

	"snapmount/imagefmt/layer"
)

const (
	maxDescriptor = 4 << 20 // bytes; 2 GiB pieces of 64 TiB take half of it
	noParent      = 0xffffffff
	maxSectors    = 1 << 53 // so that sums of two offsets in bytes fit into an int64
)

// descriptor is the text that describes a disk.
type descriptor struct {
	cid, parentCID uint32
	parentHint     string // path of the parent, "" for none
	parentOther    string // what that is, too, if its encoding is not what is said; "" for nothing else
	encryption     string // the key that tells of it, "" for none
	lines          []extentLine
}

// extentLine is one line of the extent description: access, size, type, name and offset.
type extentLine struct {
	access  string // RW, RDONLY, NOACCESS
	sectors uint64
	kind    string // FLAT, SPARSE, ZERO, VMFS, ...
	name    string // of the file
	other   string // what the name is, too, if its encoding is not what is said; "" for nothing else
	offset  uint64 // sectors, in the file; of flat extents
}

// isDescriptor reports whether a text begins as a descriptor does. All programs write the keys of its header, and each a
// comment of its own before them, or none.
func isDescriptor(text string) bool {
	text, _, _ = strings.Cut(withoutMark(text), "\x00")
	if low := strings.ToLower(text); strings.HasPrefix(low, "# disk descriptor") || strings.HasPrefix(low, "#disk descriptor") {
		return true
	}
	keys := make(map[string]bool)
	for line := range strings.Lines(text) {
		key, _, _ := strings.Cut(line, "=")
		keys[strings.ToLower(strings.TrimSpace(key))] = true
	}
	return keys["version"] && (keys["createtype"] || keys["cid"])
}

// parseDescriptor reads the text up to a zero. at is where it begins in its file. What it does not know it skips, but
// never a line of an extent.
func parseDescriptor(text string, at int64) (descriptor, error) {
	text, _, _ = strings.Cut(withoutMark(text), "\x00")
	d := descriptor{parentCID: noParent}
	encoding := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
		switch strings.ToUpper(word) {
		case "RW", "RDONLY", "NOACCESS":
			x, err := parseExtent(line)
			if err != nil {
				return d, layer.Corrupt("descriptor", at, "%w", err)
			}
			d.lines = append(d.lines, x)
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"`)
		if strings.EqualFold(key, "encoding") {
			encoding = value
		} else if err := d.set(key, value); err != nil {
			return d, layer.Corrupt("descriptor", at, "%w", err)
		}
	}
	from := encodingOf(encoding)
	d.parentHint, d.parentOther = inUTF8(d.parentHint, from)
	for i, x := range d.lines {
		d.lines[i].name, d.lines[i].other = inUTF8(x.name, from)
	}
	return d, nil
}

// set takes one key of the header or the disk database.
func (d *descriptor) set(key, value string) (err error) {
	switch strings.ToLower(key) {
	case "cid":
		d.cid, err = parseCID(key, value)
	case "parentcid":
		d.parentCID, err = parseCID(key, value)
	case "parentfilenamehint":
		d.parentHint = value
	case "encryptionkeys", "keyid":
		d.encryption = key
	case "ddb.iofilters":
		if strings.Contains(value, "vmwarevmcrypt") {
			d.encryption = value
		}
	}
	return err
}

func parseCID(key, value string) (uint32, error) {
	n, err := strconv.ParseUint(value, 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%s=%q, want eight hexadecimal digits", key, value)
	}
	return uint32(n), nil
}

// parseExtent reads `RW 4192256 SPARSE "disk-s001.vmdk"`, with an offset behind it in flat extents.
func parseExtent(line string) (extentLine, error) {
	before, name, quoted := strings.Cut(line, `"`)
	name, after, closed := strings.Cut(name, `"`)
	f := strings.Fields(before)
	if len(f) != 3 || quoted != closed || !quoted && f[2] != "ZERO" {
		return extentLine{}, fmt.Errorf("extent %q, want access, size, type and quoted name", line)
	}
	x := extentLine{access: strings.ToUpper(f[0]), kind: strings.ToUpper(f[2]), name: name}
	var err error
	if x.sectors, err = parseSectors(f[1]); err != nil {
		return x, fmt.Errorf("extent %q: %w", line, err)
	}
	if rest := strings.Fields(after); len(rest) > 0 {
		if x.offset, err = parseSectors(rest[0]); err != nil {
			return x, fmt.Errorf("extent %q: offset: %w", line, err)
		}
	}
	return x, nil
}

func parseSectors(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > maxSectors {
		return 0, fmt.Errorf("%q, want a number of sectors up to 2^53", s)
	}
	return n, nil
}
