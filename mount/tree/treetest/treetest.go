// Package treetest is one suite for everything that shows a mount/tree: the tree itself, the FUSE mount, and each other
// front end. It holds what a client of the front end sees against what was written to testdata/demo.qcow2, and against the
// tree, node by node.
//
//	treetest.go   Front and Client: what a front end brings; the subtests
//	truth.go      contents, listings, attributes
//	names.go      streams, .snapshots, views, paths, extended attributes
//	errors.go     what is not there, damage
//	ids.go        numbers over forgetting and restarts
package treetest

import (
	"context"
	"path"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// Front is a front end under test, and what it can show. What it does not declare is not asked for.
type Front struct {
	// Serve serves s until the test ends, as a program does that was just started, and returns a client of it.
	Serve func(t *testing.T, s *points.Set) Client

	IDs       bool          // Info.ID is the number of the node
	Links     bool          // symbolic links are shown as such; else all are followed, and left out where they lead to nothing
	LinkCount bool          // Attr.Links
	Allocated bool          // Attr.Allocated, in whole units of 512 bytes
	Times     bool          // Attr.Accessed and Attr.Changed, beside Attr.Modified
	Created   bool          // Attr.Created
	Precision time.Duration // of times; 0 is 100 ns
	Xattrs    bool          //
	Kinds     bool          // ErrNotDir, ErrIsDir and ErrNotLink are told apart; else they are any error

	// Unlisted reports entries that are left out of listings although they are found by name; nil is none.
	Unlisted func(path string) bool
}

// Client asks a front end. Paths start with a slash, and are as the tree has them. Of errors only these are told apart:
// fs.ErrNotExist, tree.ErrNotDir, tree.ErrIsDir, tree.ErrNotLink and tree.ErrNoXattr.
type Client interface {
	Stat(path string) (Info, error)
	List(path string) ([]Info, error) // of which Attr is not looked at
	Read(path string) ([]byte, error)
	Link(path string) (string, error)
	Xattr(path, name string) ([]byte, error)
	Xattrs(path string) ([]string, error)
}

// Forgetter is a Client that can be made to forget every node that it met, or to make those between forget it.
type Forgetter interface{ Forget(t *testing.T) }

// Numbered is a Client that finds nodes by their number, as NFS handles do.
type Numbered interface {
	Number(id uint64) (Info, error)
}

// Info is what a front end shows of a node.
type Info struct {
	Name string // in a listing
	ID   uint64
	Kind tree.Kind
	Attr tree.Attr
}

// suite is one run.
type suite struct {
	Front
	client Client
	fs     *tree.FS // of a set of its own: what is to be seen
}

// Run runs all tests.
func Run(t *testing.T, f Front) {
	demo := filepath.Join(testenv.Root(t), "testdata", "demo.qcow2")
	for _, test := range []struct {
		name string
		run  func(*suite, *testing.T)
	}{
		{"contents", (*suite).contents},
		{"listings and attributes", (*suite).everyNode},
		{"attributes", (*suite).attributes},
		{"directories", (*suite).listings},
		{"streams", (*suite).streams},
		{"snapshots", (*suite).snapshots},
		{"views", (*suite).views},
		{"paths", (*suite).paths},
		{"xattrs", (*suite).xattrs},
		{"errors", (*suite).errors},
		{"damage", (*suite).damage},
		{"lost", (*suite).lost},
		{"ids", (*suite).ids},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(f.suite(t, demo), t) })
	}
}

func (f Front) suite(t *testing.T, image string) *suite {
	t.Helper()
	files, err := tree.New(open(t, image), tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &suite{f, f.Serve(t, open(t, image)), files}
}

func open(t *testing.T, image string) *points.Set {
	t.Helper()
	s, err := points.Open(t.Context(), []string{image}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// A place is a node and a path that leads to it.
type place struct {
	path string
	tree.Node
	listed bool // among the entries of its directory
}

// everything gives all nodes of the tree but .snapshots, each directory before what is in it. Without links, what they
// lead to is in their place, once.
func (s *suite) everything(t *testing.T) (all []place) {
	t.Helper()
	queue := []place{{"/", s.fs.Root(), true}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		all = append(all, at)
		if at.Kind != tree.KindDir {
			continue
		}
		for e, err := range at.Entries() {
			if err != nil {
				t.Fatalf("%s: %v", at.path, err)
			}
			n, err := e.Node()
			if err != nil {
				t.Fatalf("%s: %v", at.path, err)
			}
			name, isLink := path.Join(at.path, e.Name), n.Kind == tree.KindLink
			if isLink && !s.Links {
				if n, err = s.fs.Walk(name, true); err != nil {
					continue
				}
			}
			p := place{name, n, s.Unlisted == nil || !s.Unlisted(name)}
			if isLink && !s.Links && n.Kind == tree.KindDir {
				all = append(all, p)
			} else {
				queue = append(queue, p)
			}
		}
	}
	if len(all) < 150 {
		t.Errorf("only %d nodes", len(all))
	}
	return all
}

// want finds what a path is to lead to.
func (s *suite) want(t *testing.T, path string) tree.Node {
	t.Helper()
	n, err := s.fs.Walk(path, !s.Links)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return n
}

func value(ctx context.Context, n tree.Node, name string) string {
	b, err := n.Xattr(ctx, name)
	if err != nil {
		return "error: " + err.Error()
	}
	return string(b)
}
