package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snapmount/cmd"
	"snapmount/imagefmt/layer/testenv"
)

var someday = about{Version: "1.2.3", Commit: "0123456789ab", Date: time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)}

func TestVersionOf(t *testing.T) {
	for _, c := range []struct {
		said    string
		changed bool
		want    string
	}{
		{"v1.2.3-0-gabc", false, "1.2.3"},
		{"v1.2.3-rc.1-0-gabc", false, "1.2.3-rc.1"},
		{"v1.2.3-0-gabc", true, "1.2.4-dev.0.gabc.changed"},
		{"v1.2.3-7-gabc", false, "1.2.4-dev.7.gabc"},
		{"v1.2.3-rc.1-7-gabc", false, "1.2.3-dev.7.gabc"},
		{"v0.0.0-300-gabc", false, "0.0.0-dev.300.gabc"},
		{"vacation-7-gabc", false, ""},
	} {
		if got, err := versionOf(c.said, c.changed); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v, want %q", c.said, got, err, c.want)
		}
	}
}

// TestManifests fills all templates, and looks for what was not filled in.
func TestManifests(t *testing.T) {
	r := &release{out: t.TempDir(), url: "https://example.org/snapmount/", about: someday}
	var err error
	if r.targets, err = parseTargets(allTargets); err != nil {
		t.Fatal(err)
	}
	sums := map[string]bool{}
	for i, target := range r.targets {
		path := filepath.Join(r.out, r.archive(target))
		if err := os.WriteFile(path, []byte{byte(i)}, 0o600); err != nil {
			t.Fatal(err)
		}
		if sum, _ := sha256Of(path); target.os != "freebsd" {
			sums[sum] = true
		}
	}
	if err := r.manifests(); err != nil {
		t.Fatal(err)
	}
	hash := regexp.MustCompile(`(?i)\b[0-9a-f]{64}\b`)
	link := regexp.MustCompile(`https://\S+?\.(zip|tar\.gz)`)
	for _, name := range manifests {
		b, err := os.ReadFile(filepath.Join(r.out, name))
		text := string(b)
		if err != nil || strings.Contains(text, "{{") || strings.Contains(text, "no value") || !strings.Contains(text, "1.2.3") || strings.Contains(text, "//snapmount_") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
		if links := link.FindAllString(text, -1); len(links) != len(hash.FindAllString(text, -1)) {
			t.Errorf("%s: not a sum for each of %q", name, links)
		} else {
			for _, l := range links {
				if _, err := os.Stat(filepath.Join(r.out, filepath.Base(l))); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		for _, sum := range hash.FindAllString(text, -1) {
			if sum = strings.ToLower(sum); !sums[sum] && !strings.Contains(name, "winget") {
				t.Errorf("%s: the sum %s is of nothing, or there twice", name, sum)
			} else if !strings.Contains(name, "winget") {
				delete(sums, sum)
			}
		}
		if strings.HasSuffix(name, ".json") && !json.Valid(b) {
			t.Errorf("%s is no JSON", name)
		}
	}
	if len(sums) > 0 {
		t.Errorf("archives that no manifest names: %v", sums)
	}
	if _, err := filled("scoop.json", page{Sums: map[string]string{}}); err == nil {
		t.Error("a sum that is missing is no error")
	}
}

// TestArchives packs the same files from two directories: neither where they lie nor when they were written shows.
func TestArchives(t *testing.T) {
	for _, kind := range []string{".tar.gz", ".zip"} {
		var made [2]string
		for i := range made {
			dir := t.TempDir()
			var items []item
			for _, name := range []string{"b", "a/c"} {
				path := filepath.Join(dir, "file"+strings.ReplaceAll(name, "/", ""))
				if err := os.WriteFile(path, []byte("content of "+name), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, time.Time{}, time.Unix(int64(i)*1e6, 0)); err != nil {
					t.Fatal(err)
				}
				items = append([]item{{name, path, 0o755}}, items...)
			}
			if i == 1 {
				items[0], items[1] = items[1], items[0]
			}
			out := filepath.Join(dir, "archive"+kind)
			if err := writeArchive(out, "top", items, someday.Date); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			made[i] = string(b)
		}
		if made[0] != made[1] || len(made[0]) < 100 {
			t.Errorf("%s: %d and %d bytes, not the same", kind, len(made[0]), len(made[1]))
		}
	}
}

// TestDocs makes manual pages and completion twice, and has man and bash read them.
func TestDocs(t *testing.T) {
	var dirs [2]string
	for i := range dirs {
		dirs[i] = t.TempDir()
		if err := writeDocs(dirs[i], someday); err != nil {
			t.Fatal(err)
		}
	}
	same(t, dirs[0], dirs[1])
	for _, c := range cmd.Tree().Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dirs[0], "man", "snapmount-"+c.Name()+".1"))
		if err != nil {
			t.Error(err)
		}
		for _, g := range cmd.Groups(c) {
			if !strings.Contains(string(b), ".SH "+strings.ToUpper(g.Heading)+"\n") {
				t.Errorf("snapmount-%s.1 lacks the flags of %q", c.Name(), g.Heading)
			}
		}
		if strings.Contains(string(b), "OPTIONS INHERITED") {
			t.Errorf("snapmount-%s.1 has flags twice", c.Name())
		}
	}
	if out, err := exec.Command(testenv.Peer(t, "bash"), "-n", filepath.Join(dirs[0], "completion", "snapmount.bash")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	pages, err := below(filepath.Join(dirs[0], "man"), func(string) bool { return true })
	if err != nil || len(pages) < 15 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	man := testenv.Peer(t, "man")
	for _, p := range pages {
		c := exec.Command(man, "--warnings", "-l", p.path)
		c.Env = append(os.Environ(), "MANWIDTH=80", "LC_ALL=C.UTF-8", "MANPAGER=cat")
		var said strings.Builder
		c.Stderr = &said
		if out, err := c.Output(); err != nil || said.Len() > 0 || len(out) < 300 {
			t.Errorf("%s: %v, %d bytes, %s", p.name, err, len(out), said.String())
		}
	}
}

// same compares all files below two directories.
func same(t *testing.T, a, b string) {
	t.Helper()
	all := func(string) bool { return true }
	filesA, err := below(a, all)
	filesB, err2 := below(b, all)
	if err != nil || err2 != nil || len(filesA) == 0 || len(filesA) != len(filesB) {
		t.Fatalf("%d and %d files, %v, %v", len(filesA), len(filesB), err, err2)
	}
	for i := range filesA {
		sumA, err := sha256Of(filesA[i].path)
		sumB, err2 := sha256Of(filesB[i].path)
		if err != nil || err2 != nil || filesA[i].name != filesB[i].name || sumA != sumB {
			t.Errorf("%s and %s are not the same: %v, %v", filesA[i].path, filesB[i].path, err, err2)
		}
	}
}
