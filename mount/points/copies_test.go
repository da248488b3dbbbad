package points_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// complete wants every image of s to have all volumes and points of the demo disk, with their diff areas in that image.
func complete(t *testing.T, s *points.Set, copies int) {
	t.Helper()
	if w := s.Warnings(); len(w) > 0 {
		t.Errorf("warned %q", w)
	}
	if len(s.Volumes) != 2*copies {
		t.Fatalf("%d volumes of %d copies", len(s.Volumes), copies)
	}
	for i, v := range s.Volumes {
		if want := []int{3, 2}[i%2]; v.Damage != nil || len(v.Snapshots()) != want {
			t.Errorf("%s: %d snapshots, %v", v.Name, len(v.Snapshots()), v.Damage)
		}
		for _, p := range v.Snapshots() {
			own, through := p.Snapshot.Check()
			if own != nil || through != nil {
				t.Errorf("%s@%s: %v, %v", v.Name, p.Name, own, through)
			}
			if area := s.DiffArea(p); i%2 == 1 && !strings.HasSuffix(area, fmt.Sprintf(" d%dp1-Documents", i/2+1)) {
				t.Errorf("%s@%s: diff area %s", v.Name, p.Name, area)
			}
		}
	}
}

// TestCopiesOfOneDisk opens the backups of many days, which all have the same identifiers.
func TestCopiesOfOneDisk(t *testing.T) {
	const copies = 35
	dir := t.TempDir()
	b, err := os.ReadFile(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(dir, "base.qcow2")
	if err := os.WriteFile(base, b, 0o600); err != nil {
		t.Fatal(err)
	}
	qemuImg := testenv.Peer(t, "qemu-img")
	var paths []string
	for i := range copies {
		path := filepath.Join(dir, fmt.Sprintf("day%02d.qcow2", i+1))
		testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, path)
		paths = append(paths, path)
	}
	begin := time.Now()
	s := open(t, paths...)
	complete(t, s, copies)
	if took := time.Since(begin); took > 60*time.Second {
		t.Errorf("took %s", took)
	}
	want := manifest(t)
	for _, v := range []*points.Volume{s.Volumes[1], s.Volumes[35], s.Volumes[69]} {
		if got := contents(t, v.Snapshots()[0]); !maps.Equal(got, want[v.Label]["vss1"]) {
			t.Errorf("%s: %d files differ", v.Name, len(got))
		}
	}
	sets := s.CopySets()
	alone := len(open(t, base).CopySets())
	if len(sets) != copies*alone {
		t.Errorf("%d sets of %d copies with %d each", len(sets), copies, alone)
	}
	for _, group := range sets {
		for _, p := range group {
			if p.Volume.Image != group[0].Volume.Image {
				t.Errorf("a set of %s has a point of %s", group[0].Volume.Name, p.Volume.Name)
			}
		}
	}
}

// TestCopiesOfTwoDisks has the diff area of a volume on another disk, of which there are two copies: one is enough, two
// cannot be told apart, and neither matters to a disk that has its own.
func TestCopiesOfTwoDisks(t *testing.T) {
	docs, arch := split(t)
	again := filepath.Join(t.TempDir(), "again.raw")
	if err := os.Link(docs, again); err != nil {
		t.Fatal(err)
	}
	s := open(t, arch, docs)
	if area := s.DiffArea(s.Volumes[0].Snapshots()[0]); !strings.HasSuffix(area, "Documents") || len(s.Warnings()) > 0 {
		t.Errorf("diff area %s, warned %q", area, s.Warnings())
	}
	s = open(t, arch, docs, again)
	if damage := s.Volumes[0].Snapshots()[0].Snapshot.Damage; damage == nil || !strings.Contains(damage.Error(), "in two of the images given") {
		t.Errorf("damage %v, want that two images could be meant", damage)
	}
	s = open(t, docs, again, demo(t))
	archive := s.Volumes[len(s.Volumes)-1]
	if area := s.DiffArea(archive.Snapshots()[0]); !strings.HasSuffix(area, "d3p1-Documents") || len(s.Warnings()) > 0 {
		t.Errorf("diff area %s, warned %q", area, s.Warnings())
	}
}
