package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/mount/when"
)

// onTerminal runs the program with a terminal of so many columns as its standard output, in Berlin.
func onTerminal(t *testing.T, columns uint16, args ...string) (stdout, stderr string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: columns}); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error, when nobody has the terminal any more
		read <- string(b)
	}()
	zone, err := when.Zone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	mainAt(when.Clock{Now: time.Date(2026, 3, 5, 12, 30, 0, 0, time.UTC), Zone: zone}, args, slave, &errs)
	slave.Close()
	return strings.ReplaceAll(<-read, "\r\n", "\n"), errs.String()
}

// TestTerminal looks at what a person sees, and a pipe does not: headings, colours, what to do next.
func TestTerminal(t *testing.T) {
	d := demo(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"ls", "-l", d + ":p1@vss1:/Letters"}, `attributes              size  modified                    name
 A                        52  2026-03-02 13:00:00 +01:00  offer.txt
 A                        26  2026-03-02 13:00:00 +01:00  thanks.txt
`},
		{[]string{"ls", "-h", d + ":p1@vss1:/Projects/plan.txt"}, `attributes         size  modified                    name
 A              108 KiB  2026-03-02 13:00:00 +01:00  Projects/plan.txt
`},
		{[]string{"ls", "-l", d}, `volume                    size                 location
p1-Documents            32 MiB    3 snapshots  $D:p1-Documents
p2-Archive              24 MiB    2 snapshots  $D:p2-Archive
`},
		{[]string{"history", d + ":p1:/Projects/budget.csv"}, `  #  first               last                        size                    modified  same by  event                 path
  1  2026-03-02T180000Z  2026-03-02T180000Z            30  2026-03-02 13:00:00 +01:00                                 /Projects/budget.csv
  2  2026-03-03T180000Z  2026-03-03T180000Z            45  2026-03-03 13:00:00 +01:00           content, metadata (created, modified, changed)  /Projects/budget.csv
  -  2026-03-04T180000Z  current                        -                           -           deleted               /Projects/budget.csv
`},
		{[]string{"find", d, "budget.csv"}, `points                                           size  modified                    path
2026-03-02T180000Z..2026-03-03T180000Z             45  2026-03-03 13:00:00 +01:00  p1-Documents:/Projects/budget.csv

restore it with:
  snapmount restore $D:p1-Documents@2026-03-03T180000Z:/Projects/budget.csv DEST

that is the last of 2 versions; all are listed by:
  snapmount history $D:p1-Documents@2026-03-03T180000Z:/Projects/budget.csv
`},
		{[]string{"find", d + ":p2@vss1", "*.txt"}, `points                                           size  modified                    path
2026-03-02T180000Z                              64000  2026-03-02 13:00:00 +01:00  /2024/ledger.txt
2026-03-02T180000Z                              64000  2026-03-02 13:00:00 +01:00  /2025/ledger.txt

restore them with:
  snapmount restore '$D:p2-Archive@2026-03-02T180000Z:/**/*.txt' DEST
`},
		{[]string{"find", d, "*.csv", "--size", "-1k", "--versions"}, `points                                           size  modified                    path
2026-03-02T180000Z                                 30  2026-03-02 13:00:00 +01:00  p1-Documents:/Projects/budget.csv  [version 1]
2026-03-03T180000Z                                 45  2026-03-03 13:00:00 +01:00  p1-Documents:/Projects/budget.csv  [version 2]

restore one of these 2 with:
  snapmount restore $D:p1-Documents@2026-03-02T180000Z:/Projects/budget.csv DEST
`},
		{[]string{"find", d, "log"}, "nothing in 2 volumes, 7 points; log is a whole name: '*log*' finds names that have it\nin them\n"},
		{[]string{"find", d + ":p1@vss1", "*log*"}, "nothing in 1 volume, 1 point\n"},
		{[]string{"find", "--json", d, "log"}, ""},
	} {
		out, errs := onTerminal(t, 85, c.args...)
		if want := strings.ReplaceAll(c.want, "$D", d); out != want || errs != "" {
			t.Errorf("%q:\n%s%s\nwant\n%s", c.args, out, errs, want)
		}
	}
	dest := t.TempDir()
	if code, out, errs := run("restore", d+":p2-Archive@2026-03-02T180000Z:/**/*.txt", dest); code != 0 || !strings.HasPrefix(out, "2 files") {
		t.Errorf("the line of find: %d %s%s", code, out, errs)
	}
	os.Unsetenv("NO_COLOR")
	for args, want := range map[string]string{"--color=auto": "\x1b[1mattributes", "--color=never": "attributes"} {
		if out, _ := onTerminal(t, 80, "ls", "-l", args, d+":p1:/Letters"); !strings.HasPrefix(out, want) {
			t.Errorf("%s: %q", args, out)
		}
	}
}
