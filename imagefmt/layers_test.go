package imagefmt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
)

// TestLayers opens each state of a chain: two files with internal snapshots in the upper one.
func TestLayers(t *testing.T) {
	qemuImg, qemuIO := testenv.Peer(t, "qemu-img"), testenv.Peer(t, "qemu-io")
	dir := t.TempDir()
	base, top := filepath.Join(dir, "base.vhd"), filepath.Join(dir, "top.qcow2")
	began := time.Now().Truncate(time.Second)
	testenv.Run(t, qemuImg, "create", "-q", "-f", "vpc", "-o", "force_size=on", base, "2M")
	testenv.Run(t, qemuIO, "-f", "vpc", "-c", "write -P 1 0 1M", base)
	testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-b", "base.vhd", "-F", "vpc", top)
	for i := range 2 {
		testenv.Run(t, qemuIO, "-c", fmt.Sprintf("write -P %d %dk 100k", 2+i, 300*i), top)
		testenv.Run(t, qemuImg, "snapshot", "-q", "-c", fmt.Sprintf("state %d", i), top)
	}
	testenv.Run(t, qemuIO, "-c", "write -P 9 0 2M", top)
	truth := func(args ...string) []byte {
		raw := filepath.Join(t.TempDir(), "raw")
		testenv.Run(t, qemuImg, append(append([]string{"convert", "-O", "raw"}, args...), raw)...)
		b, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := []struct {
		layers  []string // ways to name it
		format  string
		content []byte
	}{
		{[]string{"", "0", "top.qcow2"}, "qcow2", truth(top)},
		{[]string{"base.vhd", "BASE.VHD"}, "vhd", truth(base)},
		{[]string{"2", "state 0"}, "qcow2", truth("-l", "snapshot.id=1", top)},
		{[]string{"3", "state 1"}, "qcow2", truth("-l", "snapshot.id=2", top)},
	}
	for i, w := range want {
		for _, name := range w.layers {
			img, err := imagefmt.Open(top, imagefmt.Options{Layer: name})
			if err != nil {
				t.Fatal(err)
			}
			layertest.Contract(t, img, w.content)
			list := img.Layers()
			if len(list) != len(want) || img.Format() != w.format || list[i].Size != int64(len(w.content)) || list[i].Format != w.format {
				t.Errorf("layer %q: %s, %+v", name, img.Format(), list)
			} else if at := list[i].Time; i > 0 && (at.Before(began) || at.After(time.Now())) {
				t.Errorf("layer %q is of %v", name, at)
			}
			img.Close()
		}
	}
	for id, i := range map[string]int{"1": 2, "2": 3, "state 1": 3} { // "1" is a layer too
		img, err := imagefmt.Open(top, imagefmt.Options{Snapshot: id})
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, img, want[i].content)
		img.Close()
	}
	if _, err := imagefmt.Open(top, imagefmt.Options{Snapshot: "base.vhd"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file as a snapshot: %v", err)
	}
	if _, err := imagefmt.Open(top, imagefmt.Options{Layer: "no such"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a layer that is not there: %v", err)
	}
}
