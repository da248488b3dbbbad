package points

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/layer"
)

// Location is a parsed IMAGE[@layer:NAME][:VOLUME][@POINT][:PATH]. Absent parts are empty.
type Location struct {
	Image string
	Rest  string // what follows the image, with its first ':' or '@'
}

// SplitLocation finds where the image's path ends: at the longest prefix that exists and is followed by the end, ':'
// or '@'. So paths may hold those characters, as C:\disk.vhd does.
func SplitLocation(s string, exists func(string) bool) (Location, error) {
	for end := len(s); end > 0; end-- {
		if end < len(s) && s[end] != ':' && s[end] != '@' {
			continue
		}
		if exists(s[:end]) {
			return Location{Image: s[:end], Rest: s[end:]}, nil
		}
	}
	image := s
	if i := strings.IndexAny(s, "@:"); i > 1 {
		image = s[:i]
	}
	if image == "-" {
		return Location{}, errStandardInput
	}
	return Location{}, fmt.Errorf("%s: %w", image, fs.ErrNotExist)
}

var errStandardInput = fmt.Errorf("standard input: an image is read at any place, not in a row: save it in a file: %w", layer.ErrUnsupported)

// layerName is what may follow an image: which of its states is meant, by number or by a name without ':' and '@'.
var layerName = regexp.MustCompile(`^@layer:([^:@]+)`)

// cutLayer splits what follows an image into the layer that it begins with, and the rest.
func cutLayer(rest string) (name, after string) {
	if m := layerName.FindStringSubmatch(rest); m != nil {
		return m[1], rest[len(m[0]):]
	}
	return "", rest
}

// WithLayer moves a layer that the rest begins with to the image.
func (l Location) WithLayer() Location {
	_, after := cutLayer(l.Rest)
	return Location{l.Image + strings.TrimSuffix(l.Rest, after), after}
}

// Target is what a Location names. Path is empty when none was given.
type Target struct {
	Volume  *Volume // nil when the location names the image alone
	Point   *Point  // nil likewise
	Path    string
	HasPath bool
	// HasVolume and HasPoint say that Volume or Point was given, not taken.
	HasVolume, HasPoint bool
	// Doubt says why a point that was given by a word or a time may be another one in truth: more are missing. Or nil.
	Doubt error
	// Lost are volumes that may be meant as well, of which it is not known whether they have the path.
	Lost []error
	// Note is a line that tells what the location was taken for, where that is not what it says; or empty.
	Note string

	named bool // volume or point were given
}

// Location is what names the target again, whichever other volumes the image has. Without a path it ends with the point.
func (t Target) Location() string {
	if t.Volume == nil {
		return ""
	}
	l := t.Volume.Image.Path + ":" + t.Volume.OwnName()
	if t.HasPoint {
		l += "@" + t.Point.Name
	}
	if t.Path != "" {
		l += ":" + t.Path
	}
	return l
}

// Pasteable is what names an image from any directory; ok is false where it takes flags to open it as it is open here.
func (s *Set) Pasteable(img *Image) (name string, ok bool) {
	name, o := img.full, &s.opts
	if name == "" || img != s.Images[0] {
		return name, name != ""
	}
	if o.Layer != "" {
		name += "@layer:" + o.Layer
	}
	return name, o.Offset == 0 && o.Size == 0 && o.Snapshot == "" && len(o.Parts) == 0 && o.Map == "" && !strings.ContainsAny(o.Layer, ":@")
}

// fullName is a path, or a location in an image, from any directory.
func fullName(name string) string {
	loc, err := SplitLocation(name, exists)
	if err == nil {
		loc.Image, err = device.Abs(loc.Image)
	}
	if err != nil {
		return ""
	}
	return loc.Image + loc.Rest
}

// At is the target at another point.
func (t Target) At(p *Point) Target {
	t.Point, t.HasPoint = p, p.Snapshot != nil
	return t
}

// Named is the target at the point that a word names; none is the current state.
func (t Target) Named(word string) (Target, error) {
	t.Point, t.HasPoint, t.named = t.Volume.Current(), word != "", t.named || word != ""
	if word == "" {
		return t, nil
	}
	p, err := t.Volume.PointNamed(word)
	if locked := t.Volume.Locked(); err != nil && locked != nil {
		return t, locked
	}
	if err != nil {
		return t, fmt.Errorf("%s@%s: %w", t.Volume.Name, word, err)
	}
	t.Point, t.Doubt = p, t.Volume.Doubt(word)
	return t, nil
}

// OwnName is what the volume is called in its image alone.
func (v *Volume) OwnName() string { return strings.TrimPrefix(v.Name, v.prefix) }

// NamesDisk reports whether the location names the virtual disk as a whole.
func (t Target) NamesDisk() bool { return !t.named && !t.HasPath }

// volumeNamed finds a volume by its name, by "pN" or N, or by its label; nil when the word names none and may be a path.
func (s *Set) volumeNamed(img *Image, word string) (*Volume, error) {
	var found []*Volume
	for _, v := range s.Volumes {
		if v.Image != img || word == "" {
			continue
		}
		if v.Name == word {
			return v, nil
		}
		number := fmt.Sprintf("p%d", v.Partition.Number)
		if slices.ContainsFunc([]string{number, number[1:], v.prefix + number, v.OwnName(), v.Name, v.Label}, func(name string) bool { return strings.EqualFold(word, name) }) {
			found = append(found, v)
		}
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("volume %q: several match: %s", word, names(found))
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nil, nil
}

// Beside is the volume of the same image that a word names, or nil.
func (v *Volume) Beside(word string) *Volume {
	other, err := v.set.volumeNamed(v.Image, word)
	if err != nil {
		return nil
	}
	return other
}

func names(vs []*Volume) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Name)
	}
	return strings.Join(out, ", ")
}
