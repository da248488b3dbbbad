package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/mount/receipt"
)

// TestReceiptOrder restores with one job and with eight: the items are in the same order.
func TestReceiptOrder(t *testing.T) {
	order := func(jobs string) (paths []string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "r.json")
		if code, out, errs := run("restore", "--jobs", jobs, "--receipt", file, demo(t)+"@latest", filepath.Join(dir, "dest")); code != 0 {
			t.Fatalf("exit %d, %s%s", code, out, errs)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r receipt.Receipt
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		for _, x := range r.Items {
			paths = append(paths, string(x.Path)+" "+x.SHA256)
		}
		return paths
	}
	want := order("1")
	for range 5 {
		if got := order("8"); !slices.Equal(got, want) || len(got) < 10 {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
