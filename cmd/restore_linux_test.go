package cmd

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

// TestRestoreArchives unpacks archives by other programs, and compares content, times and links.
func TestRestoreArchives(t *testing.T) {
	vss1 := demoTruth(t)["Documents"]["vss1"]
	dir := t.TempDir()
	archives := map[string]string{}
	for _, to := range []string{"tar", "zip"} {
		archives[to] = filepath.Join(dir, "a."+to)
		code, out, errs := run("restore", "--to", to, "--receipt", filepath.Join(dir, to+".json"), demo(t)+":p1@vss1", archives[to])
		if code != 0 || errs != "" || !strings.Contains(out, "7 files, 3 directories, 2 links, ") {
			t.Errorf("exit %d, %s%s", code, out, errs)
		}
		r := readReceipt(t, filepath.Join(dir, to+".json"))
		for _, x := range r.Items {
			if x.Type == "file" && x.SHA256 != vss1[string(x.Path)] || x.Result != "restored" {
				t.Errorf("the receipt of the %s says %+v", to, x)
			}
		}
		if len(r.Items) != 12 || !same(t, archives[to], demo(t), to) {
			t.Errorf("%s: %d items, or not the same bytes again", to, len(r.Items))
		}
	}
	for _, c := range []struct {
		tool, kind string
		args       []string
		links      uint64 // names of plan.txt
		precise    bool   // times to 100 ns
	}{
		{"tar", "tar", []string{"--warning=no-unknown-keyword", "-xpf"}, 2, true},
		{"bsdtar", "tar", []string{"--no-xattrs", "-xf"}, 2, true},
		{"unzip", "zip", []string{"-q"}, 1, false},
		{"bsdtar", "zip", []string{"-xf"}, 1, false},
	} {
		t.Run(c.tool+" "+c.kind, func(t *testing.T) {
			to := t.TempDir()
			cmd := exec.Command(testenv.Peer(t, c.tool), append(c.args, archives[c.kind])...)
			cmd.Dir = to
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v, %s", err, out)
			}
			got := sumsBelow(t, to)
			if c.kind == "zip" { // the streams are files beside
				if got[".snapmount-streams/Letters/offer.txt%3Aauthor"] == "" {
					t.Error("no stream")
				}
				delete(got, ".snapmount-streams/Letters/offer.txt%3Aauthor")
			}
			if _, err := os.Stat(filepath.Join(to, restore.SidecarName)); err != nil {
				t.Error(err)
			}
			if !maps.Equal(got, vss1) {
				t.Errorf("got  %v\nwant %v", got, vss1)
			}
			checkUnpacked(t, to, c.links, c.precise)
		})
	}
}

// same makes an archive again, to standard output, and compares.
func same(t *testing.T, archive, image, to string) bool {
	t.Helper()
	_, out, _ := run("restore", "--to", to, image+":p1@vss1", "-")
	short := out
	if to == "tar" {
		_, short, _ = run("restore", "--to", "-", image+":p1@vss1")
	}
	b, err := os.ReadFile(archive)
	return err == nil && string(b) == out && short == out
}

func checkUnpacked(t *testing.T, dir string, links uint64, precise bool) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "Projects/plan.txt"), &st); err != nil || uint64(st.Nlink) != links {
		t.Errorf("plan.txt: %v, %d names, want %d", err, st.Nlink, links)
	}
	for link, want := range map[string]string{"My Letters": "Letters", "Projects/latest offer.txt": "../Letters/offer.txt"} {
		if got, err := os.Readlink(filepath.Join(dir, link)); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", link, got, err, want)
		}
	}
	for _, name := range []string{"Letters/offer.txt", "Letters", "Projects/budget.csv"} {
		want := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || !info.ModTime().Equal(want) {
			t.Errorf("%s: %v, %v, want %v", name, info, err, want)
		}
	}
	info, err := os.Lstat(filepath.Join(dir, "My Letters"))
	if err != nil || precise && info.ModTime().Nanosecond() == 0 {
		t.Errorf("My Letters: %v, %v", info, err)
	}
}

// TestRestoreInterrupted ends a restore by Ctrl-C: what is there is whole, and the rest follows with --resume.
func TestRestoreInterrupted(t *testing.T) {
	image, binary := ntfstest.Feat512.Build(t), build(t)
	dir := t.TempDir()
	dest := filepath.Join(dir, "dest")
	for i, args := range [][]string{{image, dest}, {"--to", "tar", image, filepath.Join(dir, "a.tar")}} {
		c := exec.Command(binary, append([]string{"restore"}, args...)...)
		var said strings.Builder
		c.Stdout, c.Stderr = &said, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "something is written", func() bool {
			at, err := os.ReadDir(dir)
			return err == nil && len(at) > i
		})
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		if err == nil {
			t.Log("it was done before the signal")
			continue
		}
		if exitOf(err) != exitInterrupted || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("%v: %s", err, said.String())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a.tar")); err == nil {
		t.Error("there is half an archive")
	}
	checkNoParts(t, dir)
	if out, err := exec.Command(binary, "restore", "--resume", image, dest).CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, out)
	}
	got := sumsBelow(t, dest)
	for _, claim := range ntfstest.Manifest(t, image) {
		if p := strings.TrimPrefix(claim.Path, "/"); claim.Type == "file" && got[p] != claim.SHA256 {
			t.Errorf("%s: %s, want %s", p, got[p], claim.SHA256)
		}
	}
}

func checkNoParts(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".part") {
			err = fmt.Errorf("%s is left", p)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestRestoreTooMuch warns before what a small file system has no room for, and says nothing where it has.
func TestRestoreTooMuch(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no file system of 64 KiB: %v", err)
	}
	defer unix.Unmount(dir, 0)
	for _, c := range []struct {
		args []string
		warn bool
	}{{[]string{demo(t) + ":p1@vss1:/Letters", filepath.Join(dir, "few")}, false}, {[]string{"--to", "tar", demo(t) + ":p1@vss1:/", filepath.Join(dir, "x.tar")}, true},
		{[]string{demo(t) + ":p1@vss1:/", dir}, true}} {
		_, _, errs := run(append([]string{"restore"}, c.args...)...)
		first, _, _ := strings.Cut(errs, "\n")
		if warned := strings.Contains(first, "609 KiB are to be written and ") && strings.Contains(first, " free in "+dir); warned != c.warn || !c.warn && errs != "" {
			t.Errorf("%q: says first %q", c.args, first)
		}
	}
}
