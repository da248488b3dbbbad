package points

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// maxLinks is how many links a path may lead through, as on Linux.
const maxLinks = 40

// Lookup finds a path of the point, "/" between names, upper and lower case as Windows takes it. Links on the way are
// followed inside the point, the last name only if follow is set. "file:stream" names a stream of a file; a file whose own
// name holds the colon comes first, and "file::stream" is the stream all the same. "#RECORD", without a slash before it,
// is a file record by its number, whether a directory leads to it or not. Backslashes separate when nothing is found else.
func (p *Point) Lookup(name string, follow bool) (n *ntfs.Node, stream string, err error) {
	if err := p.Volume.Locked(); err != nil {
		return nil, "", err
	}
	n, stream, err = p.lookupStream(name, follow)
	if err != nil && strings.Contains(name, `\`) {
		if n2, s2, err2 := p.lookupStream(strings.ReplaceAll(name, `\`, "/"), follow); err2 == nil {
			return n2, s2, nil
		}
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s@%s:%s: %w", p.Volume.Name, p.Name, name, p.Because(err))
	}
	return n, stream, nil
}

// Find is Lookup for the one thing that is asked for: all file records are read before it says that nothing is there.
func (p *Point) Find(ctx context.Context, name string, follow bool) (*ntfs.Node, string, error) {
	n, stream, err := p.Lookup(name, follow)
	if !errors.Is(err, fs.ErrNotExist) {
		return n, stream, err
	}
	t, err2 := p.Files()
	if err2 == nil {
		err2 = t.TakeCensus(ctx)
	}
	if err2 != nil {
		return nil, "", err2
	}
	return p.Lookup(name, follow)
}

// Because adds the damage of the snapshot to an error that may come from it.
func (p *Point) Because(err error) error {
	if p.Snapshot == nil || !errors.Is(err, layer.ErrUnknown) && !errors.Is(err, layer.ErrCorrupt) {
		return err
	}
	own, through := p.Snapshot.Check()
	if damage := errors.Join(own, through); damage != nil {
		return &DamagedError{err, damage}
	}
	return err
}

func (p *Point) lookupStream(name string, follow bool) (*ntfs.Node, string, error) {
	n, err := p.Walk(name, follow)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return n, "", err
	}
	file, stream, ok := cutStream(name)
	if !ok {
		return nil, "", err
	}
	n, err2 := p.Walk(file, true)
	if plain, colon := strings.CutSuffix(file, ":"); err2 != nil && colon {
		n, err2 = p.Walk(plain, true)
	}
	if err2 != nil {
		return nil, "", err
	}
	streams, err := n.Streams()
	if err != nil {
		return nil, "", err
	}
	fold := n.Tree().Upper
	for _, same := range []func(string) bool{func(s string) bool { return s == stream }, func(s string) bool { return fold(s) == fold(stream) }} {
		for _, st := range streams {
			if same(st.Name) {
				return n, st.Name, nil
			}
		}
	}
	return nil, "", noStream(stream, streams)
}

// maxStreams is how many streams of a file are named where one is not there.
const maxStreams = 8

func noStream(name string, there []ntfs.StreamInfo) error {
	var names []string
	for _, s := range there {
		if s.Name != "" {
			names = append(names, strconv.Quote(s.Name))
		}
	}
	list := "no named ones are there"
	if len(names) > maxStreams {
		names = append(names[:maxStreams], "...")
	}
	if len(names) > 0 {
		list = "there are: " + strings.Join(names, ", ")
	}
	return fmt.Errorf("no stream %q (%s): %w", name, list, fs.ErrNotExist)
}

// cutStream splits "file:stream" and the longer form "file:stream:$DATA", where the stream may be empty, or missing.
func cutStream(name string) (file, stream string, ok bool) {
	cut := len(name) - len(":$DATA")
	typed := cut > 0 && strings.EqualFold(name[cut:], ":$DATA")
	if typed {
		name = name[:cut]
	}
	i := strings.LastIndexByte(name, ':')
	if i < 0 || strings.Contains(name[i:], "/") {
		return name, "", typed && !strings.HasSuffix(name, "/")
	}
	return name[:i], name[i+1:], true
}

// byNumber matches a file record by its number.
var byNumber = regexp.MustCompile(`^#([0-9]{1,15})$`)

// IsRecord reports whether a path is "#RECORD", the number of a file record.
func IsRecord(name string) bool { return byNumber.MatchString(name) }

// Walk finds a path name by name, or a file record as "#RECORD".
func (p *Point) Walk(name string, follow bool) (*ntfs.Node, error) {
	t, err := p.Files()
	if err != nil {
		return nil, err
	}
	if m := byNumber.FindStringSubmatch(name); m != nil {
		number, _ := strconv.ParseUint(m[1], 10, 64) // 15 digits fit
		return t.NodeByNumber(number)
	}
	n, err := t.Root()
	links, done, rest := 0, "/", SplitPath(name)
	follow = follow || strings.HasSuffix(name, "/")
	for err == nil && len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		if n.Kind != ntfs.KindDir && n.Kind != ntfs.KindSymlink {
			return nil, fmt.Errorf("%q: %w", done, ntfs.ErrNotDir)
		}
		if n, err = Child(n, word); err != nil {
			break
		}
		if n.Kind != ntfs.KindSymlink || len(rest) == 0 && !follow {
			done = path.Join(done, word)
			continue
		}
		if links++; links > maxLinks {
			return nil, fmt.Errorf("%q: more than %d links on the way", name, maxLinks)
		}
		target, err2 := p.LinkTarget(n)
		if err2 != nil {
			return nil, err2
		}
		if strings.HasPrefix(target, notHere) {
			return nil, fmt.Errorf("%q: a link to what is %s: %w", word, target, fs.ErrNotExist)
		}
		rest, done = append(SplitPath(path.Join(done, target)), rest...), "/"
		n, err = t.Root()
	}
	if err == nil && strings.HasSuffix(name, "/") && n.Kind != ntfs.KindDir {
		return nil, fmt.Errorf("%q: %w", name, ntfs.ErrNotDir)
	}
	return n, err
}
