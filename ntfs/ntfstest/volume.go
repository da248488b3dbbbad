// Package ntfstest makes NTFS volumes for tests, with mkntfs and ntfs-3g, and tells what was written to them.
package ntfstest

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// A Volume is one that Build makes: by a script with its arguments and environment, or by fill.
type Volume struct {
	Name   string // of the image
	script string
	args   []string
	env    []string
	fill   func(t testing.TB, image string) []Claim // instead of a script
}

// The volumes. What a name does not say: all have clusters of 4 KiB and sectors of 512 bytes.
var (
	Feat      = Volume{Name: "feat", script: "build_feat.py", args: []string{"feat", "4096", "512"}, env: []string{"N_FRAGDIR=1500"}}
	Feat512   = Volume{Name: "feat512", script: "build_feat.py", args: []string{"feat512", "512", "512"}, env: []string{"N_FRAGDIR=300"}}
	Feat64K   = Volume{Name: "feat64k", script: "build_feat.py", args: []string{"feat64k", "65536", "512"}, env: []string{"N_FRAGDIR=300"}}
	Feat4Kn   = Volume{Name: "feat4kn", script: "build_feat.py", args: []string{"feat4kn", "4096", "4096"}, env: []string{"N_FRAGDIR=1500"}}
	Frag      = Volume{Name: "frag", script: "build_frag.py"}
	Big       = Volume{Name: "big", script: "build_big.py"}
	Files200K = Volume{Name: "files200k", script: "build_files200k.py"}
	Big2M     = Volume{Name: "big2m", fill: fillBig2M}
	Journal   = Volume{Name: "usn", script: "build_usn.py"} // without claims
)

// Volumes are those with claims.
func Volumes() []Volume {
	return []Volume{Feat, Feat512, Feat64K, Feat4Kn, Frag, Big, Files200K, Big2M}
}

// SkipManyUnderRace skips the test, loudly, on the volumes of over 100,000 names when the race detector is on: it takes
// minutes for what is done one after the other.
func (v Volume) SkipManyUnderRace(t testing.TB) {
	if testenv.Race && (v.Name == Files200K.Name || v.Name == Frag.Name) {
		t.Skipf("SKIPPED: %s takes minutes under the race detector", v.Name)
	}
}

// A Claim is a line of a volume's manifest: what was written. Which fields count depends on the type.
type Claim struct {
	Path        string     `json:"path"` // absolute; of a stream, file:stream
	Type        string     `json:"type"` // file, stream, wof, dir, dircount, symlink, reparse, attrib, times, acl, objid
	Size        int64      `json:"size"`
	SHA256      string     `json:"sha256"`                // of all of the content, in hexadecimal
	DataExtents [][2]int64 `json:"data_extents,omitzero"` // offsets and lengths of what was written, nil when not told; all else is holes
	Count       int        `json:"count,omitempty"`       // entries of a directory
	Tag         uint32     `json:"tag,omitempty"`
	Attrib      uint32     `json:"attrib,omitempty"`
	Times       []int64    `json:"times,omitempty"` // FILETIMEs of creation, modification, access
	ACL         string     `json:"acl,omitempty"`   // security descriptor, in hexadecimal
	ID          string     `json:"id,omitempty"`    // object id, in hexadecimal
}

// Manifest reads what was written to a volume.
func Manifest(t testing.TB, image string) []Claim {
	t.Helper()
	f, err := os.Open(image + ".manifest.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []Claim
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var c Claim
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// Data gives the offsets and lengths of what holds DataExtents on a volume with such clusters, in order: whole clusters,
// but nothing behind the last byte written, where the initialized size ends.
func (c Claim) Data(cluster int64) (out [][2]int64) {
	written := int64(0)
	for _, e := range c.DataExtents {
		written = max(written, e[0]+e[1])
	}
	for _, e := range c.DataExtents {
		start, end := e[0]/cluster*cluster, min((e[0]+e[1]+cluster-1)/cluster*cluster, written)
		switch last := len(out) - 1; {
		case e[1] == 0:
		case last >= 0 && out[last][0]+out[last][1] >= start:
			out[last][1] = end - out[last][0]
		default:
			out = append(out, [2]int64{start, end - start})
		}
	}
	return out
}

// Walk finds every entry below a directory, by its path from there.
func Walk(t testing.TB, root string) map[string]fs.DirEntry {
	t.Helper()
	out := map[string]fs.DirEntry{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if path != root {
			out[strings.TrimPrefix(path, root)] = e
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return out
}
