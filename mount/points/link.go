package points

import (
	"fmt"
	"path"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// notHere starts the text of a link that leads out of the image.
const notHere = "not in this image: "

// LinkTarget gives the text of a symbolic link or junction as shown in a POSIX tree: always relative, and never
// leading out of the point. What points to another volume or machine becomes a dangling link whose text says so.
func (p *Point) LinkTarget(n *ntfs.Node) (string, error) {
	r, err := n.Reparse()
	if err != nil {
		return "", err
	}
	dir, err := parentDirs(n)
	if err != nil {
		return "", err
	}
	to, inside := p.inVolume(r.Target, r.Relative)
	if !inside {
		return notHere + strings.ReplaceAll(r.Target, "/", `\`), nil
	}
	if r.Relative && !strings.HasPrefix(to, "/") {
		to = "/" + path.Join(dir, to) // Clean stops ".." at the root, as Windows does
	}
	rel := RelativeLink("/"+dir, path.Clean(to))
	return rel, nil
}

// RelativeLink gives the way from a directory to a path, both absolute and clean.
func RelativeLink(from, to string) string {
	f, t := SplitPath(from), SplitPath(to)
	for len(f) > 0 && len(t) > 0 && f[0] == t[0] {
		f, t = f[1:], t[1:]
	}
	out := strings.Repeat("../", len(f)) + strings.Join(t, "/")
	if out = strings.TrimSuffix(out, "/"); out == "" {
		return "."
	}
	return out
}

// SplitPath gives the names of a path; empty ones are left out.
func SplitPath(p string) []string {
	return strings.FieldsFunc(p, func(r rune) bool { return r == '/' })
}

// inVolume turns a Windows target into a path of this volume, "/" between names; an absolute one starts with "/".
// No image tells a volume's drive letter cheaply: a volume that holds \Windows\System32 is taken for C:, and any other
// letter is taken for a volume without one if the target's first name exists there.
func (p *Point) inVolume(target string, isRelative bool) (string, bool) {
	slashed := strings.ReplaceAll(target, `\`, "/")
	if isRelative {
		return slashed, !strings.HasPrefix(slashed, "//")
	}
	rest := slashed
	for _, prefix := range []string{"/??/", "//?/", "//./"} {
		rest = strings.TrimPrefix(rest, prefix)
	}
	switch {
	case len(rest) >= 2 && rest[1] == ':' && (len(rest) == 2 || rest[2] == '/'):
		return "/" + strings.TrimPrefix(rest[2:], "/"), p.hasDrive(rest[0], rest[2:])
	case len(rest) >= 44 && strings.EqualFold(rest[:7], "Volume{"):
		h := p.Volume.header
		return "/" + strings.TrimPrefix(rest[44:], "/"), h != nil && strings.EqualFold(rest[7:43], h.VolumeGUID.String())
	}
	return "", false
}

func (p *Point) hasDrive(letter byte, rest string) bool {
	t, err := p.Files()
	if err != nil {
		return false
	}
	isC := letter == 'C' || letter == 'c'
	if system := p.isSystem(); system || isC {
		return system && isC
	}
	first := SplitPath(rest)
	if len(first) == 0 {
		return false
	}
	_, err = t.Lookup(first[0])
	return err == nil
}

// isSystem reports whether Windows is on the volume.
func (p *Point) isSystem() bool {
	t, err := p.Files()
	if err == nil {
		_, err = t.Lookup("Windows/System32")
	}
	return err == nil
}

// parentDirs returns the path of the directory that holds n, from the root, without a leading slash.
func parentDirs(n *ntfs.Node) (string, error) {
	root, err := n.Tree().Root()
	if err != nil {
		return "", err
	}
	dir := ""
	for range 1024 { // Windows paths hold 32,767 characters at most; a loop ends here
		parent, err := ParentDir(n)
		if err != nil {
			return "", err
		}
		if parent.Ref == root.Ref {
			return dir, nil
		}
		up, err := longName(parent)
		if err != nil {
			return "", err
		}
		dir = path.Join(EscapeName(up.Name), dir)
		n = parent
	}
	return "", fmt.Errorf("record %v: directories nest without end", n.Ref)
}

// ParentDir returns the directory that holds n, which is not the root of its point: of a file with several names, that of the
// first. Like a path, it is what the record says, whether an entry leads there or not.
func ParentDir(n *ntfs.Node) (*ntfs.Node, error) {
	own, err := longName(n)
	if err != nil {
		return nil, err
	}
	return n.Tree().Node(own.Parent)
}

// longName returns the first name of n that is no 8.3 name beside one.
func longName(n *ntfs.Node) (ntfs.Name, error) {
	names, err := n.Names()
	if err != nil {
		return ntfs.Name{}, err
	}
	for _, x := range names {
		if x.Namespace != ntfs.NamespaceDOS {
			return x, nil
		}
	}
	if len(names) > 0 {
		return names[0], nil
	}
	return ntfs.Name{}, fmt.Errorf("record %v has no name: %w", n.Ref, layer.ErrCorrupt)
}
