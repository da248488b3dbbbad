package nfs_test

import (
	"strings"
	"testing"

	"snapmount/mount/nfs"
	"snapmount/mount/points"
	"snapmount/mount/tree"
	"snapmount/mount/tree/treetest"
)

func TestTree(t *testing.T) {
	treetest.Run(t, treetest.Front{
		Serve: func(t *testing.T, s *points.Set) treetest.Client {
			return front{dial(t, start(t, s, tree.Options{}))}
		},
		IDs:       true,
		Links:     true,
		LinkCount: true,
		Allocated: true,
		Times:     true,
		Kinds:     true,
	})
}

func TestStatus(t *testing.T) {
	treetest.Answers(t, nfs.Status, map[string]uint32{
		"none": 0, "stale": 5, "no xattr": 2, "not there": 2, "no point": 2, "damaged": 5, "unknown": 5, "both": 5, "unsupported": 5,
		"no directory": 20, "a directory": 21, "no link": 22, "too many links": 22, "too big": 27, "cancelled": 10008,
		"the disk went": 5, "the image went": 5, "what nobody knew": 5,
	})
}

// front shows a client to the suite.
type front struct{ *client }

var kinds = [...]tree.Kind{1: tree.KindFile, 2: tree.KindDir, 3: tree.KindBlockDevice, 4: tree.KindCharDevice, 5: tree.KindLink, 6: tree.KindSocket, 7: tree.KindFIFO}

func (f *file) info() treetest.Info {
	return treetest.Info{Name: f.name, ID: f.id, Kind: kinds[f.typ], Attr: tree.Attr{Size: int64(f.size), Allocated: int64(f.used), Links: int(f.links),
		Accessed: f.accessed, Modified: f.modified, Changed: f.changed}}
}

func (c front) Stat(path string) (treetest.Info, error) {
	f, err := c.walk(path)
	return f.info(), err
}

func (c front) List(path string) (all []treetest.Info, err error) {
	dir, err := c.walk(path)
	if err != nil {
		return nil, err
	}
	list, err := c.entries(dir.handle, true)
	plain, err2 := c.entries(dir.handle, false)
	if len(list) != len(plain) || (err == nil) != (err2 == nil) || len(list) < 2 && err == nil {
		c.t.Errorf("%s: READDIRPLUS gives %d, %v, READDIR %d, %v", path, len(list), err, len(plain), err2)
		return nil, err
	}
	for i, f := range list {
		if f.name != plain[i].name || f.id != plain[i].id {
			c.t.Errorf("%s: READDIRPLUS gives %+v, READDIR %+v", path, f, plain[i])
		}
		if i < 2 {
			up, err := c.lookup(dir.handle, f.name)
			if f.name != "..."[:i+1] || f.handle != up.handle || f.id != up.id || err != nil {
				c.t.Errorf("%s: entry %d is %+v, looked up %+v, %v", path, i, f, up, err)
			}
			continue
		}
		all = append(all, f.info())
	}
	return all, err
}

func (c front) Read(path string) ([]byte, error) {
	f, err := c.walk(path)
	if err != nil {
		return nil, err
	}
	if text, err := c.readLink(f.handle); err == nil { // as a kernel follows it
		return c.Read(strings.TrimSuffix(path, "/") + "/../" + text)
	}
	var all []byte
	for {
		b, end, err := c.read(f.handle, uint64(len(all)), 1<<20)
		if all = append(all, b...); err != nil || end {
			return all, err
		}
	}
}

func (c front) Link(path string) (string, error) {
	f, err := c.walk(path)
	if err != nil {
		return "", err
	}
	return c.readLink(f.handle)
}

func (c front) Xattr(string, string) ([]byte, error) { return nil, tree.ErrNoXattr }
func (c front) Xattrs(string) ([]string, error)      { return nil, tree.ErrNoXattr }
func (c front) Number(id uint64) (treetest.Info, error) {
	f, err := c.getAttr(c.root[:8] + string(be.AppendUint64(nil, id)))
	return f.info(), err
}
