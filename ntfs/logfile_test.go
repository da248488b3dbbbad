package ntfs_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs"
)

// Where the fields of a Windows restart page are, whose restart area is at 0x30.
const (
	atLSN, atInUse, atFlags = 0x30, 0x3c, 0x3e
)

// logVariants change the two restart pages of a volume that was cleanly unmounted, with a client on its list. probe is
// what ntfs-3g.probe exits with then: 15 says not clean, and that it makes no sense of a page.
var logVariants = []struct {
	name   string
	change func(a, b []byte)
	clean  bool
	sound  bool
	probe  int
}{
	{"as it is", func(a, b []byte) {}, true, true, 0},
	{"not clean", func(a, b []byte) { a[atFlags], b[atFlags] = 0, 0 }, false, true, 15},
	{"no client", func(a, b []byte) {
		for _, p := range [][]byte{a, b} {
			p[atFlags] = 0
			copy(p[atInUse-2:], []byte{0, 0, 0xff, 0xff})
		}
	}, true, true, 0},
	{"older one not clean", func(a, b []byte) { a[atFlags] = 0; newer(b) }, true, true, 0},
	{"newer one not clean", func(a, b []byte) { b[atFlags] = 0; newer(b) }, false, true, 15},
	{"newer one first", func(a, b []byte) { b[atFlags] = 0; newer(a) }, true, true, 0},
	{"first zeroed, second not clean", func(a, b []byte) { clear(a); b[atFlags] = 0 }, false, true, 15},
	{"first torn", func(a, b []byte) { a[atFlags] = 0; newer(a); a[510]++ }, true, true, 15},
	{"second torn", func(a, b []byte) { b[atFlags] = 0; newer(b); b[510]++ }, true, true, 15},
	{"client that is not there", func(a, b []byte) { a[atFlags], a[atInUse], b[atFlags], b[atInUse] = 0, 7, 0, 7 }, false, false, 15},
	{"both zeroed", func(a, b []byte) { clear(a); clear(b) }, false, false, 15},
}

func newer(p []byte) {
	binary.LittleEndian.PutUint64(p[atLSN:], binary.LittleEndian.Uint64(p[atLSN:])+8)
}

func exitCode(name string, args ...string) int {
	cmd := exec.Command(name, args...)
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode()
}

// TestLog looks at the logs of the volumes as they are.
func TestLog(t *testing.T) {
	windows := ntfs.LogState{Clean: true, Major: 1, Minor: 1, PageSize: 4096, RecordPageSize: 4096}
	for name, want := range map[string]ntfs.LogState{
		"vsstest.qcow2": windows, "ntfs-ramslack.raw.gz": windows, "ntfs-si-vs-fn.raw.gz": windows, "windows_volume.qcow2": {Clean: true, Empty: true},
	} {
		t.Run(name, func(t *testing.T) {
			tree := openTree(t, testenv.Open(t, realVolume(t, name)))
			got, err := tree.Log()
			n, _ := tree.Node(ntfs.Ref{Record: 2})
			if err != nil || (got.CurrentLSN == 0) != want.Empty || (!want.Empty && got.Size != uint64(n.Size)) {
				t.Errorf("%+v, %v", got, err)
			}
			got.CurrentLSN, got.Size = 0, 0
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// TestLogProbe changes the restart pages of a volume that Windows made, and asks ntfs-3g each time whether it would
// mount it for writing.
func TestLogProbe(t *testing.T) {
	probe := testenv.Peer(t, "ntfs-3g.probe")
	original := realVolume(t, "ntfs-ramslack.raw.gz")
	image := t.TempDir() + "/volume.raw"
	testenv.Run(t, testenv.Peer(t, "cp"), "--sparse=always", original, image)
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	log, err := openTree(t, testenv.Open(t, original)).Node(ntfs.Ref{Record: 2})
	if err != nil {
		t.Fatal(err)
	}
	s, err := log.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range logVariants {
		pages := make([]byte, 8192)
		if err := layer.ReadFull(s, pages, 0); err != nil {
			t.Fatal(err)
		}
		c.change(pages[:4096], pages[4096:])
		for e := range layer.Resolve(s, 0, 8192) {
			if _, err := f.WriteAt(pages[e.Off:][:e.Len], e.BaseOff); err != nil {
				t.Fatal(err)
			}
		}
		code := exitCode(probe, "--readwrite", image)
		got, err := openTree(t, testenv.Open(t, image)).Log()
		torn := strings.Contains(c.name, "torn") || strings.HasPrefix(c.name, "first zeroed")
		if got.Clean != c.clean || (got.Damage != nil) != torn || (err == nil) != c.sound || code != c.probe {
			t.Errorf("%s: %+v, %v, ntfs-3g.probe exits with %d, want %d", c.name, got, err, code, c.probe)
		}
	}
}
