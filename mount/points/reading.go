package points

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// A reading is one way to understand what follows an image.
type reading struct {
	volume *Volume // nil for all with NTFS
	drive  byte    // or the letter that a computer had for it
	point  string
	path   string
	// hasPath says that there is a path, even an empty one; sure that the words can mean nothing else, if a volume
	// has the path or not.
	hasPath, sure bool
	none          error // why there is no such volume, where the words are for one most likely
}

// partitionName is how a volume is named that has no label.
var partitionName = regexp.MustCompile(`^(d[0-9]+)?[pP]?[0-9]+$`)

// readings gives the ways to understand what follows an image, the likeliest first: a word behind a colon is a volume; else
// the start of a path; else the letter of a drive.
func (s *Set) readings(img *Image, rest string) ([]reading, error) {
	r, ok := strings.CutPrefix(rest, ":")
	if !ok {
		one, err := reading{sure: true}.behind(rest)
		return []reading{one}, err
	}
	word, after := r, ""
	if i := strings.IndexAny(r, "@:"); i >= 0 {
		word, after = r[:i], r[i:]
	}
	v, err := s.volumeNamed(img, word)
	if err != nil {
		return nil, err
	}
	if v != nil {
		one, err := reading{volume: v, sure: true}.behind(after)
		return []reading{one}, err
	}
	none := fmt.Errorf("%s: no volume %q (there are: %s): %w", img.Path, word, names(s.of(img)), fs.ErrNotExist)
	if word == "" {
		return nil, none
	}
	path := reading{path: r, hasPath: true, sure: s.startsPath(img, word, after)}
	if !path.sure {
		path.none = none
	}
	list := []reading{path}
	if isDrive(word) && (len(after) < 2 || after[0] == '@' || after[1] == '/' || after[1] == '\\') {
		drive, err := reading{drive: word[0] &^ 0x20}.behind(after)
		if list[0].sure = false; err == nil {
			list = append(list, drive)
		}
	}
	return list, nil
}

// behind reads what follows a volume: a point, and a path.
func (r reading) behind(rest string) (reading, error) {
	if text, ok := strings.CutPrefix(rest, "@"); ok {
		r.point, rest = cutPoint(text)
	}
	r.path, r.hasPath = strings.CutPrefix(rest, ":")
	return r, nil
}

func isDrive(word string) bool { return len(word) == 1 && word[0]|0x20 >= 'a' && word[0]|0x20 <= 'z' }

// startsPath reports whether a word that names no volume can be the start of a path alone.
func (s *Set) startsPath(img *Image, word, after string) bool {
	return strings.ContainsAny(word, `/\`) || byNumber.MatchString(word) || word != "" && !strings.HasPrefix(after, "@") && !partitionName.MatchString(word) && len(s.of(img)) <= 1
}

// of gives the volumes of an image.
func (s *Set) of(img *Image) (list []*Volume) {
	for _, v := range s.Volumes {
		if v.Image == img {
			list = append(list, v)
		}
	}
	return list
}

// meant gives the volumes that a reading may be about.
func (s *Set) meant(img *Image, r reading) (list []*Volume, err error) {
	if r.volume != nil {
		return []*Volume{r.volume}, nil
	}
	for _, v := range s.of(img) {
		if v.Filesystem == "ntfs" {
			list = append(list, v)
		}
	}
	if len(list) > 0 {
		return list, nil
	}
	return nil, fmt.Errorf("%s: %w", img.Path, s.noNTFS(img))
}
