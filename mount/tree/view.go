package tree

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"snapmount/mount/points"
)

// View says which points a layout shows, and how it names them. The zero value shows all, named as DESIGN has it.
type View struct {
	// Points selects snapshots: "all", or a list of numbers, ranges (3..5) and what PointNamed takes, with commas. The
	// current state is always shown.
	Points string
	// Time is the name of a snapshot's directory, with %Y %m %d %H %M %S of its creation in UTC, %n for its number, %i for
	// its id and %% for a per cent sign; "" is %Y-%m-%dT%H%M%SZ with what tells equal ones apart.
	Time string
	// Volume is the name of a volume's directory, with %p for the number of the partition, %d for that of the image and %l
	// for the label; "" is Volume.Name.
	Volume string
}

// selected returns the snapshots of each volume that the view shows. Each word must find one on some volume.
func (w View) selected(volumes []*points.Volume) (map[*points.Volume][]*points.Point, error) {
	out := map[*points.Volume][]*points.Point{}
	if w.Points == "" || w.Points == "all" {
		for _, v := range volumes {
			out[v] = v.Snapshots()
		}
		return out, nil
	}
	chosen := map[*points.Point]bool{}
	for word := range strings.SplitSeq(w.Points, ",") {
		found, reason := false, fmt.Errorf("%q: %w", word, points.ErrNoPoint)
		for _, v := range volumes {
			shown, err := v.Matching(word)
			for _, p := range shown {
				chosen[p], found = true, true
			}
			if err != nil {
				reason = fmt.Errorf("%s: %q: %w", v.Name, word, err)
			}
		}
		if !found {
			return nil, reason
		}
	}
	for _, v := range volumes {
		out[v] = slices.DeleteFunc(slices.Clone(v.Snapshots()), func(p *points.Point) bool { return !chosen[p] })
	}
	return out, nil
}

// pointNames names the directories of the snapshots of a volume. Notes are what users are to be told of them.
func (w View) pointNames(list []*points.Point) (names, notes []string, err error) {
	if w.Time == TimeSamba {
		names, notes = sambaNames(list)
		return names, notes, nil
	}
	for _, p := range list {
		name, err := w.pointName(p)
		if err != nil {
			return nil, nil, err
		}
		names = append(names, name)
	}
	return names, nil, nil
}

// pointName names the directory of a snapshot.
func (w View) pointName(p *points.Point) (string, error) {
	if w.Time == "" {
		return p.Name, nil
	}
	t := p.Created().UTC()
	return expand(w.Time, func(c byte) (string, bool) {
		if layout, ok := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05"}[c]; ok {
			return t.Format(layout), true
		}
		switch c {
		case 'n':
			return strconv.Itoa(p.Snapshot.Index), true
		case 'i':
			return p.Snapshot.CopyID.String(), true
		}
		return "", false
	})
}

// volumeName names the directory of a volume; image counts from 1.
func (w View) volumeName(v *points.Volume, image int) (string, error) {
	if w.Volume == "" || v.Locked() != nil { // its label is not known
		return v.Name, nil
	}
	return expand(w.Volume, func(c byte) (string, bool) {
		switch c {
		case 'p':
			return strconv.Itoa(v.Partition.Number), true
		case 'd':
			return strconv.Itoa(image), true
		case 'l':
			return points.PlainName(v.Label), true
		}
		return "", false
	})
}

// expand replaces each %c by what value has for c. The result is usable as a file name.
func expand(format string, value func(c byte) (string, bool)) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out.WriteByte(format[i])
			continue
		}
		i++
		if format[i] == '%' {
			out.WriteByte('%')
			continue
		}
		text, ok := value(format[i])
		if !ok {
			return "", fmt.Errorf("template %q: %%%c is not known", format, format[i])
		}
		out.WriteString(text)
	}
	name := out.String()
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 200 {
		return "", fmt.Errorf("template %q: %q is no name for a directory", format, name)
	}
	return name, nil
}
