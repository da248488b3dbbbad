package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"
)

// A session is the program on a terminal of its own.
type session struct {
	t       *testing.T
	master  *os.File
	process *exec.Cmd
	screen  vt10x.Terminal

	tty    string // its name
	before unix.Termios

	mu      sync.Mutex
	raw     strings.Builder
	changed chan struct{}
	ended   chan struct{} // nobody has the terminal any more
}

// onScreen starts the built program on a terminal of a size.
func onScreen(t *testing.T, columns, lines int, env []string, args ...string) *session {
	t.Helper()
	master, slave := newTerminal(t, columns, lines)
	s := &session{t: t, master: master, screen: vt10x.New(vt10x.WithSize(columns, lines)), changed: make(chan struct{}, 1), ended: make(chan struct{})}
	s.tty = slave.Name()
	now, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	s.before = *now
	s.process = exec.Command(build(t), args...)
	s.process.Dir = t.TempDir()
	s.process.Env = append(append(os.Environ(), "TERM=xterm", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC", "NO_COLOR=", "COLUMNS=", "LINES="), env...)
	s.process.Stdin, s.process.Stdout, s.process.Stderr = slave, slave, slave
	s.process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	go s.read()
	t.Cleanup(func() {
		_ = s.process.Process.Kill() // most often it has ended
		_ = s.process.Wait()         // likewise
		master.Close()
		<-s.ended
	})
	return s
}

// newTerminal makes one.
func newTerminal(t *testing.T, columns, lines int) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(lines), Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func (s *session) read() {
	defer close(s.ended)
	buf := make([]byte, 64<<10)
	for {
		n, err := s.master.Read(buf)
		s.mu.Lock()
		s.raw.Write(buf[:n])
		_, _ = s.screen.Write(buf[:n]) // it takes all
		s.mu.Unlock()
		select {
		case s.changed <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// text is the screen, without blanks at the ends of lines.
func (s *session) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for line := range strings.Lines(s.screen.String()) {
		b.WriteString(strings.TrimRight(strings.TrimSuffix(line, "\n"), " ") + "\n")
	}
	return b.String()
}

// await waits until the screen has some texts, and nothing is being read.
func (s *session) await(want ...string) string {
	s.t.Helper()
	return s.until(strings.Join(want, " and "), func(screen string) bool {
		if first, _, _ := strings.Cut(screen, "\n"); strings.HasSuffix(first, "...") {
			return false
		}
		for _, w := range want {
			if !strings.Contains(screen, w) {
				return false
			}
		}
		return true
	})
}

func (s *session) until(what string, is func(string) bool) string {
	s.t.Helper()
	guard := time.After(time.Minute)
	for {
		screen := s.text()
		if is(screen) {
			return screen
		}
		select {
		case <-s.changed:
		case <-guard:
			s.t.Fatalf("the screen never showed %s:\n%s", what, screen)
		}
	}
}

// press types keys.
func (s *session) press(keys ...string) {
	s.t.Helper()
	for _, k := range keys {
		if code, named := keyCodes[k]; named {
			k = code
		}
		if _, err := s.master.WriteString(k); err != nil {
			s.t.Fatal(err)
		}
	}
}

var keyCodes = map[string]string{"Enter": "\r", "Esc": "\x1b", "Tab": "\t", "Up": "\x1b[A", "Down": "\x1b[B", "Right": "\x1b[C", "Left": "\x1b[D",
	"PgDn": "\x1b[6~", "PgUp": "\x1b[5~", "Home": "\x1b[H", "End": "\x1b[F", "Backspace": "\x7f", "Ctrl-C": "\x03", "Ctrl-U": "\x15"}

// golden wants the screen to be, or to become, what the file of a name has; with UPDATE=1 it is written.
func (s *session) golden(name, screen string) {
	t := s.t
	t.Helper()
	screen = strings.ReplaceAll(screen, s.process.Dir, "DIR")
	file := filepath.Join("testdata", "screens", name+".txt")
	if os.Getenv("UPDATE") == "1" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(screen), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for guard := time.After(30 * time.Second); string(want) != screen; screen = strings.ReplaceAll(s.text(), s.process.Dir, "DIR") {
		select { // what was awaited may be seen before all is drawn
		case <-s.changed:
		case <-guard:
			t.Errorf("%s (UPDATE=1 writes it):\n%s\nwant\n%s", name, screen, want)
			return
		}
	}
}

// shows presses keys, waits for texts, and compares the screen.
func (s *session) shows(name string, keys []string, want ...string) {
	s.t.Helper()
	s.press(keys...)
	s.golden(name, s.await(want...))
}

// leave ends the program by keys, and returns its exit code.
func (s *session) leave(keys ...string) int {
	s.t.Helper()
	s.press(keys...)
	guard := time.AfterFunc(time.Minute, func() { _ = s.process.Process.Kill() })
	defer guard.Stop()
	return exitOf(s.process.Wait())
}

// TestBrowse goes through the views, and looks at each screen.
func TestBrowse(t *testing.T) {
	s := onScreen(t, 80, 24, nil, "browse", demo(t))
	s.await("p1-Documents", "p2-Archive")
	s.shows("folder", []string{"Enter"}, "1 new, 2 deeper", "12:00  new", "Enter open")
	s.shows("older", []string{"["}, "1 renamed, 3 deeper", "renamed", "same")
	s.shows("letters", []string{"Home", "Enter"}, "1 changed, 1 renamed", "renamed same", "changed changed")
	s.shows("preview", []string{"Enter"}, "rope included", "version 2 of 3", "67 bytes, intact")
	s.shows("hex", []string{"x"}, "00000040  64 2e 0a")
	s.shows("versions", []string{"x", "Tab"}, "What happened", "2026-03-04 18:00")
	s.shows("diff", []string{"="}, "-we offer 120 crates at 14", "4 of 4")
	s.press("Esc")
	s.await("What happened")
	s.press("Tab")
	s.await("reference", "modified")
	s.press("End")
	s.await("the same by commands", "snapmount cat", "resident in the MFT record")
	s.press("Esc")
	s.await("thanks (sent).txt")
	s.shows("oldest", []string{"<"}, "1 of 4", "thanks.txt", "renamed")
	s.shows("points", []string{"p"}, "What changed here", "1 changed, 1 renamed")
	s.press("End", "Enter")
	s.await("current state", "4 of 4")
	s.press("Backspace")
	s.await("Projects/", "READ ME")
	s.shows("find", []string{"/", "budget", "Enter"}, "budget.csv", "1 found")
	s.shows("found", []string{"Enter"}, "p1-Documents:/Projects", "2 of 4", "budget.csv", "deleted")
	s.press("?")
	s.golden("help", s.await("Everywhere", "Ctrl-L"))
	s.press("Esc")
	s.await("budget.csv", "deleted")
	if code := s.leave("q"); code != exitOK {
		t.Errorf("left with %d", code)
	}
}

// TestBrowseRestore marks what was deleted, at several points, and restores it.
func TestBrowseRestore(t *testing.T) {
	s := onScreen(t, 80, 24, nil, "browse", demo(t))
	s.await("p1-Documents")
	s.press("Enter")
	s.await("Projects/", "READ ME")
	s.press("f", "Proj", "Enter")
	s.await("with \"Proj\"")
	s.press("Enter")
	s.await("budget.csv", "deleted")
	s.press("f", "budget", "Enter", " ")
	s.await("1 marked")
	s.press("f", "Esc")
	s.await("latest offer.txt", "Enter open")
	s.press("<")
	s.await("1 of 4", "plan.txt", "108 KiB")
	s.press("f", "plan.txt", "Enter", " ", "R")
	s.await("Restore 2 marked things")
	s.press("Ctrl-U")
	s.golden("asked", s.await(".tar):\n>\n"))
	s.press("out", "Enter")
	s.await("budget.csv", "plan.txt", "2 files", "nothing was written yet")
	if list, err := os.ReadDir(s.process.Dir); err != nil || len(list) > 0 {
		t.Errorf("a plan wrote %v, %v", list, err)
	}
	s.press("Enter")
	s.await("all was restored", "receipt out.receipt.json")
	s.press("Esc")
	s.await("plan.txt", "Enter open")
	if code := s.leave("q"); code != exitOK {
		t.Errorf("left with %d", code)
	}
	for name, location := range map[string]string{"budget.csv": "@2026-03-03:/Projects/budget.csv", "plan.txt": "@vss1:/Projects/plan.txt"} {
		got, err := os.ReadFile(filepath.Join(s.process.Dir, "out", name))
		code, want, _ := run("cat", demo(t)+":p1"+location)
		if err != nil || code != exitOK || len(want) == 0 || string(got) != want {
			t.Errorf("%s: %v, %d bytes, want %d", name, err, len(got), len(want))
		}
	}
	if code, out, errs := run("verify", filepath.Join(s.process.Dir, "out.receipt.json")); code != exitOK {
		t.Errorf("the receipt: %d %s%s", code, out, errs)
	}
}

// TestBrowseSizes looks at narrow and wide screens, and at one that changes.
func TestBrowseSizes(t *testing.T) {
	s := onScreen(t, 60, 16, nil, "browse", demo(t))
	s.await("p1-Documents")
	s.shows("narrow", []string{"Enter"}, "1 new, 2 deeper", "2026-03-05  n")
	fd := int(s.master.Fd())
	s.mu.Lock()
	s.screen.Resize(120, 30)
	s.mu.Unlock()
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 30, Col: 120}); err != nil {
		t.Fatal(err)
	}
	s.golden("wide", s.until("a wide screen", func(screen string) bool {
		lines := strings.Split(screen, "\n")
		return len(lines) > 29 && strings.HasPrefix(lines[29], "? help") && !strings.HasSuffix(lines[0], "...") && strings.Contains(screen, "2026-03-05 12:00  new")
	}))
	if code := s.leave("q"); code != exitOK {
		t.Errorf("left with %d", code)
	}
}

// TestBrowseLeaves ends it in all ways, and looks at the terminal then.
func TestBrowseLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(*session) int
		code  int
	}{
		"q":      {func(s *session) int { return s.leave("q") }, exitOK},
		"Ctrl-C": {func(s *session) int { return s.leave("Ctrl-C") }, exitOK},
		"prompt": {func(s *session) int { return s.leave("Enter", "/", "abc", "Ctrl-C") }, exitOK},
		"SIGTERM": {func(s *session) int {
			if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			return s.leave()
		}, exitInterrupted},
	} {
		terms := []string{"TERM=xterm"}
		if name == "q" {
			terms = append(terms, "TERM=screen", "TERM=linux", "TERM=vt100", "LC_ALL=C", "LC_ALL=de_DE.ISO-8859-1")
		}
		for _, env := range terms {
			t.Run(name+" "+env, func(t *testing.T) { leavesTerminal(t, env, c.code, c.leave) })
		}
	}
}

func leavesTerminal(t *testing.T, env string, want int, leave func(*session) int) {
	t.Helper()
	s := onScreen(t, 80, 24, []string{env}, "browse", demo(t))
	slave, err := os.OpenFile(s.tty, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s.await("p1-Documents", "? help")
	if code := leave(s); code != want {
		t.Errorf("%s: left with %d, want %d: %s", env, code, want, s.text())
	}
	now, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil || *now != s.before {
		t.Errorf("%s: the terminal is %+v, %v, want %+v", env, now, err, s.before)
	}
	slave.Close()
	<-s.ended
	raw := s.raw.String()
	if strings.Contains(raw, "\x1b[?1000h") || strings.Contains(raw, "\x1b[?1003h") {
		t.Errorf("%s: the mouse is taken", env)
	}
	for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h"} {
		if strings.Count(raw, on) > 0 && strings.LastIndex(raw, off) < strings.LastIndex(raw, on) {
			t.Errorf("%s: %q is not taken back", env, on)
		}
	}
}

// TestBrowseColours looks for colours, which NO_COLOR and --color=never leave out.
func TestBrowseColours(t *testing.T) {
	coloured := regexp.MustCompile("\x1b\\[([0-9]+;)*(3[0-7]|38;[0-9;]*)m")
	for _, c := range []struct {
		env, flag string
		want      bool
	}{{"NO_COLOR=", "--color=auto", true}, {"NO_COLOR=1", "--color=auto", false}, {"NO_COLOR=", "--color=never", false}} {
		s := onScreen(t, 80, 24, []string{c.env}, "browse", c.flag, demo(t))
		s.await("p1-Documents")
		s.press("Enter")
		s.await("1 new, 2 deeper", "Photos/")
		s.leave("q")
		<-s.ended
		if got := coloured.MatchString(s.raw.String()); got != c.want {
			t.Errorf("%s %s: colours are %v", c.env, c.flag, got)
		}
	}
}

// TestBrowseLocked asks for the key of a volume, which no screen shows.
func TestBrowseLocked(t *testing.T) {
	d := locked(t)
	s := onScreen(t, 80, 24, nil, "browse", d.path)
	s.await("LOCKED", "p2-Archive")
	s.press("Enter")
	s.await("Key of p1", "(0 typed, not shown)")
	s.press(d.other, "Enter")
	s.await("LOCKED", "BitLocker")
	s.press("Enter")
	s.await("(0 typed, not shown)")
	s.press(d.recovery, "Enter")
	s.await("is unlocked", "p1-Documents")
	s.press("Enter")
	s.await("READ ME TO GET", "Photos/")
	if code := s.leave("q"); code != exitOK {
		t.Errorf("left with %d", code)
	}
	<-s.ended
	if group, _, _ := strings.Cut(d.recovery, "-"); strings.Contains(s.raw.String(), group) {
		t.Error("the key was shown")
	}
}

// TestBrowseWithout is what it says where it cannot work.
func TestBrowseWithout(t *testing.T) {
	code, out, errs := run("browse", demo(t))
	if want := "snapmount: browse: wants a terminal on standard output; ls, find and restore need none\n"; code != exitError || out != "" || errs != want {
		t.Errorf("no terminal: %d %q %q", code, out, errs)
	}
	for term, want := range map[string]string{"dumb": "snapmount: browse: wants a terminal", "no-such": "snapmount: browse: wants a terminal"} {
		s := onScreen(t, 80, 24, []string{"TERM=" + term}, "browse", demo(t))
		if code := s.leave(); code != exitError {
			t.Errorf("%s: left with %d", term, code)
		}
		<-s.ended
		if raw := s.raw.String(); !strings.HasPrefix(raw, want) || strings.Count(raw, "\n") != 1 || strings.Contains(raw, "\x1b") {
			t.Errorf("%s: %q", term, raw)
		}
	}
}
