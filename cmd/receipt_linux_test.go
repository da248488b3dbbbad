package cmd

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// acquired is the demo as ewfacquire makes an E01 of it, without compression, and the bytes of its disk.
func acquired(t *testing.T) (image string, disk []byte) {
	t.Helper()
	_, raw, _ := run("cat", "--raw", demo(t))
	base := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(base, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, testenv.Peer(t, "ewfacquire"), "-q", "-u", "-t", base, "-f", "encase6", "-c", "none", "-d", "sha1", base)
	return base + ".E01", []byte(raw)
}

// TestReceiptEvidence looks for the hashes that an E01 keeps, as they are of the disk.
func TestReceiptEvidence(t *testing.T) {
	image, disk := acquired(t)
	path := filepath.Join(t.TempDir(), "r.json")
	code, out, errs := run("restore", "--receipt", path, image+":p1@vss1", filepath.Join(t.TempDir(), "dest"))
	r := readReceipt(t, path)
	if code != 0 || !r.Complete || len(r.Images) != 1 {
		t.Fatalf("exit %d, %s%s, %+v", code, out, errs, r)
	}
	if i := r.Images[0]; i.Path != image || i.Format != "ewf" || i.Size != int64(len(disk)) || i.MD5 != fmt.Sprintf("%x", md5.Sum(disk)) || i.SHA1 != fmt.Sprintf("%x", sha1.Sum(disk)) {
		t.Errorf("%+v", i)
	}
}

// damagedChunk is acquired, with a damaged chunk in a file of the first point, and what that holds.
func damagedChunk(t *testing.T, path string) (image, content string) {
	t.Helper()
	image, _ = acquired(t)
	_, content, _ = run("cat", demo(t)+":p1@vss1:/"+path)
	b, err := os.ReadFile(image)
	at := bytes.Index(b, []byte(content[8192:8192+512]))
	if err != nil || at < 0 {
		t.Fatal(at, err)
	}
	b[at]++
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return image, content
}

// TestReceiptDamage damages what a chunk of an E01 has of a file: it fails or, with --partial, has a hole there. Both are
// in the receipt.
func TestReceiptDamage(t *testing.T) {
	const path = "Photos/bridge.raw"
	image, content := damagedChunk(t, path)
	for _, partial := range []bool{false, true} {
		dir := t.TempDir()
		dest, file := filepath.Join(dir, "dest"), filepath.Join(dir, "r.json")
		code, out, errs := run("restore", "--receipt", file, fmt.Sprintf("--partial=%v", partial), image+":p1@vss1:/Photos", dest)
		var r parsedReceipt
		r.read(t, file)
		i := slices.IndexFunc(r.Items, func(x receipt.Item) bool { return x.Path == path })
		if code != exitPartial || r.Complete || r.Failed != 1 || i < 0 || r.Items[i].Verdict == "intact" {
			t.Fatalf("exit %d, %s%s, %+v", code, out, errs, r)
		}
		there, err := os.ReadFile(filepath.Join(dest, path))
		x := r.Items[i]
		if !partial {
			if x.Result != "failed" || x.Error == "" || x.SHA256 != "" || err == nil {
				t.Errorf("%+v, %v", x, err)
			}
			continue
		}
		want := []byte(content)
		for _, g := range x.Missing {
			clear(want[g.Off:][:g.Len])
		}
		if x.Result != "incomplete" || len(x.Missing) == 0 || x.SHA256 != fmt.Sprintf("%x", sha256.Sum256(there)) || !bytes.Equal(there, want) {
			t.Errorf("%+v, %v", x, err)
		}
	}
}

// TestReceiptSet restores two volumes of a shadow copy set, and names that the target has otherwise.
func TestReceiptSet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	code, out, errs := run("restore", "--receipt", path, demo(t)+"@5e700002", demo(t)+":p1@vss1:/Letters/offer.txt:author", filepath.Join(t.TempDir(), "dest"))
	r := readReceipt(t, path)
	if code != 0 || len(r.Points) != 2 || r.Points[0].Volume != "p1-Documents" || r.Points[1].Volume != "p2-Archive" || *r.Points[0].SetID != *r.Points[1].SetID {
		t.Fatalf("exit %d, %s%s, %+v", code, out, errs, r.Points)
	}
	sums, streams := map[report.Name]string{}, 0
	for _, x := range r.Items {
		volume, _, _ := strings.Cut(string(x.Path), "/")
		if x.Stream != "" {
			streams, volume = streams+1, "p1-Documents"
			if x.Stream != "author" || x.SHA256 != fmt.Sprintf("%x", sha256.Sum256([]byte("Emmy"))) {
				t.Errorf("%+v", x)
			}
		}
		if !strings.Contains(x.Origin, ":"+volume+"@2026-03-02T180000Z") {
			t.Errorf("%+v", x)
		}
		sums[x.Path] = x.SHA256 + x.Ref
	}
	if one := sums["p1-Documents/Projects/plan.txt"]; one == "" || one != sums["p1-Documents/Projects/plan (also).txt"] || streams != 1 {
		t.Errorf("%d streams, %v", streams, sums)
	}
}

func TestReceiptMapped(t *testing.T) {
	v := buildEdited(t, goneScript[:1], nil)
	path := filepath.Join(t.TempDir(), "r.json")
	code, out, errs := run("restore", "--receipt", path, v.image+":/other", filepath.Join(t.TempDir(), "dest"))
	r := readReceipt(t, path)
	i := slices.IndexFunc(r.Items, func(x receipt.Item) bool { return x.Path == "other/50%2520off.txt" })
	if code != 0 || i < 0 || r.Items[i].Mapped != "50%20off.txt" || r.Items[i].SHA256 != v.sums[0]["/other/50%20off.txt"] {
		t.Errorf("exit %d, %s%s, %+v", code, out, errs, r.Items)
	}
}

// TestReceiptKilled kills a restore: there is no receipt then, and when it was resumed one of all that is there, wherever it
// is written.
func TestReceiptKilled(t *testing.T) {
	image, binary, dir := ntfstest.Feat512.Build(t), build(t), t.TempDir()
	dest := filepath.Join(dir, "dest")
	path := filepath.Join(dest, "sizes", "r.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	args := []string{"restore", "--resume", "--exclude", "fragdir*", "--exclude", "sparse", "--receipt", path, image, dest}
	c := exec.Command(binary, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "some files are written", func() bool {
		at, err := os.ReadDir(filepath.Join(dest, "acl"))
		return err == nil && len(at) > 50
	})
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Log("it was done before the signal")
	} else if _, err := os.Stat(path); err == nil {
		t.Error("there is a receipt of half the work")
	}
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	var r parsedReceipt
	r.read(t, path)
	got, want := map[string]string{}, sumsBelow(t, dest)
	for _, x := range r.Items {
		if x.Type == "file" {
			got[string(x.Path)] = x.SHA256
		}
	}
	delete(want, "sizes/r.json")
	maps.DeleteFunc(want, func(path, sum string) bool { return sum == "link" || strings.HasPrefix(path, restore.StreamsName) })
	for path, sum := range want {
		if got[path] != sum {
			t.Errorf("%s: %q in the receipt, want %s", path, got[path], sum)
		}
	}
	if !r.Complete || r.Skipped == 0 || len(want) < 1500 || len(got) != len(want) {
		t.Errorf("complete %v, %d were there, %d files in the receipt, %d below its target", r.Complete, r.Skipped, len(got), len(want))
	}
	claims := 0
	for _, claim := range ntfstest.Manifest(t, image) {
		if sum := got[strings.TrimPrefix(claim.Path, "/")]; claim.Type == "file" && sum != "" {
			if claims++; sum != claim.SHA256 {
				t.Errorf("%s: %s, want %s", claim.Path, sum, claim.SHA256)
			}
		}
	}
	if claims < 100 {
		t.Errorf("%d files are in the manifest", claims)
	}
}
