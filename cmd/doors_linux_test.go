package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDoorsOfMount gives commands paths inside a mount.
func TestDoorsOfMount(t *testing.T) {
	needFUSE(t)
	binary, dir := build(t), filepath.Join(t.TempDir(), "a mount")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, binary, dir)
	p1, to := filepath.Join(dir, "p1-Documents")+"/", t.TempDir()
	const first, second = "2026-03-02T180000Z", "2026-03-03T180000Z"
	for i, c := range []struct {
		code int
		want string // of the output
		args []string
	}{
		{0, "  3  current", []string{"history", p1 + "current/Letters/offer.txt"}},
		{0, "  3  current", []string{"history", p1 + "vss1/Letters/offer.txt"}},
		{0, "deleted", []string{"history", p1 + "deleted/Projects/budget.csv"}},
		{0, "  3  current", []string{"history", p1 + "versions/Letters/offer.txt"}},
		{0, "  3  current", []string{"history", p1 + "current/Letters/.snapshots/" + first + "/offer.txt"}},
		{0, "ENCRYPTED", []string{"cat", p1 + "current/Letters/offer.txt"}},
		{0, "at 14 a crate", []string{"cat", p1 + "vss1/Letters/offer.txt"}},
		{0, "rope included", []string{"cat", p1 + "snapshots/latest/Letters/offer.txt"}},
		{0, "at 14 a crate", []string{"cat", p1 + "current/Letters/.snapshots/" + first + "/offer.txt"}},
		{0, "at 14 a crate", []string{"cat", p1 + "versions/Letters/offer.txt/" + first + ".txt"}},
		{0, "crates,1560", []string{"cat", p1 + "deleted/Projects/budget.csv"}},
		{0, "@" + second + ":/Projects/budget.csv", []string{"stat", p1 + "deleted/Projects/budget.csv"}},
		{0, "M /Letters/offer.txt  52 -> 67 bytes", []string{"diff", p1 + "vss1/Letters", p1 + "vss2/Letters"}},
		{0, "M /Letters/offer.txt  52 -> 80 bytes", []string{"diff", p1 + "current/Letters/.snapshots/" + first, p1 + "current/Letters"}},
		{0, "R /Photos -> /Pictures\n", []string{"diff", p1 + "vss1", "@vss2"}},
		{0, "1 file", []string{"restore", p1 + "vss1/Letters/offer.txt", to + "/a"}},
		{0, "1 file", []string{"restore", p1 + "current/Letters/.snapshots/" + first + "/offer.txt", to + "/b"}},
		{0, "1 file", []string{"restore", p1 + "deleted/Projects/budget.csv", to + "/c"}},
		{0, "1 file", []string{"restore", p1 + "versions/Letters/offer.txt/" + first + ".txt", to + "/d"}},
		{0, "1 file", []string{"undelete", dir, "budget.csv", to + "/e"}},
		{0, "1 file", []string{"undelete", p1 + "current/Projects/budget.csv", to + "/f"}},
		{0, "/Projects/budget.csv", []string{"find", dir, "*.csv"}},
		{0, "p2-Archive", []string{"ls", dir}},
		{1, demo(t) + ":p1-Documents@" + second + ":/Projects/budget.csv", []string{"ls", p1 + "current/Projects/budget.csv"}},
		{1, "snapmount find " + demo(t) + ":p1-Documents none.txt", []string{"ls", p1 + "deleted/none.txt"}},
		{3, "has no LOCATION for it", []string{"ls", p1 + "deleted"}},
		{3, "has no LOCATION for it", []string{"ls", p1 + "deleted/Projects"}},
		{3, "has no LOCATION for it", []string{"restore", p1 + "lost/current", to + "/lost"}},
		{3, "has no LOCATION for it", []string{"ls", p1 + "changes"}},
		{3, "has no LOCATION for it", []string{"ls", p1 + "snapshots"}},
	} {
		if code, out, errs := run(c.args...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%d: %q: exit code %d, want %d and %q\n%s%s", i, c.args, code, c.code, c.want, out, errs)
		}
	}
	if b, err := os.ReadFile(to + "/b/offer.txt"); err != nil || !strings.Contains(string(b), "at 14 a crate") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestUndeleteAsks answers the question of undelete, as a person at a terminal does.
func TestUndeleteAsks(t *testing.T) {
	binary := build(t)
	for _, c := range []struct {
		answer string
		code   int
		want   []string // files
	}{
		{"2", 0, []string{"budget.csv"}},
		{"1, 2", 0, []string{"budget.csv", "harbour.raw"}},
		{"", 0, nil},
		{"0", exitUsage, nil},
		{"99", exitUsage, nil},
		{"two", exitUsage, nil},
		{"all", 0, []string{"budget.csv", "harbour.raw"}},
	} {
		to := filepath.Join(t.TempDir(), "to")
		screen, code := atTerminal(t, c.answer+"\n", binary, "undelete", demo(t)+":p1", "*.[cr][sa][vw]", to)
		if code != c.code || !strings.Contains(screen, "Which? (1-2") || !strings.Contains(screen, "  1  2026-03-03T180000Z  300 KiB  2026") || !strings.Contains(screen, "  2  2026-03-03T180000Z  45 B     2026") {
			t.Errorf("%q: exit code %d, want %d\n%s", c.answer, code, c.code, screen)
		}
		var have []string
		_ = filepath.WalkDir(to, func(name string, d os.DirEntry, err error) error { // that it may not be there is a case
			if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), ".") {
				have = append(have, d.Name())
			}
			return nil
		})
		if fmt.Sprint(have) != fmt.Sprint(c.want) {
			t.Errorf("%q: restored %q, want %q\n%s", c.answer, have, c.want, screen)
		}
	}
}

// atTerminal runs a program whose input and errors are a pseudo terminal, types an answer when it was asked, and gives what
// was on the screen.
func atTerminal(t *testing.T, answer string, program string, args ...string) (screen string, code int) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo terminals here: %v", err)
	}
	defer ptm.Close()
	n, err := unix.IoctlGetInt(int(ptm.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ptm.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	pts, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo terminals here: %v", err)
	}
	c := exec.Command(program, args...)
	c.Stdin, c.Stderr = pts, pts
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pts.Close()
	late := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() }) // and the test tells what was on the screen
	defer late.Stop()
	var seen strings.Builder
	b := make([]byte, 4096)
	for {
		k, err := ptm.Read(b)
		seen.Write(b[:k])
		if err != nil { // EIO: the program has ended
			break
		}
		if answer != "" && strings.Contains(seen.String(), "Which?") {
			if _, err := ptm.WriteString(answer); err != nil {
				t.Fatal(err)
			}
			answer = ""
		}
	}
	return seen.String(), exitOf(c.Wait())
}
