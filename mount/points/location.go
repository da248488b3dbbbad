package points

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"

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
	named bool // volume or point were given
}

// Resolve finds the volume, the point and the path of a location in img. Without a volume it takes the only NTFS
// volume; without a point, the current state.
func (s *Set) Resolve(img *Image, rest string) (Target, error) {
	var t Target
	if r, ok := strings.CutPrefix(rest, ":"); ok {
		name, after := r, ""
		if i := strings.IndexAny(r, "@:"); i >= 0 {
			name, after = r[:i], r[i:]
		}
		v, err := s.volumeNamed(img, name)
		if err != nil {
			return t, err
		}
		if v != nil {
			t.Volume, rest, t.named, t.HasVolume = v, after, true, true
		} else if err := s.mustBePath(img, name, after); err != nil {
			return t, err
		}
	}
	point := ""
	if r, ok := strings.CutPrefix(rest, "@"); ok {
		if point, rest = cutPoint(r); point == "" {
			return t, fmt.Errorf("point %q: want current, latest, oldest, vssN, a shadow copy id or its start, a time such as 2026-11-03 or 2026-11-03T14:22Z, or before:TIME", r)
		}
		t.named, t.HasPoint = true, true
	}
	t.Path, t.HasPath = strings.CutPrefix(rest, ":")
	if rest == "" || (t.Volume == nil && !t.named && !t.HasPath) {
		t.HasPath = false
	}
	return t, s.complete(img, &t, point)
}

// partitionName is how a volume is named that has no label.
var partitionName = regexp.MustCompile(`^(d[0-9]+)?[pP]?[0-9]+$`)

// mustBePath refuses a word that names no volume where only a volume can stand, or most likely was meant.
func (s *Set) mustBePath(img *Image, word, after string) error {
	if strings.HasPrefix(word, "/") || strings.HasPrefix(word, `\`) || byNumber.MatchString(word) {
		return nil
	}
	var all []*Volume
	for _, v := range s.Volumes {
		if v.Image == img {
			all = append(all, v)
		}
	}
	if word != "" && !strings.HasPrefix(after, "@") && !partitionName.MatchString(word) && len(all) <= 1 {
		return nil
	}
	return fmt.Errorf("%s: no volume %q (there are: %s): %w", img.Path, word, names(all), fs.ErrNotExist)
}

// complete fills in the defaults.
func (s *Set) complete(img *Image, t *Target, point string) error {
	if t.Volume == nil {
		v, err := s.onlyVolume(img)
		if err != nil {
			if !t.named && !t.HasPath {
				return nil // the image alone
			}
			return err
		}
		t.Volume = v
	}
	if point == "" {
		t.Point = t.Volume.Current()
		return nil
	}
	p, err := t.Volume.PointNamed(point)
	if err != nil {
		return fmt.Errorf("%s@%s: %w", t.Volume.Name, point, err)
	}
	t.Point, t.Doubt = p, t.Volume.Doubt(point)
	return nil
}

// NamesDisk reports whether the location names the virtual disk as a whole.
func (t Target) NamesDisk() bool { return !t.named && !t.HasPath }

// volumeNamed finds a volume by its name, by "pN", or by its label; nil when the word names none and may be a path.
func (s *Set) volumeNamed(img *Image, word string) (*Volume, error) {
	var found []*Volume
	for _, v := range s.Volumes {
		if v.Image != img || word == "" {
			continue
		}
		if v.Name == word {
			return v, nil
		}
		own := strings.TrimPrefix(v.Name, v.prefix) // what it is called in its image alone
		if strings.EqualFold(word, fmt.Sprintf("p%d", v.Partition.Number)) || strings.EqualFold(word, own) || strings.EqualFold(word, v.Name) || (v.Label != "" && strings.EqualFold(word, v.Label)) {
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

func (s *Set) onlyVolume(img *Image) (*Volume, error) {
	var found []*Volume
	for _, v := range s.Volumes {
		if v.Image == img && v.Filesystem == "ntfs" {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 0:
		for _, v := range s.Volumes {
			if v.Image == img && v.Filesystem == "bitlocker" {
				return nil, fmt.Errorf("%s: %s is encrypted by BitLocker, decrypt it first: %w", img.Path, v.Name, ErrNoNTFS)
			}
		}
		return nil, fmt.Errorf("%s: %w", img.Path, ErrNoNTFS)
	case 1:
		return found[0], nil
	}
	return nil, severalError{fmt.Errorf("%s has several NTFS volumes (%s): say which, as in %s:%s", img.Path, names(found), img.Path, found[0].Name)}
}

func names(vs []*Volume) string {
	var out []string
	for _, v := range vs {
		out = append(out, v.Name)
	}
	return strings.Join(out, ", ")
}
