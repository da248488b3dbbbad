package cmd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
)

// wine runs the program that Windows users have. Wine 8 deletes nothing that Go deletes ("Invalid function"), has no symbolic
// links, and answers no disk's size.
type wine struct {
	exe, here string // the program, and that of this system
	env       []string
}

// newWine builds the program and makes a folder of Windows for it.
func newWine(t *testing.T) *wine {
	t.Helper()
	testenv.Peer(t, "wine")
	if testenv.Race {
		t.Skip("SKIPPED: the race detector sees nothing of another program")
	}
	dlltool, ld, server := testenv.Peer(t, "x86_64-w64-mingw32-dlltool"), testenv.Peer(t, "x86_64-w64-mingw32-ld"), testenv.Peer(t, "wineserver")
	dir := t.TempDir()
	w := &wine{exe: filepath.Join(dir, "snapmount.exe"), here: build(t)}
	w.env = append(os.Environ(), "TZ=UTC", "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d", "WINEPREFIX="+filepath.Join(dir, "prefix"))
	do := func(name string, args ...string) {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir, c.Env = dir, w.env
		errs := filepath.Join(t.TempDir(), "err")
		if w.wait(t, c, os.DevNull, errs); !c.ProcessState.Success() {
			b, err := os.ReadFile(errs)
			t.Fatalf("%s: %v, %s, %v", name, c.ProcessState, b, err)
		}
	}
	root := exec.Command("go", "build", "-o", w.exe, "snapmount/cmd/snapmount")
	root.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if code, out := combined(root); code != 0 {
		t.Fatalf("%d, %s", code, out)
	}
	t.Cleanup(func() {
		c := exec.Command(server, "-k", "-w")
		c.Env = w.env
		_ = c.Run() // it fails where none runs
	})
	do("wineboot", "-i")
	// Go's programs want a function of a library that Wine 8 lacks, and another one has by another name.
	def := "LIBRARY bcryptprimitives.dll\nEXPORTS\n ProcessPrng = advapi32.SystemFunction036\n"
	if err := os.WriteFile(filepath.Join(dir, "prng.def"), []byte(def), 0o600); err != nil {
		t.Fatal(err)
	}
	do(dlltool, "-d", "prng.def", "-e", "prng.o")
	do(ld, "-shared", "-o", filepath.Join(dir, "prefix/drive_c/windows/system32/bcryptprimitives.dll"), "prng.o", "prng.def")
	return w
}

// command runs the program below wine, or the one of this system, in a directory.
func (w *wine) command(below bool, dir string, args ...string) *exec.Cmd {
	c := exec.Command(w.here, args...)
	if below {
		c = exec.Command("wine", append([]string{w.exe}, args...)...)
	}
	c.Dir, c.Env = dir, w.env
	return c
}

// said is what a command wrote, without what differs by time and system.
type said struct {
	code     int
	out, err string
}

var (
	seconds = regexp.MustCompile(` in \d+\.\d s`)
	left    = regexp.MustCompile(`(?m)^snapmount: .* could not be removed, and stays there: it is of no use: .*\n`)
	part    = regexp.MustCompile(`\.[A-Z2-7]{16}\.part$|\.snapmount-[A-Z2-7]{16}\.part/`)
	aside   = regexp.MustCompile(`0 links, (.*); (\d+ links?) NOT made, as \S+ takes none: kept aside with the metadata \(.*\)`)
	held    = regexp.MustCompile(`; metadata of \d+ kept in .*`) // NTFS holds more than others
	free    = regexp.MustCompile(` needed, .*`)
)

func (w *wine) run(t *testing.T, below bool, dir string, args ...string) said {
	t.Helper()
	c := w.command(below, dir, args...)
	out, errs := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "err")
	w.wait(t, c, out, errs)
	b, err := os.ReadFile(out)
	e, err2 := os.ReadFile(errs)
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	if len(b) > 1<<20 {
		b = fmt.Appendf(nil, "%x", sha256.Sum256(b))
	}
	text := held.ReplaceAllString(seconds.ReplaceAllString(string(b), ""), "")
	return said{c.ProcessState.ExitCode(), free.ReplaceAllString(text, ""), string(e)}
}

// wait runs a command to its end. It writes to files: services of Wine that it starts go on and keep pipes open.
func (w *wine) wait(t *testing.T, c *exec.Cmd, out, errs string) {
	t.Helper()
	for path, to := range map[string]*io.Writer{out: &c.Stdout, errs: &c.Stderr} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		*to = f
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(5*time.Minute, func() { _ = c.Process.Kill() })
	var exit *exec.ExitError
	if err := c.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if !hung.Stop() {
		t.Fatalf("%q: does not end", c.Args)
	}
}

// twoFolders are a folder with the demo image for each of both programs.
func twoFolders(t *testing.T) (here, there string) {
	t.Helper()
	image, err := os.ReadFile(demo(t))
	if err != nil {
		t.Fatal(err)
	}
	here, there = t.TempDir(), t.TempDir()
	for _, dir := range []string{here, there} {
		if err := os.WriteFile(filepath.Join(dir, "demo.qcow2"), image, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	return here, there
}

// TestWine runs the program for Windows.
func TestWine(t *testing.T) {
	w := newWine(t)
	t.Run("same", w.same)
	t.Run("own", w.own)
	t.Run("serves", w.serves)
}

// same has it say and write what the program for this system does.
func (w *wine) same(t *testing.T) {
	here, there := twoFolders(t)
	told := 0
	for _, line := range strings.Split(`info demo.qcow2
info -v --sets demo.qcow2
info --json demo.qcow2
ls demo.qcow2
ls -l -R demo.qcow2:p1@latest
ls --json demo.qcow2:p1@vss1:/Letters
cat demo.qcow2@vss1:\Letters\offer.txt
cat --raw demo.qcow2:p1@vss1
stat --json demo.qcow2:p1:/Letters/offer.txt
history --all --hash --diff demo.qcow2:p1:/Letters
diff --content demo.qcow2:p1 @oldest @latest
diff demo.qcow2:p1 @oldest @nothing
find demo.qcow2 *.txt
find --deleted demo.qcow2 *
timeline demo.qcow2:p1
explain demo.qcow2:p1@vss1:/Letters/offer.txt
verify demo.qcow2
scan demo.qcow2
cat demo.qcow2:p9:/Letters/offer.txt
ls other.qcow2
ls demo.qcow2@1999-01-01
restore --to - demo.qcow2:p1@vss1:/Letters
restore --dry-run --summary demo.qcow2:p1@vss1 other.tar
export demo.qcow2:p1@vss1 over.qcow2
export --full demo.qcow2:p1@vss1 full.raw
history --extract deep/versions demo.qcow2:p1:/Letters/offer.txt
restore --receipt r.json demo.qcow2@latest: out
restore demo.qcow2:p1@vss2:/Letters/ `+strings.Repeat("a-long-name-of-a-folder/", 16)+`
restore --to zip demo.qcow2:p1@latest out.zip`, "\n") {
		args := strings.Fields(line)
		a, b := w.run(t, false, here, args...), w.run(t, true, there, args...)
		told += len(left.FindAllString(b.err, -1))
		b.err = left.ReplaceAllString(b.err, "")
		b.out = aside.ReplaceAllString(b.out, "$2, $1")
		if a != b {
			t.Errorf("%s\n%+v\nbelow wine\n%+v", line, a, b)
		}
	}
	got, want := sumsBelow(t, there), sumsBelow(t, here)
	links := 0
	for name, sum := range want {
		if sum == "link" {
			links++
			delete(want, name)
		}
	}
	for _, sums := range []map[string]string{got, want} {
		delete(sums, "r.json") // has paths and times of its own
		delete(sums, "out.zip")
	}
	parts := map[string]bool{}
	for name := range got {
		if at := part.FindStringIndex(name); at != nil {
			parts[name[:at[1]]] = true
			delete(got, name)
		}
	}
	if len(parts) != told {
		t.Errorf("%d of the program's own files stay, and %d are told: %v", len(parts), told, parts)
	}
	if !maps.Equal(got, want) || links == 0 || len(want) < 12 {
		t.Errorf("files are\n%v\nwant\n%v", got, want)
	}
}

// own has it say what is for Windows alone.
func (w *wine) own(t *testing.T) {
	_, dir := twoFolders(t)
	for _, c := range []struct {
		line string
		code int
		want string
	}{
		{`demo.qcow2`, 0, "  snapmount serve --open demo.qcow2\n"},
		{`cat demo.qcow2:p1:/nothing.txt`, 1, `snapmount find demo.qcow2 "*nothing`},
		{`demo.qcow2 mnt`, exitRefused, `"snapmount map" as a drive`},
		{`samba-conf mnt`, exitRefused, "Windows mounts nothing"},
		{`map demo.qcow2`, exitRefused, "WebClient"},
		{`map --drive S demo.qcow2`, exitUsage, "want a letter and a colon"},
		{`info C:`, exitFormat, `(the volume itself is \\.\C:)`},
		{`info \\.\PhysicalDrive9`, exitError, `\\.\PhysicalDrive9: file does not exist`},
		{`info \\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy9`, exitError, `ShadowCopy9: file does not exist`},
		{`restore demo.qcow2:p1@vss1:/Letters CON`, exitUsage, "a device for Windows"},
		{`restore demo.qcow2:p1@vss1:/Letters/offer.txt nul.txt`, exitUsage, "a device for Windows"},
		{`restore --receipt a/x:y.json demo.qcow2:p1@vss1:/Letters out`, exitUsage, "has a colon"},
		{`restore --receipt r.json demo.qcow2@latest: out`, 0, "; 2 links NOT made, as out takes none: kept aside with the metadata"},
		{`verify r.json out`, 0, "\n2 were not restored, by the receipt"},
		{`restore --no-sidecar demo.qcow2@latest: bare`, exitPartial, "My Letters: "},
		{`restore demo.qcow2:p1@vss1:/Letters/ \\?\unix\DIR\verbatim`, 0, "2 files"},
		{`ls \\?\unix\DIR\demo.qcow2:p1@vss1:/Letters`, 0, "offer.txt"},
		{`restore --to zip demo.qcow2:p1@vss1:/Letters a.zip.`, exitUsage, "ends with a dot"},
		{`export demo.qcow2:p1@vss1 aux.qcow2`, exitError, "a device for Windows"},
		{`history --extract lpt1 demo.qcow2:p1:/Letters/offer.txt`, exitUsage, "a device for Windows"},
	} {
		if got := w.run(t, true, dir, strings.Fields(strings.ReplaceAll(c.line, `\DIR`, strings.ReplaceAll(dir, "/", `\`)))...); got.code != c.code || !strings.Contains(got.out+got.err, c.want) {
			t.Errorf("%s: %+v, want %d and %s", c.line, got, c.code, c.want)
		}
	}
}

// serves reads what it serves, and ends it as Ctrl-C does.
func (w *wine) serves(t *testing.T) {
	_, dir := twoFolders(t)
	c := w.command(true, dir, "serve", "demo.qcow2")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	c.Stderr, c.WaitDelay = &errs, 5*time.Second // services of Wine may keep the pipe
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	t.Cleanup(func() { _ = c.Process.Kill() }) // most often it has ended
	lines, address := bufio.NewScanner(out), ""
	for address == "" && lines.Scan() {
		_, address, _ = strings.Cut(lines.Text(), "serving until Ctrl-C: ")
	}
	base, token, ok := strings.Cut(address, "/?token=")
	if !ok {
		t.Fatalf("no address, %s", &errs)
	}
	for path, sum := range demoSums(t) {
		if !strings.HasPrefix(path, "p1-Documents/vss1/") {
			continue
		}
		r, err := http.NewRequest("GET", base+"/dav/"+strings.ReplaceAll(path, " ", "%20"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("x", strings.TrimSpace(token))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum || err != nil {
			t.Errorf("%s: %s, %s, want %s, %v", path, answer.Status, got, sum, err)
		}
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, exec.ErrWaitDelay) || c.ProcessState.ExitCode() != 0 {
			t.Errorf("%v, %s", err, &errs)
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}
