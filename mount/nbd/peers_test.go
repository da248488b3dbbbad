package nbd_test

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// TestNBDInfo has nbdinfo list the exports, and qemu-img look at one.
func TestNBDInfo(t *testing.T) {
	nbdinfo, qemu := testenv.Peer(t, "nbdinfo"), testenv.Peer(t, "qemu-img")
	socket := serve(t, newTree(t, demo(t)))
	out, err := exec.Command(nbdinfo, "--list", "--json", "nbd+unix://?socket="+socket).Output()
	var list struct {
		Exports []struct {
			Name string `json:"export-name"`
			Size int64  `json:"export-size"`
			RO   bool   `json:"is_read_only"`
			Many bool   `json:"can_multi_conn"`
		} `json:"exports"`
	}
	if err == nil {
		err = json.Unmarshal(out, &list)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(list.Exports) != 7 {
		t.Errorf("%d exports", len(list.Exports))
	}
	for _, e := range list.Exports {
		if e.Size != 32<<20 && e.Size != 24<<20 || !e.RO || !e.Many {
			t.Errorf("%+v", e)
		}
	}
	out, err = exec.Command(qemu, "info", "--output=json", "nbd+unix:///p1-Documents/vss1.img?socket="+socket).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"virtual-size": 33554432`) {
		t.Errorf("qemu-img info: %v\n%s", err, out)
	}
}

// TestNBDCopy has nbdcopy, with its many connections, and qemu-img copy a point.
func TestNBDCopy(t *testing.T) {
	nbdcopy, qemu := testenv.Peer(t, "nbdcopy"), testenv.Peer(t, "qemu-img")
	f := newTree(t, demo(t))
	socket, dir := serve(t, f), t.TempDir()
	n, err := f.Walk("/raw/p1-Documents/vss2.img", true)
	if err != nil {
		t.Fatal(err)
	}
	src, err := n.Open()
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.New()
	if err := layer.Hash(t.Context(), want, src, nil); err != nil {
		t.Fatal(err)
	}
	uri := "nbd+unix:///p1-Documents/vss2?socket=" + socket
	for _, c := range [][]string{
		{nbdcopy, "--connections=4", uri, filepath.Join(dir, "copy")},
		{qemu, "convert", "-f", "raw", "-O", "raw", uri, filepath.Join(dir, "copy2")},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", c, err, out)
		}
		got := sha256.New()
		b, err := os.ReadFile(c[len(c)-1])
		if err != nil {
			t.Fatal(err)
		}
		got.Write(b)
		if string(got.Sum(nil)) != string(want.Sum(nil)) {
			t.Errorf("%s: other bytes", c[0])
		}
	}
}
