package treetest

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"snapmount/mount/tree"
)

const (
	day1 = "2026-03-02T180000Z"
	day2 = "2026-03-03T180000Z"
	day3 = "2026-03-04T180000Z"
)

// reads expects that files start with what they should.
func (s *suite) reads(t *testing.T, files map[string]string) {
	t.Helper()
	for path, want := range files {
		if b, err := s.client.Read(path); !strings.HasPrefix(string(b), want) || len(b) == 0 || err != nil {
			t.Errorf("%s: %.40q, want %q, %v", path, b, want, err)
		}
	}
}

// missing expects that there is nothing.
func (s *suite) missing(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if info, err := s.client.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %+v, %v, want that it does not exist", path, info, err)
		}
	}
}

// streams finds them beside their files, and in no listing.
func (s *suite) streams(t *testing.T) {
	const dir = "/p1-Documents/vss1/Letters"
	s.reads(t, map[string]string{dir + "/offer.txt:author": "Emmy", dir + "/OFFER.txt:Author": "Emmy"})
	info, err := s.client.Stat(dir + "/offer.txt:author")
	if want := s.want(t, dir+"/offer.txt:author"); err != nil || info.Kind != tree.KindFile || info.Attr.Size != 4 || s.IDs && info.ID != want.ID {
		t.Errorf("%+v, %v, want number 0x%x", info, err, want.ID)
	}
	list, err := s.client.List(dir)
	if err != nil || slices.ContainsFunc(list, func(e Info) bool { return strings.Contains(e.Name, ":") }) {
		t.Errorf("%s lists %v, %v", dir, list, err)
	}
	s.missing(t, dir+"/offer.txt:none", dir+"/none.txt:author", dir+"/offer.txt:", dir+"/:author")
}

// snapshots looks at .snapshots in a directory that was renamed once, in a root, and in one of the first point.
func (s *suite) snapshots(t *testing.T) {
	for dir, want := range map[string]map[string]string{
		"/current/Pictures": {day1: "../../../snapshots/" + day1 + "/Photos", day2: "../../../snapshots/" + day2 + "/Pictures", day3: "../../../snapshots/" + day3 + "/Pictures"},
		"/current":          {day1: "../../snapshots/" + day1, day2: "../../snapshots/" + day2, day3: "../../snapshots/" + day3},
		"/snapshots/" + day1 + "/Photos": {"current": "../../../../current/Pictures", day2: "../../../" + day2 + "/Pictures",
			day3: "../../../" + day3 + "/Pictures"},
	} {
		dir = "/p1-Documents" + dir
		list, err := s.client.List(dir + "/.snapshots")
		if err != nil || len(list) != len(want) {
			t.Errorf("%s: %v, want %v, %v", dir, list, want, err)
		}
		for name, to := range want {
			s.same(t, dir, name, to)
		}
		list, err = s.client.List(dir)
		if err != nil || slices.ContainsFunc(list, func(e Info) bool { return e.Name == ".snapshots" }) {
			t.Errorf("%s lists .snapshots, or %v", dir, err)
		}
	}
	s.missing(t, "/.snapshots", "/p1-Documents/.snapshots", "/p1-Documents/current/Pictures/.snapshots/none", "/p1-Documents/current/Pictures/.snapshots/current")
}

// same looks at one entry of .snapshots.
func (s *suite) same(t *testing.T, dir, name, to string) {
	t.Helper()
	at := dir + "/.snapshots/" + name
	info, err := s.client.Stat(at)
	if want := s.want(t, at); err != nil || info.Kind != want.Kind || s.IDs && info.ID != want.ID {
		t.Errorf("%s: %+v, %v, want kind %d, number 0x%x", at, info, err, want.Kind, want.ID)
	}
	if s.Links {
		if got, err := s.client.Link(at); got != to || err != nil {
			t.Errorf("%s -> %q, want %q, %v", at, got, to, err)
		}
	}
	target, err := s.client.Stat(path.Join(dir, ".snapshots", to))
	if err != nil || target.Kind != tree.KindDir {
		t.Errorf("%s leads to %+v, %v", at, target, err)
	}
}

// views looks at what is made of several points. That they list and hold what they should, everyNode sees.
func (s *suite) views(t *testing.T) {
	for dir, want := range map[string][]string{
		"/p1-Documents/versions/Letters/offer.txt":    {day1 + ".txt", day2 + ".." + day3 + ".txt", "current.txt"},
		"/p1-Documents/versions/Pictures":             {"bridge.raw", "harbour.raw"},
		"/p1-Documents/changes":                       {day1 + ".." + day2, day1 + "..current", day2 + ".." + day3, day3 + "..current"},
		"/p1-Documents/changes/" + day1 + ".." + day2: {"created", "deleted", "modified", "renamed"},
		"/p2-Archive/deleted":                         {"2024", "2025"},
	} {
		list, err := s.client.List(dir)
		var got []string
		for _, e := range list {
			got = append(got, e.Name)
		}
		if slices.Sort(got); !slices.Equal(got, want) || err != nil {
			t.Errorf("%s lists %q, want %q, %v", dir, got, want, err)
		}
	}
	at := func(volume, point, name string) string { return written(t)[volume][point][name] }
	for path, want := range map[string]string{
		"/p1-Documents/versions/Letters/offer.txt/" + day1 + ".txt":                                at("p1-Documents", "vss1", "Letters/offer.txt"),
		"/p1-Documents/versions/LETTERS/Offer.TXT/current.TXT":                                     at("p1-Documents", "current", "Letters/offer.txt"),
		"/p1-Documents/changes/" + day2 + ".." + day3 + "/deleted/Projects/budget.csv":             at("p1-Documents", "vss2", "Projects/budget.csv"),
		"/p1-Documents/changes/" + day2 + ".." + day1 + "/modified/after/Projects/budget.csv":      at("p1-Documents", "vss1", "Projects/budget.csv"),
		"/p1-Documents/changes/" + day1 + ".." + day2 + "/renamed/after/Letters/thanks (sent).txt": at("p1-Documents", "vss2", "Letters/thanks (sent).txt"),
		"/p2-Archive/deleted/2024/ledger.txt":                                                      at("p2-Archive", "vss1", "2024/ledger.txt"),
	} {
		b, err := s.client.Read(path)
		if sum := sha(b); sum != want || err != nil {
			t.Errorf("%s: %d bytes of SHA-256 %s, want %s, %v", path, len(b), sum, want, err)
		}
	}
	s.missing(t, "/p1-Documents/versions/none", "/p1-Documents/versions/Letters/offer.txt/none.txt", "/p1-Documents/changes/none",
		"/p1-Documents/changes/"+day1+".."+day1, "/p1-Documents/changes/"+day1+".."+day2+"/none", "/p1-Documents/deleted/none")
}

// paths leads through links of the layout, of the volume and of .snapshots.
func (s *suite) paths(t *testing.T) {
	s.reads(t, map[string]string{
		"/p1-Documents/snapshots/oldest/My Letters/OFFER.txt":                        "Dear Ms Noether",
		"/p1-Documents/vss1/Projects/latest offer.txt":                               "Dear Ms Noether",
		"/sets/" + day1 + "/p1-Documents/letters/offer.txt":                          "Dear Ms Noether",
		"/p1-Documents/current/Letters/.snapshots/" + day1 + "/offer.txt":            "Dear Ms Noether",
		"/p1-Documents/current/Letters/.snapshots/" + day1 + "/../Letters/offer.txt": "Dear Ms Noether",
	})
	s.missing(t, "/none", "/p1-Documents/none", "/p1-Documents/vss9", "/p1-Documents/current/none/none", "/p1-Documents/current/Letters/none", "/raw/none")
}

// xattrs compares those that a copy needs, and snapmount's own.
func (s *suite) xattrs(t *testing.T) {
	if !s.Xattrs {
		return
	}
	const dir = "/p1-Documents/vss1/Letters"
	letter := s.want(t, dir+"/offer.txt")
	for path, own := range map[string]map[string]string{
		dir + "/offer.txt": {"point": "p1-Documents@" + day1, "mft": fmt.Sprintf("%d-1", letter.ID&(1<<40-1)), "verdict": "intact",
			"sha256": written(t)["p1-Documents"]["vss1"]["Letters/offer.txt"]},
		dir + "/offer.txt:author": {"verdict": "intact", "mft": fmt.Sprintf("%d-1", letter.ID&(1<<40-1)), "sha256": sha([]byte("Emmy"))},
		dir:                       {"point": "p1-Documents@" + day1, "verdict": "", "sha256": ""},
		"/README.txt":             {"mft": "", "point": ""},
		"/p1-Documents/current":   {"mft": "5-5"},
		"/p1-Documents/versions":  {"mft": "", "sha256": ""},
	} {
		for name, want := range own {
			b, err := s.client.Xattr(path, tree.UserPrefix+"snapmount."+name)
			if string(b) != want || (want == "") != errors.Is(err, tree.ErrNoXattr) || want != "" && err != nil {
				t.Errorf("%s: %s is %q, want %q, %v", path, name, b, want, err)
			}
		}
		s.compareXattrs(t, path)
	}
	names, err := s.client.Xattrs(dir + "/offer.txt")
	for _, want := range []string{"system.ntfs_attrib", "system.ntfs_times", "user.author"} {
		if !slices.Contains(names, want) || err != nil {
			t.Errorf("%q lacks %s, %v", names, want, err)
		}
	}
	if b, err := s.client.Xattr(dir+"/offer.txt", "user.author"); string(b) != "Emmy" || err != nil {
		t.Errorf("the stream as an attribute: %q, %v", b, err)
	}
}

func (s *suite) compareXattrs(t *testing.T, path string) {
	t.Helper()
	n := s.want(t, path)
	want, err := n.Xattrs()
	got, err2 := s.client.Xattrs(path)
	if !slices.Equal(got, want) || err != nil || err2 != nil {
		t.Errorf("%s: %q, want %q, %v, %v", path, got, want, err, err2)
	}
	for _, name := range want {
		if b, err := s.client.Xattr(path, name); string(b) != value(t.Context(), n, name) || err != nil {
			t.Errorf("%s: %s is %x, want %x, %v", path, name, b, value(t.Context(), n, name), err)
		}
	}
}
