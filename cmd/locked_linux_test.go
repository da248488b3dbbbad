package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/mount"
)

// typed answers questions on a terminal, one line each, and notes whether the terminal shows what is typed. What is on the
// screen has «...» where a line was typed.
type typed struct {
	screen string
	code   int
	shown  []bool // what was typed, while it was asked for
	after  bool   // what is typed, at the end
}

const ctrlC = "\x03"

// atPrompt runs a program whose terminal all of its three files are.
func atPrompt(t *testing.T, answers []string, program string, args ...string) (r typed) {
	t.Helper()
	ptm, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo terminals here: %v", err)
	}
	defer ptm.Close()
	fd := int(ptm.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	pts, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo terminals here: %v", err)
	}
	defer pts.Close()
	c := exec.Command(program, args...)
	c.Stdin, c.Stdout, c.Stderr = pts, pts, pts
	c.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true} // so that Ctrl-C is its signal
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }() // its code is read below
	late := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer late.Stop()
	echoes := func() bool {
		state, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	read := make(chan string)
	go func() {
		b := make([]byte, 4096)
		for {
			k, err := ptm.Read(b)
			if err != nil {
				return // the terminal is gone
			}
			read <- string(b[:k])
		}
	}()
	for running := true; running; {
		select {
		case text := <-read:
			r.screen += text
		case <-ended:
			running = false
		}
		if strings.HasSuffix(r.screen, ": ") && len(answers) > 0 {
			r.shown = append(r.shown, echoes())
			r.screen += "«" + fmt.Sprint(len(answers)) + "»"
			line := answers[0]
			if line != ctrlC {
				line += "\n"
			}
			if _, err := ptm.WriteString(line); err != nil {
				t.Fatal(err)
			}
			answers = answers[1:]
		}
	}
	for quiet := false; !quiet; {
		select {
		case text := <-read:
			r.screen += text
		case <-time.After(100 * time.Millisecond):
			quiet = true
		}
	}
	r.after, r.code = echoes(), c.ProcessState.ExitCode()
	return r
}

// TestAsked answers what is asked for a locked volume.
func TestAsked(t *testing.T) {
	d, binary := locked(t), build(t)
	letter := d.path + ":p1@vss1:/Letters/offer.txt"
	const question = "Recovery password or password or the path of a startup key (.BEK) (Enter leaves it locked): "
	groups := strings.Split(d.recovery, "-")
	split := []string{strings.Join(groups[:3], " . "), strings.Join(groups[3:], "-")}
	for i, c := range []struct {
		answers []string
		code    int
		asked   int
		want    []string
		args    []string
	}{
		{[]string{d.recovery}, 0, 1, []string{"p1 is encrypted by BitLocker (recovery key " + d.keyID + ").", question, "at 14 a crate"}, []string{"cat", letter}},
		{[]string{d.password}, 0, 1, []string{"at 14 a crate"}, []string{"cat", letter}},
		{split, 0, 2, []string{"3 of 8 groups of a recovery password; the rest", "at 14 a crate"}, []string{"cat", letter}},
		{[]string{"wrong", d.wrong, d.password}, 0, 3, []string{"That password does not open p1", "group 3 (253978) has a wrong digit: compare it with the paper", "at 14 a crate"}, []string{"cat", letter}},
		{[]string{"123456", d.other, "wrong"}, exitUnsupported, 3, []string{"a PIN of Windows is none", "That recovery password does not open p1", "opens no protector"}, []string{"cat", letter}},
		{[]string{d.startup}, 0, 1, []string{"at 14 a crate"}, []string{"cat", letter}},
		{[]string{"l" + d.recovery[1:], d.keyID, d.recovery}, 0, 3, []string{"group 1: 'l' is no digit", "that is the ID of the key", "at 14 a crate"}, []string{"cat", letter}},
		{[]string{d.recovery}, 0, 1, []string{"at 14 a crate"}, []string{"cat", "--recovery-key", "-", letter}},
		{[]string{""}, exitUnsupported, 1, []string{"give a recovery password for key " + d.keyID}, []string{"cat", letter}},
		{[]string{""}, exitPartial, 1, []string{"p1: BitLocker, locked"}, []string{"find", d.path, "none.txt"}},
		{[]string{ctrlC}, exitInterrupted, 1, []string{"interrupted"}, []string{"cat", letter}},
		{[]string{d.password}, 0, 1, []string{"password (typed): opens password"}, []string{"unlock", d.path}},
		{nil, exitPartial, 0, []string{"LOCKED"}, []string{"unlock", "--check", d.path}},
		{nil, exitDamaged, 0, []string{"p1: BitLocker, locked"}, []string{"info", d.path}},
		{nil, exitUnsupported, 0, []string{"it belongs to another volume"}, []string{"cat", "--recovery-key", d.other, letter}},
		{[]string{d.password}, 0, 1, []string{"Password: ", "at 14 a crate"}, []string{"cat", "--password-file", "-", letter}},
	} {
		r := atPrompt(t, c.answers, binary, c.args...)
		if r.code != c.code || len(r.shown) != c.asked || !r.after || len(c.answers) == 1 && c.asked == 1 && strings.Count(r.screen, question) > 1 {
			t.Errorf("%d: %q: exit code %d, want %d; asked %d times, want %d; the terminal shows what is typed: %v\n%s", i, c.args, r.code, c.code, len(r.shown), c.asked, r.after, r.screen)
		}
		for _, want := range c.want {
			if !strings.Contains(r.screen, want) {
				t.Errorf("%d: %q: want %q\n%s", i, c.args, want, r.screen)
			}
		}
		for k, shown := range r.shown {
			if shown || len(c.answers[k]) > 10 && strings.Contains(r.screen, c.answers[k]) {
				t.Errorf("%d: %q: an answer is on the screen\n%s", i, c.args, r.screen)
			}
		}
	}
}

// TestBackgroundHasNoSecrets looks at what others see of a mount in the background.
func TestBackgroundHasNoSecrets(t *testing.T) {
	needFUSE(t)
	d, binary := locked(t), build(t)
	log := filepath.Join(t.TempDir(), "log")
	serving := regexp.MustCompile(`serving in process (\d+)`)
	for i, c := range []struct {
		args  []string
		env   string
		stdin string
		typed []string
	}{
		{[]string{"--recovery-key", d.recovery}, "", "", nil},
		{[]string{"--recovery-key=" + strings.ReplaceAll(d.recovery, "-", " ")}, "", "", nil},
		{[]string{"--key-file", d.startup}, "", "", nil},
		{[]string{"-o", "key_file=" + d.keys}, "", "", nil},
		{[]string{"--password-file", "-"}, "", d.password + "\n", nil},
		{nil, d.keys, "", nil},
		{nil, "", "", []string{"wrong", d.password}},
	} {
		dir := filepath.Join(t.TempDir(), "mnt")
		args := append([]string{"mount", "-d", "--log", log, "--log-level", "debug"}, append(c.args, d.path, dir)...)
		t.Setenv(keysVariable, c.env)
		var out string
		var code int
		if c.typed != nil {
			r := atPrompt(t, c.typed, binary, args...)
			out, code = r.screen, r.code
		} else {
			cmd := exec.Command(binary, args...)
			cmd.Stdin = strings.NewReader(c.stdin)
			b, err := cmd.CombinedOutput()
			out, code = string(b), exitOf(err)
		}
		m := serving.FindStringSubmatch(out)
		if code != 0 || m == nil {
			t.Errorf("%d: exit code %d\n%s", i, code, out)
			continue
		}
		if b, err := os.ReadFile(filepath.Join(dir, "p1-Documents/vss1/Letters/offer.txt")); err != nil || !strings.Contains(string(b), "at 14 a crate") {
			t.Errorf("%d: %q, %v", i, b, err)
		}
		for _, name := range []string{"cmdline", "environ"} {
			b, err := os.ReadFile("/proc/" + m[1] + "/" + name)
			if err != nil || len(b) == 0 {
				t.Errorf("%d: %s: %v", i, name, err)
			}
			for _, s := range []string{d.recovery, strings.Split(d.recovery, "-")[0], "Grüße"} {
				if strings.Contains(string(b)+out, s) {
					t.Errorf("%d: %s has %q: %q", i, name, s, b)
				}
			}
		}
		if err := mount.Unmount(dir, true); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	dir := filepath.Join(t.TempDir(), "mnt")
	if r := atPrompt(t, []string{ctrlC}, binary, "-d", d.path, dir); r.code != exitInterrupted || !r.after || !gone(dir) {
		t.Errorf("Ctrl-C: exit code %d, the terminal shows what is typed: %v\n%s", r.code, r.after, r.screen)
	}
	b, err := os.ReadFile(log)
	if err != nil || strings.Contains(string(b), d.recovery) || strings.Contains(string(b), "Grüße") {
		t.Errorf("the log: %v\n%s", err, b)
	}
}
