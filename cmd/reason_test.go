package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

// lackingPart writes the demo's disk as a VMDK of two pieces of which the second is missing. It begins in the midst of a
// file of the first volume, at the offset that is returned.
func lackingPart(t *testing.T, path string) (image string, at int64) {
	t.Helper()
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, _, err := s.Volumes[0].Current().Lookup(path, false)
	if err != nil {
		t.Fatal(err)
	}
	clusters, err := n.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	e, err := clusters.At(0, clusters.Size())
	if err != nil || e.Base == nil {
		t.Fatal(e, err)
	}
	at = e.Len / 1024 * 512
	disk := s.Images[0].Disk
	piece := make([]byte, s.Volumes[0].Partition.Off+e.BaseOff+at)
	if err := layer.ReadFull(disk, piece, 0); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	text := fmt.Sprintf("# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType=\"twoGbMaxExtentFlat\"\nRW %d FLAT \"a-f001.vmdk\" 0\nRW %d FLAT \"a-f002.vmdk\" 0\n",
		len(piece)/512, (disk.Size()-int64(len(piece)))/512)
	image = filepath.Join(dir, "a.vmdk")
	for name, b := range map[string][]byte{image: []byte(text), filepath.Join(dir, "a-f001.vmdk"): piece} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return image, at
}

// TestReasons asks about a file of which one half is in a missing part of the image.
func TestReasons(t *testing.T) {
	const path = "Pictures/bridge.raw"
	image, at := lackingPart(t, path)
	_, content, _ := run("cat", demo(t)+":p1@current:/"+path)
	reasons(t, image+":p1@current:/"+path, []report.Gap{{Offset: at, Length: int64(len(content)) - at, Reason: layer.Missing}})
}

// reasons asks all who tell about content of a file for the ranges of it that are unknown.
func reasons(t *testing.T, location string, want []report.Gap) {
	t.Helper()
	var stat struct {
		Verdict string
		Ranges  []report.Gap
	}
	name, _ := want[0].Reason.MarshalText()
	code, out, errs := run("stat", "--json", location)
	if err := json.Unmarshal([]byte(out), &stat); err != nil {
		t.Fatalf("exit %d, %s%s: %v", code, out, errs, err)
	}
	if !slices.Equal(stat.Ranges, want) || !strings.Contains(stat.Verdict, "unknown, "+want[0].Reason.String()) || !strings.Contains(out, `"reason":"`+string(name)+`"`) {
		t.Errorf("stat: %s, ranges %+v, want %+v", stat.Verdict, stat.Ranges, want)
	}
	_, out, _ = run("explain", "--json", location)
	var lost []report.Gap
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var p report.Piece
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if (p.Reason > 0) != (p.Error != "") {
			t.Errorf("explain: %+v", p)
		}
		if p.Reason > 0 {
			lost = append(lost, report.Gap{Offset: p.Offset, Length: p.Length, Reason: p.Reason})
		}
	}
	if !slices.Equal(lost, want) {
		t.Errorf("explain: %+v, want %+v", lost, want)
	}
	if _, out, _ = run("explain", location); !strings.Contains(out, want[0].Reason.String()) {
		t.Errorf("explain: %s", out)
	}
	if code, _, errs := run("cat", location); code != exitDamaged || !strings.Contains(errs, want[0].Reason.String()) {
		t.Errorf("cat: exit %d, %s", code, errs)
	}
	if code, _, errs := run("restore", location, filepath.Join(t.TempDir(), "dest")); code == exitOK {
		t.Errorf("restore: %s", errs)
	}
	file := filepath.Join(t.TempDir(), "r.json")
	_, out, errs = run("restore", "--partial", "--receipt", file, location, filepath.Join(t.TempDir(), "dest"))
	b, err := os.ReadFile(file)
	var r struct{ Items []receipt.Item }
	if err = errors.Join(err, json.Unmarshal(b, &r)); err != nil || len(r.Items) != 1 {
		t.Fatalf("%s%s: %v, %+v", out, errs, err, r)
	}
	x := r.Items[0]
	var missing []report.Gap
	for _, m := range x.Missing {
		missing = append(missing, report.Gap{Offset: m.Off, Length: m.Len, Reason: m.Reason})
	}
	if !slices.Equal(x.Ranges, want) || !slices.Equal(missing, want) || x.Result != "incomplete" {
		t.Errorf("receipt: %+v, want %+v", x, want)
	}
}
