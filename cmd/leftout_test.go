package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// leftOutFile is a file whose content the snapshot of leftOut does not have.
const leftOutFile = "2025/ledger.txt"

// leftOut writes a volume whose snapshot leaves a file out, as Windows does with the page file, which was changed since.
func leftOut(t *testing.T) string {
	t.Helper()
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	point := s.Volumes[1].Snapshots()[0] // the state that has the file
	block, err := point.Blocks()
	if err != nil {
		t.Fatal(err)
	}
	state := make([]byte, block.Size())
	n, _, err := point.Lookup(leftOutFile, false)
	if err = errors.Join(err, layer.ReadFull(block, state, 0)); err != nil {
		t.Fatal(err)
	}
	clusters, err := n.Clusters()
	if err != nil {
		t.Fatal(err)
	}
	e, err := clusters.At(0, clusters.Size())
	if err != nil || e.Kind != layer.Data {
		t.Fatal(e, err)
	}
	volume := vsstest.NewMemory(int64(len(state)))
	if _, err := volume.WriteAt(state, 0); err != nil {
		t.Fatal(err)
	}
	area := vsstest.Blocks{First: uint32(len(state)/vsstest.BlockSize) - 120, Count: 100} // no file is that far back
	sim, err := vsstest.New(vsstest.Config{Volume: volume, Area: []vsstest.Blocks{area}})
	if err != nil {
		t.Fatal(err)
	}
	at := (e.BaseOff + vsstest.BlockSize - 1) / vsstest.BlockSize * vsstest.BlockSize // no other file is in that block
	if at+vsstest.BlockSize > e.BaseOff+e.Len {
		t.Fatalf("%s fills no block", leftOutFile)
	}
	_, err = sim.Snapshot(vsstest.Options{Free: func(b uint32) bool { return int64(b) == at/vsstest.BlockSize }})
	if err = errors.Join(err, sim.Write(at, []byte("FORGED")), sim.Flush()); err != nil {
		t.Fatal(err)
	}
	if _, err := volume.ReadAt(state, 0); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "leftout.img")
	if err := os.WriteFile(image, state, 0o600); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestLeftOut has a file that Windows left out of a snapshot on purpose: whatever ranges counts it and ends with 0, who
// asks for it is told.
func TestLeftOut(t *testing.T) {
	image, dir := leftOut(t), t.TempDir()
	const counted = "left out of the snapshot"
	receipt := filepath.Join(dir, "receipt.json")
	for i, c := range []struct {
		code int
		says bool // that it was left out
		args []string
	}{
		{exitOK, true, []string{"history", image + ":/2025"}},
		{exitPartial, false, []string{"history", image + ":/" + leftOutFile}},
		{exitOK, true, []string{"diff", image + "@vss1", "@current"}},
		{exitPartial, false, []string{"diff", image + "@vss1", "@current", "/" + leftOutFile}},
		{exitOK, true, []string{"find", image, "*", "--content", "no file says this"}},
		{exitOK, false, []string{"find", image + "@current", "*", "--content", "no file says this"}},
		{exitOK, false, []string{"timeline", image, "--format", "csv", "-o", "-"}},
		{exitOK, true, []string{"restore", "--receipt", receipt, image + "@vss1", filepath.Join(dir, "all")}},
		{exitPartial, false, []string{"restore", image + "@vss1:/" + leftOutFile, filepath.Join(dir, "one")}},
		{exitDamaged, false, []string{"cat", image + "@vss1:/" + leftOutFile}},
		{exitOK, false, []string{"cat", image + "@current:/" + leftOutFile}},
	} {
		code, out, errs := run(c.args...)
		if code != c.code || strings.Contains(out+errs, counted) != c.says || code != exitOK && errs == "" {
			t.Errorf("%d %q: exit %d, want %d, that it was left out: %v\n%s%s", i, c.args, code, c.code, c.says, out, errs)
		}
	}
	if b, err := os.ReadFile(receipt); err != nil || !strings.Contains(string(b), `"left_out": 1`) {
		t.Errorf("receipt: %v\n%s", err, b)
	}
	if _, err := os.Stat(filepath.Join(dir, "all", leftOutFile)); !errors.Is(err, os.ErrNotExist) {
		t.Error(fmt.Errorf("what cannot be known was written: %w", err))
	}
}
