package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
)

// TestInfoEvidence shows what an acquisition noted, and damage that info itself meets.
func TestInfoEvidence(t *testing.T) {
	acquire, dir := testenv.Peer(t, "ewfacquire"), t.TempDir()
	_, raw, _ := run("cat", "--raw", demo(t))
	disk := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(disk, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, acquire, "-u", "-q", "-t", filepath.Join(dir, "disk"), "-f", "encase6", "-c", "none", "-S", "20MiB", "-d", "sha1",
		"-C", "Case 7", "-E", "Item 3", "-e", "E. Noether", "-D", "the disk", "-N", "wet paint", disk)
	image := filepath.Join(dir, "disk.E01")
	code, out, stderr := run("info", image)
	if code != exitOK {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, want := range []string{
		`EWF version 1, 3 segments, chunks of 32768 bytes, compression none`, `case +Case 7`, `evidence +Item 3`, `examiner +E. Noether`, `description +the disk`,
		`acquired +20\d\d-\d\d-\d\d`, `software +20`, `MD5, stored +[0-9a-f]{32}`, `SHA1, stored +[0-9a-f]{40}`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s\nwant %s", out, want)
		}
	}
	evidence := func() (e report.Evidence) {
		var r report.Info
		if _, out, _ := run("info", "--json", image); json.Unmarshal([]byte(out), &r) != nil || r.Images[0].Evidence == nil {
			t.Fatalf("%s", out)
		}
		return *r.Images[0].Evidence
	}
	if e := evidence(); *e.Case != "Case 7" || e.Segments != 3 || len(*e.SHA1) != 40 || e.Model != nil || *e.Notes != "wet paint" || len(e.Bad) != 0 || e.SectorSize != 512 {
		t.Errorf("%+v", e)
	}
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("FILE0")) // the first record of the first MFT, which info reads
	b[at+100] ^= 1
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	e, want := evidence(), int64(strings.Index(raw, "FILE0"))&^0x7fff
	if len(e.Bad) == 0 || e.Bad[0].Offset != want || e.Bad[0].Length != 0x8000 || !strings.Contains(e.Bad[0].Error, "adler-32") {
		t.Errorf("%+v, want the chunk at 0x%x", e.Bad, want)
	}
	if _, out, _ := run("info", image); !strings.Contains(out, "BAD so far: 0x8000 bytes at 0x") {
		t.Errorf("%s", out)
	}
}

// TestLayerDates tells of layers whose format keeps no dates when their files were modified.
func TestLayerDates(t *testing.T) {
	qemuImg, dir := testenv.Peer(t, "qemu-img"), t.TempDir()
	base, top := filepath.Join(dir, "base.vhdx"), filepath.Join(dir, "top.qcow2")
	testenv.Run(t, qemuImg, "convert", "-O", "vhdx", demo(t), base)
	testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-b", "base.vhdx", "-F", "vhdx", top)
	testenv.Run(t, qemuImg, "snapshot", "-q", "-c", "before", top)
	at := time.Date(2024, 2, 29, 13, 14, 15, 0, time.UTC)
	if err := os.Chtimes(base, at, at); err != nil {
		t.Fatal(err)
	}
	_, out, _ := run("info", top)
	for _, want := range []string{`layer 1: base.vhdx, vhdx, .*, file modified 2024-02-29 13:14:15`, `layer 2: before, internal snapshot 1, .*, created 20`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s\nwant %s", out, want)
		}
	}
	var r report.Info
	if _, out, _ := run("info", "--json", top); json.Unmarshal([]byte(out), &r) != nil {
		t.Fatal(out)
	}
	l := r.Images[0].Layers
	if l[1].Created != nil || *l[1].Modified != "2024-02-29T13:14:15.0000000Z" || l[2].Created == nil || l[2].Modified != nil {
		t.Errorf("%+v", l)
	}
}

// TestOtherFileSystems gives the points of volumes that are not NTFS as block images: the demo with boot sectors of ReFS.
func TestOtherFileSystems(t *testing.T) {
	refs := func(text string) []byte {
		b := []byte(text)
		for at := bytes.Index(b, []byte("NTFS    ")) - 3; at >= 0; at = bytes.Index(b, []byte("NTFS    ")) - 3 {
			clear(b[at:][:512])
			copy(b[at+3:], "ReFS\x00\x00\x00\x00\x00\x00\x00\x00\x00FSRS")
		}
		return b
	}
	_, disk, _ := run("cat", "--raw", demo(t))
	_, before, _ := run("cat", "--raw", demo(t)+":p1@vss1")
	image := filepath.Join(t.TempDir(), "refs.raw")
	if err := os.WriteFile(image, refs(disk), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := run("info", image)
	if code != exitOK || !regexp.MustCompile(`(?s)p1: REFS, .*vss3 +2026.*p2: REFS`).MatchString(out) {
		t.Errorf("exit code %d, %s%s", code, out, stderr)
	}
	code, got, stderr := run("cat", "--raw", image+":p1@vss1")
	if code != exitOK || len(got) < 1<<20 || got != string(refs(before)) {
		t.Errorf("exit code %d, %d bytes, other than of the same snapshot under NTFS, %s", code, len(got), stderr)
	}
	if code, _, stderr := run("ls", image+":p1@vss1:/"); code == exitOK || !strings.Contains(stderr, "p1") {
		t.Errorf("ls: exit code %d, %s", code, stderr)
	}
}
