package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

// demoFiles is the SHA-256 of every file of the demo image, by label, point and path; links are "link".
func demoFiles(t *testing.T) map[string]map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	var truth map[string]map[string]map[string]string
	if err = errors.Join(err, json.Unmarshal(b, &truth)); err != nil {
		t.Fatal(err)
	}
	return truth
}

// demoTruth is demoFiles without what VSS keeps.
func demoTruth(t *testing.T) map[string]map[string]map[string]string {
	t.Helper()
	truth := demoFiles(t)
	for _, points := range truth {
		for _, files := range points {
			maps.DeleteFunc(files, func(path, _ string) bool { return strings.HasPrefix(path, "System Volume Information") })
		}
	}
	return truth
}

// sumsBelow is what a directory holds, in the form of demoTruth.
func sumsBelow(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".snapmount-") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.Type() == fs.ModeSymlink {
			out[rel] = "link"
			return nil
		}
		b, err := os.ReadFile(p)
		out[rel] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// only keeps what has one of the prefixes, and puts another one in front.
func only(files map[string]string, under string, prefixes ...string) map[string]string {
	out := map[string]string{}
	for path, sum := range files {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(path, p) }) {
			out[under+path] = sum
		}
	}
	return out
}

func union(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

func TestRestoreSelections(t *testing.T) {
	d, truth := demo(t), demoTruth(t)
	docs, archive := truth["Documents"], truth["Archive"]
	vss1 := docs["vss1"]
	file := func(point, path string) map[string]string { return map[string]string{path: docs[point][path]} }
	named := func(name, point, path string) map[string]string { return map[string]string{name: docs[point][path]} }
	changed := map[string]string{}
	for path, sum := range docs["vss2"] {
		if vss1[path] != sum {
			changed[path] = sum
		}
	}
	for _, c := range []struct {
		args string // separated by "|"; D is the image
		want map[string]string
	}{
		{"D:p1@vss1", vss1},
		{"D:p1@vss1:/", vss1},
		{"D:p1@vss1:/Letters", only(vss1, "", "Letters/")},
		{"D:p1@vss1:/letters", only(vss1, "", "Letters/")},
		{`D:p1@vss1:\Letters`, only(vss1, "", "Letters/")},
		{"D:p1@vss1:/Letters/", union(named("offer.txt", "vss1", "Letters/offer.txt"), named("thanks.txt", "vss1", "Letters/thanks.txt"))},
		{"D:p1@vss1:/LETTERS/OFFER.TXT", named("offer.txt", "vss1", "Letters/offer.txt")},
		{"D:p1@vss1:/Letters/offer.txt:author", map[string]string{"offer.txt:author": fmt.Sprintf("%x", sha256.Sum256([]byte("Emmy")))}},
		{"D:p1@vss1:/Letters/offer.txt|D:p1@vss2:/Projects/budget.csv", union(named("offer.txt", "vss1", "Letters/offer.txt"), named("budget.csv", "vss2", "Projects/budget.csv"))},
		{"D:p1@vss1:/P*/*.raw", only(vss1, "", "Photos/")},
		{"D:p1@vss1:/**/*.TXT", union(only(vss1, "", "Letters/"), file("vss1", "Projects/plan.txt"), file("vss1", "Projects/plan (also).txt"), file("vss1", "Projects/latest offer.txt"))},
		{"D:p1@vss1:/Projects/plan*", union(named("plan.txt", "vss1", "Projects/plan.txt"), named("plan (also).txt", "vss1", "Projects/plan.txt"))},
		{"D:p1@vss1|--exclude|*.raw|--exclude|/Letters|--exclude|plan.txt/", union(only(vss1, "", "My ", "Projects/"))},
		{"D:p1@vss1|--exclude|Letters/offer.*|--exclude|P*/", union(only(vss1, "", "My "), file("vss1", "Letters/thanks.txt"))},
		{"D:p1@current|--newer|2026-03-05", union(only(docs["current"], "", "READ ME", "Letters/offer.txt", "Projects/plan", "My ", "Projects/latest"))},
		{"D:p1@current|--older|2026-03-03", union(only(docs["current"], "", "Letters/thanks", "Pictures/bridge"))},
		{"D:p1@current|--newer|2026-03-04|--older|2026-03-05", file("current", "Projects/notes.txt")},
		{"D:p1@vss2|--changed-since|vss1", changed},
		{"D:p1|--deleted", union(file("vss2", "Projects/budget.csv"), file("vss2", "Pictures/harbour.raw"))},
		{"D:p1:/Projects/|--deleted", named("budget.csv", "vss2", "Projects/budget.csv")},
		{"D:p1:/*/*.csv|--deleted", file("vss2", "Projects/budget.csv")},
		{"D:p1@vss1|--deleted", union(file("vss1", "Projects/budget.csv"), file("vss1", "Photos/harbour.raw"))},
		{"D:p1:/Letters/offer.txt|--as-of|2026-03-03", named("offer.txt", "vss2", "Letters/offer.txt")},
		{"D:p1:/Letters/offer.txt|--as-of|2026-03-03T17:59Z", named("offer.txt", "vss1", "Letters/offer.txt")},
		{"D:p1@vss3:/Letters/offer.txt|--as-of|2026-03-03", named("offer.txt", "vss3", "Letters/offer.txt")},
		{"D@5e700002", union(only(vss1, "p1-Documents/", ""), only(archive["vss1"], "p2-Archive/", ""))},
		{"D@2026-03-04:", union(only(docs["vss3"], "p1-Documents/", ""), only(archive["vss2"], "p2-Archive/", ""))},
		{"D@5e700002:/2024*", only(archive["vss1"], "p2-Archive/", "2024/")},
		{"D@2026-03-04:/2025", only(archive["vss2"], "", "2025/")},
		{"D@2026-03-03:/Letters/", map[string]string{"offer.txt": docs["vss2"]["Letters/offer.txt"], "thanks (sent).txt": docs["vss2"]["Letters/thanks (sent).txt"]}},
		{"D", union(only(docs["current"], "p1-Documents/", ""), only(archive["current"], "p2-Archive/", ""))},
		{"D:p2@vss1:/2024/ledger.txt|D:p1-documents@vss1:/Letters/", union(map[string]string{"ledger.txt": archive["vss1"]["2024/ledger.txt"]},
			named("offer.txt", "vss1", "Letters/offer.txt"), named("thanks.txt", "vss1", "Letters/thanks.txt"))},
	} {
		dest := filepath.Join(t.TempDir(), "new", "dest")
		args := append([]string{"restore", "--progress", "none"}, strings.Split(strings.ReplaceAll(c.args, "D", d), "|")...)
		if runtime.GOOS == "windows" && strings.Contains(c.args, ":author") {
			continue
		}
		code, out, errs := run(append(args, dest)...)
		if code != 0 || errs != "" {
			t.Errorf("%s: exit %d, %s%s", c.args, code, out, errs)
		}
		if got := sumsBelow(t, dest); !maps.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", c.args, got, c.want)
		}
	}
}

// TestRestoreTwoImages takes the volumes of a set from two images.
func TestRestoreTwoImages(t *testing.T) {
	truth, dir := demoTruth(t), t.TempDir()
	second := filepath.Join(dir, "second.qcow2")
	b, err := os.ReadFile(demo(t))
	if err == nil {
		err = os.WriteFile(second, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(dir, "dest")
	code, out, errs := run("restore", demo(t)+"@2026-03-02", second+"@5e700004", second+":p1-Documents@vss2:/Letters", dest)
	want := union(only(truth["Documents"]["vss1"], "d1p1-Documents/", ""), only(truth["Archive"]["vss1"], "d1p2-Archive/", ""),
		only(truth["Documents"]["vss3"], "d2p1-Documents/", ""), only(truth["Archive"]["vss2"], "d2p2-Archive/", ""), only(truth["Documents"]["vss2"], "", "Letters/"))
	if got := sumsBelow(t, dest); code != 0 || !maps.Equal(got, want) {
		t.Errorf("exit %d, %s%s\ngot  %v\nwant %v", code, out, errs, got, want)
	}
}

// TestRestoreAsOf takes what is not at the newest point from the newest that has it, and says so.
func TestRestoreAsOf(t *testing.T) {
	d, truth := demo(t), demoTruth(t)["Documents"]
	for _, c := range []struct{ path, as, want, from, told string }{
		{"Projects/budget.csv", "2026-03-03", "vss2", "Projects/budget.csv", ""},
		{"Projects/budget.csv", "2026-03-05", "vss2", "Projects/budget.csv", "not at 2026-03-04T180000Z; taken from 2026-03-03T180000Z"},
		{"Photos/harbour.raw", "2026-03-04T18:00Z", "vss1", "Photos/harbour.raw", "not at 2026-03-04T180000Z; taken from 2026-03-02T180000Z"},
		{"Photos/harbour.raw", "2026-03-04T17:59Z", "vss1", "Photos/harbour.raw", "not at 2026-03-03T180000Z; taken from 2026-03-02T180000Z"},
	} {
		dest := t.TempDir()
		code, out, errs := run("restore", "--as-of", c.as, d+":p1:/"+c.path, dest)
		want := map[string]string{filepath.Base(c.path): truth[c.want][c.from]}
		if got := sumsBelow(t, dest); code != 0 || !maps.Equal(got, want) || !strings.Contains(errs, c.told) || (c.told == "") != (errs == "") {
			t.Errorf("%s as of %s: exit %d, %s%s, %v", c.path, c.as, code, out, errs, got)
		}
	}
	code, _, errs := run("restore", "--as-of", "2026-03-05", d+":p1:/never.txt", t.TempDir())
	if code != exitError || !strings.Contains(errs, "never.txt") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestRestoreErrors(t *testing.T) {
	d, dir := demo(t), t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(dir, "dest")
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{d}, exitUsage, "want LOCATION... DEST"},
		{[]string{d + ":p1", file}, exitUsage, "is a file, want a directory"},
		{[]string{d + ":p1", d}, exitUsage, "is of the image"},
		{[]string{"--to", "tar", "--overwrite", "always", d + ":p1", d}, exitUsage, "is of the image"},
		{[]string{"--to", "tar", d + ":p1", file}, exitError, "is there already"},
		{[]string{"--to", "zip", d + ":p1", dir}, exitError, "is a directory"},
		{[]string{d + ":p1", "-"}, exitUsage, "--to tar"},
		{[]string{"--to", "rar", d + ":p1", dest}, exitUsage, "want dir, tar, zip or -"},
		{[]string{"--to", "-", "--resume", d + ":p1"}, exitUsage, "--resume: not with"},
		{[]string{"--overwrite=some", d + ":p1", dest}, exitUsage, "if-changed"},
		{[]string{"--jobs", "-1", d + ":p1", dest}, exitUsage, "--jobs -1"},
		{[]string{"--apply-meta", dir}, exitError, "has no .snapmount-meta.jsonl"},
		{[]string{"--progress", "loud", d + ":p1", dest}, exitUsage, "json"},
		{[]string{"--newer", "tomorrow", d + ":p1", dest}, exitUsage, "2026-11-03"},
		{[]string{"--as-of", "then", d + ":p1", dest}, exitUsage, "2026-11-03"},
		{[]string{"--exclude", "[", d + ":p1", dest}, exitUsage, "syntax error"},
		{[]string{"--as-of", "2025-01-01", d + ":p1", dest}, exitNoPoint, "as of 2025-01-01: no such point in time: the nearest is vss1, 2026-03-02T180000Z"},
		{[]string{d + ":p1@vss1:/Letters/offer.txt", d + ":p1@vss2:/Letters/offer.txt", dest}, exitUsage, "are both called offer.txt"},
		{[]string{d + ":p1:/Letters/offer.txt:none", dest}, exitError, `no stream "none"`},
		{[]string{"--receipt", "-", d + ":p1", dest}, exitUsage, "want a file"},
		{[]string{"--changed-since", "vss9", d + ":p1", dest}, exitNoPoint, "--changed-since"},
		{[]string{"--deleted", "--as-of", "2026-03-03", d + ":p1", dest}, exitUsage, "--deleted"},
		{[]string{d + "@vss9", dest}, exitNoPoint, "no such point"},
		{[]string{d + ":/System Volume Information", dest}, exitUsage, "say which"},
		{[]string{d + ":p1:/none", dest}, exitError, "none"},
		{[]string{d + "@vss1:/none", dest}, exitError, "none"},
		{[]string{d + ":p1:/Projects/plan.txt/", dest}, exitError, "not a directory"},
		{[]string{d + ":p1:/none/*", dest}, exitError, "none"},
	} {
		code, out, errs := run(append([]string{"restore"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.text) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.text, out, errs)
		}
	}
	if b, err := os.ReadFile(file); string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
	code, _, errs := run("restore", "--dry-run", d+":p1:/Lett*/*.doc", dest)
	if code != exitPartial || !strings.Contains(errs, "nothing matches") {
		t.Errorf("a pattern without matches: exit %d, %s", code, errs)
	}
	code, _, errs = run("restore", d+":p1:/Letters", d+":p1:/Lett*/*.doc", dest)
	if code != exitPartial || !strings.Contains(errs, "nothing matches") || len(sumsBelow(t, dest)) != 2 {
		t.Errorf("a pattern without matches: exit %d, %s", code, errs)
	}
}

func TestRestoreOverwrite(t *testing.T) {
	d := demo(t)
	const was = "was there"
	for _, c := range []struct {
		flag    string
		age     time.Duration // of what is there, against the file of the image
		code    int
		written bool
	}{
		{"never", -time.Hour, exitPartial, false}, {"always", time.Hour, 0, true}, {"if-changed", time.Hour, 0, true},
		{"if-newer", -time.Hour, 0, true}, {"if-newer", time.Hour, 0, false},
	} {
		dest := t.TempDir()
		name := filepath.Join(dest, "offer.txt")
		at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC).Add(c.age)
		if err := os.WriteFile(name, []byte(was), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
		code, out, errs := run("restore", "--overwrite", c.flag, d+":p1@vss1:/Letters/offer.txt", dest)
		b, err := os.ReadFile(name)
		if err != nil || code != c.code || (string(b) != was) != c.written {
			t.Errorf("%s, %v: exit %d, %q, %v, %s%s", c.flag, c.age, code, b, err, out, errs)
		}
	}
}

func TestRestoreDryRun(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "dest")
	code, out, errs := run("restore", "--dry-run", demo(t)+":p1@vss1", dest)
	// one of two names of plan.txt counts: 52+26+204800+307200+30+111000
	if code != 0 || errs != "" || !strings.Contains(out, "7 files, 3 directories, 2 links: 609 KiB, 0 cannot be had") || !strings.Contains(out, " free in ") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("it made the directory")
	}
	run("restore", demo(t)+":p1@vss1:/Letters", dest)
	_, out, _ = run("restore", "--dry-run", demo(t)+":p1@vss1:/Letters", dest)
	if n := strings.Count(out, "is there, and stays"); n != 2 {
		t.Errorf("%d are there: %s", n, out)
	}
}

// TestRestoreDamage damages the record of one file: it is told, and all else is restored.
func TestRestoreDamage(t *testing.T) {
	truth := demoTruth(t)["Documents"]["current"]
	_, raw, _ := run("cat", "--raw", demo(t))
	image := []byte(raw)
	var name []byte
	for _, c := range "bridge.raw" {
		name = append(name, byte(c), 0)
	}
	hit := 0
	for off := 0; off+1024 <= len(image); off += 1024 {
		if r := image[off : off+1024]; bytes.HasPrefix(r, []byte("FILE")) && r[22] == 1 && bytes.Contains(r, name) {
			copy(r, "XXXX")
			hit++
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(path, image, 0o600); err != nil || hit == 0 {
		t.Fatal(hit, err)
	}
	delete(truth, "Pictures/bridge.raw")
	written := filepath.Join(dir, "receipt.json")
	code, out, errs := run("restore", "--receipt", written, path+":p1", filepath.Join(dir, "dest"))
	if got := sumsBelow(t, filepath.Join(dir, "dest")); code != exitPartial || !maps.Equal(got, truth) {
		t.Errorf("exit %d, %s%s\ngot  %v\nwant %v", code, out, errs, got, truth)
	}
	if !strings.Contains(errs, "snapmount: Pictures/bridge.raw: ") || !strings.Contains(out, "1 FAILED") {
		t.Errorf("%s%s", out, errs)
	}
	r := readReceipt(t, written)
	i := slices.IndexFunc(r.Items, func(x receipt.Item) bool { return x.Result == "failed" })
	if r.Complete || r.Failed != 1 || i < 0 || r.Items[i].Path != "Pictures/bridge.raw" || r.Items[i].Error == "" {
		t.Errorf("%+v", r)
	}
	for _, to := range []string{"tar", "zip"} {
		if code, out, errs := run("restore", "--to", to, path+":p1", filepath.Join(dir, "a."+to)); code != exitPartial {
			t.Errorf("%s: exit %d, %s%s", to, code, out, errs)
		}
	}
}

// A parsedReceipt is a receipt as a script reads it.
type parsedReceipt struct {
	receipt.Head
	Items []receipt.Item `json:"items"`
	receipt.End
}

func (r *parsedReceipt) read(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// readReceipt reads a receipt, and compares the sums in it with those of the files below its target.
func readReceipt(t *testing.T, path string) (r parsedReceipt) {
	t.Helper()
	r.read(t, path)
	if r.To != "dir" {
		return r
	}
	sums := sumsBelow(t, r.Target)
	for _, x := range r.Items {
		if x.Type == "file" && x.Result != "failed" && (x.SHA256 == "" || x.SHA256 != sums[string(x.Path)] || x.Verdict != "intact") {
			t.Errorf("the receipt says %+v, the file has %s", x, sums[string(x.Path)])
		}
		delete(sums, string(x.Path))
	}
	if len(sums) > 0 {
		t.Errorf("not in the receipt: %v", sums)
	}
	return r
}

func TestRestoreReceipt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "receipt.json")
	for i, want := range []string{"restored", "skipped"} {
		args := []string{"restore", "--verify", "--receipt", path, demo(t) + ":p1@vss1", filepath.Join(dir, "dest")}
		if i == 1 {
			args = append(args, "--resume")
		}
		code, out, errs := run(args...)
		r := readReceipt(t, path)
		if code != 0 || !strings.Contains(out, "; receipt "+path) || !r.Complete || r.Failed != 0 || len(r.Items) != 12 {
			t.Errorf("exit %d, %s%s, %+v", code, out, errs, r)
		}
		p := r.Points[0]
		if len(r.Points) != 1 || *p.CopyID != "000000c0-0000-11e3-9d6c-0000c0d00100" || *p.SetID != "5e700002-2026-4000-8000-000000000000" ||
			*p.Created != "2026-03-02T18:00:00.0000000Z" || p.Volume != "p1-Documents" {
			t.Errorf("%+v", p)
		}
		image, err := os.ReadFile(demo(t))
		edges := sha256.Sum256(append(bytes.Clone(image[:64<<10]), image[len(image)-64<<10:]...))
		if f := r.HostFiles[0]; err != nil || f.Size != int64(len(image)) || f.Edges != fmt.Sprintf("%x", edges) || r.Images[0].Format != "qcow2" {
			t.Errorf("%+v, %+v, %v", r.Images, f, err)
		}
		for _, x := range r.Items {
			if x.Type == "file" && x.Result != want || x.Ref == "" || x.Origin != p.Origin {
				t.Errorf("%s: %+v", want, x)
			}
		}
	}
}

func TestRestoreProgress(t *testing.T) {
	code, _, errs := run("restore", "--progress", "json", demo(t)+":p1@vss1", filepath.Join(t.TempDir(), "dest"))
	lines := strings.Split(strings.TrimSpace(errs), "\n")
	var last report.Progress
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, errs)
	}
	if !last.Done || last.Files != 12 || last.Bytes != 623108 {
		t.Errorf("%+v", last)
	}
	files, bytes, left := int64(20), int64(1<<20), 2.5
	s := report.Progress{Files: 10, Bytes: 1 << 19, TotalFiles: &files, TotalBytes: &bytes, Rate: 1 << 18, SecondsLeft: &left}
	if got := progressText(s); got != "10 of 20 files, 512 KiB of 1 MiB, 256 KiB/s, 2s left" {
		t.Error(got)
	}
}
