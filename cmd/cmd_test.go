package cmd

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
	"snapmount/mount/when"
)

func demo(t testing.TB) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

// run runs the program in this process.
func run(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = mainAt(when.Clock{Now: time.Now(), Zone: time.UTC}, args, &out, &errs)
	return code, out.String(), string(sayings(errs.Bytes()))
}

// sayings is what is said, without how far it is, which a slow machine tells after five seconds.
func sayings(stderr []byte) []byte {
	return regexp.MustCompile(`(?m)^snapmount: .*: \d+( of \d+)?(, \S+ left)?\n`).ReplaceAll(stderr, nil)
}

func TestCommands(t *testing.T) {
	d := demo(t)
	for _, c := range []struct {
		args []string
		out  string // regular expression
	}{
		{[]string{"info", "-v", d}, `(?s)qcow2, 58 MiB.*gpt.*p1-Documents: NTFS.*vss2  2026-03-03T180000Z  2026-03-03T18:00:00.0000000Z .*application  local.*p2-Archive.*crash .*volume \{d0c00000-2026-11e3-9d6c-005056c00008\} p1-Documents`},
		{[]string{d}, `(?s)vss3.*Next:\n  snapmount find \S+ '\*\.txt'\n.*\n  snapmount \S+ /mnt/snap\n$`},
		{[]string{"ls", d + ":p1@vss1:/Letters"}, `^offer\.txt\nthanks\.txt\n$`},
		{[]string{"ls", "-R", d + ":p2@oldest"}, `^2024\n2024/ledger\.txt\n2025\n2025/ledger\.txt\nSystem Volume Information\nSystem Volume Information/\{`},
		{[]string{"ls", "-l", d + ":p1@vss1:/Projects"}, `(?m)^ A +30  2026-03-02 12:00:00  budget\.csv$`},
		{[]string{"ls", "-l", d + ":p1@vss1:/My Letters"}, `^lDA.* -> \\\?\?\\D:\\Letters\n$`},
		{[]string{"ls", d + ":p1@vss1:/Letters/offer.txt"}, `^Letters/offer\.txt\n$`},
		{[]string{"ls", "--system", d + ":p1@vss1"}, `(?m)^\$MFT$`},
		{[]string{"cat", d + ":p1@2026-03-02:/Letters/offer.txt"}, `^Dear Ms Noether,\nwe offer 120 crates at 14 a crate\.\n$`},
		{[]string{"cat", d + ":p1@vss2:/Letters/offer.txt:author"}, `^Emmy$`},
		{[]string{"stat", d + ":p1@vss1:/Projects/plan.txt"}, `(?s)size +111000 .*modified +2026-03-02T12:00:00.0000000Z.*name +plan.*name +plan`},
		{[]string{"version"}, `^snapmount \S+ \((\S+, )*go1\.\S+, \w+/\w+\)\n$`},
		{[]string{"completion", "bash"}, `^# Completion of snapmount for bash`},
		{[]string{}, `LOCATION is IMAGE`},
	} {
		code, out, errs := run(c.args...)
		if code != 0 || errs != "" || !regexp.MustCompile(c.out).MatchString(out) {
			t.Errorf("%q: exit %d\n%s\n%s\nwant %s", c.args, code, out, errs, c.out)
		}
	}
}

func TestExitCodes(t *testing.T) {
	d, dir := demo(t), t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	noNTFS := file("no-ntfs.img", strings.Repeat("\x00", 1<<20))
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"info"}, exitUsage, "usage: snapmount info"},
		{[]string{"ls", "--what", d}, exitUsage, "--what"},
		{[]string{"--unknown", "maybe", "info", d}, exitUsage, "maybe"},
		{[]string{"--encrypted", "maybe", "info", d}, exitUsage, "maybe"},
		{[]string{"--cache", "much", "info", d}, exitUsage, "64M"},
		{[]string{"info", filepath.Join(dir, "none.img")}, exitError, "none.img"},
		{[]string{"info", file("empty.img", "")}, exitFormat, "empty"},
		{[]string{"info", file("text.txt", "not a disk")}, exitFormat, "text.txt"},
		{[]string{"info", noNTFS}, exitFormat, "no NTFS"},
		{[]string{noNTFS, filepath.Join(dir, "mnt")}, exitFormat, "no NTFS"},
		{[]string{"info", dir}, exitFormat, "directory"},
		{[]string{"info", file("x.qed", "QED\x00"+strings.Repeat("\x00", 1<<16))}, exitUnsupported, "QED"},
		{[]string{"ls", d + ":p3"}, exitError, "p1-Documents, p2-Archive"},
		{[]string{"ls", d + ":p1@03/04/2026"}, exitUsage, "2026-04-03 where the day comes first"},
		{[]string{"cat", d + ":p1:/none"}, exitError, "none"},
		{[]string{"cat", d + ":p1:/Letters"}, exitError, "directory"},
		{[]string{"cat", "--raw", d + ":p1:/Letters"}, exitUsage, "--raw"},
		{[]string{d, d + "/mnt"}, exitRefused, "demo.qcow2/mnt"},
		{[]string{d, filepath.Join(testenv.Root(t), "testdata")}, exitRefused, "not empty"},
	} {
		code, out, errs := run(c.args...)
		if code != c.code || !strings.Contains(errs, c.text) || strings.Count(errs, "snapmount: ") != 1 {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.text, out, errs)
		}
	}
}

func TestInfoJSON(t *testing.T) {
	_, out, _ := run("info", "--json", demo(t))
	var r map[string]any
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	point := r["volumes"].([]any)[0].(map[string]any)["points"].([]any)[1].(map[string]any)
	for k, want := range map[string]any{
		"name": "2026-03-02T180000Z", "kind": "snapshot", "index": 1.0, "created": "2026-03-02T18:00:00.0000000Z", "size": 33554432.0,
		"attributes_raw": float64(0x0042000d), "consistency": "application", "offline": false, "machine": "DEMO", "diff_area": "local", "damage": nil,
		"set_id": "5e700002-2026-4000-8000-000000000000",
	} {
		if point[k] != want {
			t.Errorf("%s is %v, want %v", k, point[k], want)
		}
	}
	for _, k := range []string{"copy_id", "store_id", "attributes", "changed_bytes"} {
		if point[k] == nil {
			t.Errorf("%s is missing", k)
		}
	}
	if r["schema"] != 1.0 || len(r["warnings"].([]any)) != 0 || len(r["images"].([]any)) != 1 {
		t.Errorf("%v", r)
	}
}

func TestLsJSON(t *testing.T) {
	_, out, _ := run("ls", "-R", "--json", demo(t)+":p1@vss1")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	found := false
	for _, line := range lines {
		var e report.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Path == "/Letters/offer.txt" {
			found = true
			if e.Kind != "file" || e.Size != 52 || *e.Mtime != "2026-03-02T12:00:00.0000000Z" || len(e.Streams) != 1 || e.Streams[0] != (report.Stream{Name: "author", Size: 4}) || e.Links != 1 || e.Ref == "" {
				t.Errorf("%s", line)
			}
		}
	}
	if !found || len(lines) < 15 {
		t.Errorf("%d lines, the letter found: %v", len(lines), found)
	}
}

func TestNamesSurviveJSON(t *testing.T) {
	for in, want := range map[string]string{
		"a\xed\xa0\xbdb\"\n": `"a\ud83db\"\n"`, "😀": `"😀"`, "\xed\xb0\x80": `"\udc00"`, "plain": `"plain"`,
	} {
		if got, err := json.Marshal(report.Name(in)); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestPrintableIsHarmless(t *testing.T) {
	for in, want := range map[string]string{"a\x1b[2Jb": `a\x1b[2Jb`, "ü😀": "ü😀", "\xed\xa0\xbd": `\xed\xa0\xbd`, "a\nb": `a\x0ab`} {
		if got := text.Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestCatRaw(t *testing.T) {
	binary := build(t)
	for _, location := range []string{demo(t), demo(t) + ":p2", demo(t) + ":p1@vss2"} {
		var sums [2]string
		for i, args := range [][]string{{"cat", "--raw", location}, {"cat", "--raw", "--sparse", location}} {
			out, err := os.Create(filepath.Join(t.TempDir(), "out"))
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(binary, args...)
			c.Stdout = out
			if err := c.Run(); err != nil {
				t.Fatalf("%v: %v", args, err)
			}
			b, err := os.ReadFile(out.Name())
			if err != nil || len(b) == 0 {
				t.Fatal(len(b), err)
			}
			sums[i] = fmt.Sprintf("%d %x", len(b), sha256.Sum256(b))
			out.Close()
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: %s, sparse %s", location, sums[0], sums[1])
		}
	}
	out, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c := exec.Command(binary, "cat", "--raw", "--sparse", demo(t))
	c.Stdout = out
	if err := c.Run(); err == nil {
		t.Error("--sparse into a file opened for appending gave no error")
	}
}

// build makes the binary, once for the package.
func build(t *testing.T) string {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// binaryDir is TestMain's temporary directory.
var binaryDir string

var built = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(binaryDir, "snapmount")
	c := exec.Command("go", "build", "-o", binary, "snapmount/cmd/snapmount")
	c.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is handed out
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return binary, nil
})

func TestMain(m *testing.M) {
	if os.Getenv("SNAPMOUNT_DAEMON_CHILD") != "" {
		panic("a test had this process go into the background: it has to build the program")
	}
	var err error
	if binaryDir, err = os.MkdirTemp("", "snapmount-test"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(binaryDir)
	os.Exit(code)
}
