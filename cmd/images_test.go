package cmd

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
)

// TestFormats reads one file of the demo image in every format that qemu-img writes.
func TestFormats(t *testing.T) {
	qemuImg, dir := testenv.Peer(t, "qemu-img"), t.TempDir()
	_, want, _ := run("cat", demo(t)+":p1@vss1:/Letters/offer.txt")
	if want == "" {
		t.Fatal("no such file")
	}
	for _, f := range []struct{ qemu, options, format string }{
		{"raw", "", "raw"}, {"vpc", "force_size=on", "vhd"}, {"vhdx", "", "vhdx"}, {"vdi", "", "vdi"}, {"qcow2", "", "qcow2"},
		{"vmdk", "subformat=monolithicSparse", "vmdk"}, {"vmdk", "subformat=streamOptimized", "vmdk"}, {"vmdk", "subformat=twoGbMaxExtentFlat", "vmdk"},
	} {
		image := filepath.Join(dir, f.format+"-"+strings.TrimPrefix(f.options, "subformat=")+"."+f.format)
		args := []string{"convert", "-O", f.qemu}
		if f.options != "" {
			args = append(args, "-o", f.options)
		}
		testenv.Run(t, qemuImg, append(args, demo(t), image)...)
		if code, got, stderr := run("cat", image+":p1@vss1:/Letters/offer.txt"); code != 0 || got != want {
			t.Errorf("%s: exit code %d, %q, %s", image, code, got, stderr)
		}
		if code, got, stderr := run("info", image); code != 0 || !strings.Contains(got, ": "+f.format+", ") {
			t.Errorf("info %s: exit code %d, %s%s", image, code, got, stderr)
		}
	}
}

// TestVerify makes an E01 image, verifies it, and damages it.
func TestVerify(t *testing.T) {
	acquire, dir := testenv.Peer(t, "ewfacquire"), t.TempDir()
	_, raw, _ := run("cat", "--raw", demo(t))
	disk := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(disk, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, acquire, "-u", "-q", "-t", filepath.Join(dir, "disk"), "-f", "encase6", "-c", "none", disk)
	image := filepath.Join(dir, "disk.E01")
	code, stdout, stderr := run("verify", "--json", image)
	var r report.Verify
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK || !r.Intact || r.Size != int64(len(raw)) || r.Hashes[0].Stored == nil {
		t.Fatalf("exit code %d, %s%s, %v", code, stdout, stderr, err)
	}
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("Dear Ms Noether"))
	b[at] ^= 1
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, _ = run("verify", image)
	if code != exitDamaged || !strings.Contains(stdout, "DIFFERS") || !strings.Contains(stdout, "BAD ") || !strings.Contains(stdout, "NOT INTACT") {
		t.Errorf("damaged: exit code %d, %s", code, stdout)
	}
	code, stdout, stderr = run("verify", demo(t))
	for _, want := range []string{fmt.Sprintf("SHA256 %x  none stored\n", sha256.Sum256([]byte(raw))), fmt.Sprintf("MD5    %x  none stored\n", md5.Sum([]byte(raw))), "no hash is stored to compare with"} {
		if code != exitOK || !strings.Contains(stdout, want) || strings.Contains(stdout, ", intact") {
			t.Errorf("qcow2: exit code %d, %s%s, want %q", code, stdout, stderr, want)
		}
	}
	damaged := raw[:strings.Index(raw, "Dear Ms Noether")]
	if code, got, _ := run("cat", "--raw", image); code != exitDamaged || len(got) > len(damaged) {
		t.Errorf("cat: exit code %d after %d bytes", code, len(got))
	}
	if code, got, _ := run("cat", "--raw", "--bad-chunks", "zero", image); code != exitOK || len(got) != len(raw) || got == raw {
		t.Errorf("cat with zeros: exit code %d after %d bytes", code, len(got))
	}
}

// TestLayers names an earlier state of an image in all ways.
func TestLayers(t *testing.T) {
	qemuImg, image := testenv.Peer(t, "qemu-img"), filepath.Join(t.TempDir(), "top.qcow2")
	testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-b", demo(t), "-F", "qcow2", image)
	if code, _, stderr := run("info", image); code == 0 || !strings.Contains(stderr, "demo.qcow2 is not beside") {
		t.Errorf("a backing file elsewhere: exit code %d, %s", code, stderr)
	}
	b, err := os.ReadFile(demo(t))
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(image), "demo.qcow2"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, qemuImg, "snapshot", "-q", "-c", "before", image)
	for _, args := range [][]string{{image}, {"--layer", "1", image}, {"--image-snapshot", "before", image}, {image + "@layer:demo.qcow2"}, {image + "@layer:before"}} {
		location := args[len(args)-1] + ":p1@vss1:/Letters/offer.txt"
		code, got, stderr := run(slices.Concat([]string{"cat"}, args[:len(args)-1], []string{location})...)
		if code != 0 || !strings.HasPrefix(got, "Dear Ms Noether") {
			t.Errorf("%q: exit code %d, %q, %s", args, code, got, stderr)
		}
		if code, _, stderr := run(append([]string{"info"}, args...)...); code != 0 {
			t.Errorf("info %q: exit code %d, %s", args, code, stderr)
		}
	}
	code, _, stderr := run("ls", image+"@layer:none:/")
	if code != exitError || !strings.Contains(stderr, "1 demo.qcow2") {
		t.Errorf("a layer that is not there: exit code %d, %s", code, stderr)
	}
}
