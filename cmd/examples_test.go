package cmd

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"snapmount/cmd/shell"
	"snapmount/mount/complete"
	"snapmount/mount/selection"
	"snapmount/mount/when"
)

// exampleNames makes names of the demo image of those in examples, which are those of Windows.
var exampleNames = strings.NewReplacer(
	"diff disk.vhd ", "diff demo.qcow2:p1 ", "diff disk.vhd@", "diff demo.qcow2:p1@", "disk.vhd@vss1:/Users disk.vhd@vss2", "demo.qcow2:p1@vss1:/Letters demo.qcow2:p1@vss2",
	"disk.vhdx", "demo.qcow2", "disk.vhd", "demo.qcow2", "disk.E01", "demo.qcow2", "disk.dd", "demo.qcow2",
	"/Users/*/Documents/**/*.docx", "/Letters/*.txt", "/Users/ann/report.txt", "/Letters/offer.txt", "/Users/ann/report.docx", "/Projects/budget.csv",
	"/boot.ini", "/Letters/offer.txt", "/download.exe:Zone.Identifier", "/Letters/offer.txt", "/Users/ann", "/Letters", "/Users", "/Letters",
	"report.docx", "budget.csv", "*.jpg", "*.raw", "2026-11-03", "2026-03-03", ":p2:", ":p1:", ":p2@", ":p1@", "@yesterday", "@2026-03-04",
)

// TestExamples runs the examples of all commands, up to a pipe, on the demo image. Of those that need FUSE or a terminal, or
// serve without end, only the flags are tried.
func TestExamples(t *testing.T) {
	dir, image := t.TempDir(), demo(t)
	t.Chdir(dir)
	if err := os.Symlink(image, "demo.qcow2"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keys.txt", "4381F759.BEK"} { // of no use for this image
		if err := os.WriteFile(name, []byte("a password\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ran := 0
	for _, c := range append(Tree().Commands(), Tree()) {
		for line := range strings.Lines(c.Example) {
			words, to := exampleWords(line)
			if len(words) == 0 || c.Hidden {
				continue
			}
			ran++
			if needsFUSE(words) {
				if about, rest, err := Tree().Find(words[1:]); err != nil || about.ParseFlags(rest) != nil {
					t.Errorf("%s: %v", line, err)
				}
				continue
			}
			if words[1] == "verify" && len(words) == 4 && strings.HasSuffix(words[2], ".json") {
				if code, _, errs := run("restore", "--receipt", words[2], "demo.qcow2:p1@vss1:/Letters", words[3]); code != 0 {
					t.Fatal(errs)
				}
			}
			if code, out, errs := runTo(t, to, words[1:]); code != 0 || out == "" && to == "" && !silent(words[1]) {
				t.Errorf("%q: exit code %d, prints %q and %s", words, code, out, errs)
			}
			if err := os.RemoveAll(filepath.Join(dir, "found")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if ran < 40 {
		t.Errorf("%d examples", ran)
	}
}

// exampleWords are those of the command in an example, without what explains it, and the file that it prints to.
func exampleWords(line string) (words []string, to string) {
	line, _, _ = strings.Cut(exampleNames.Replace(strings.TrimSpace(line)), "   ")
	for _, end := range []string{" | ", " && "} {
		line, _, _ = strings.Cut(line, end)
	}
	line, to, _ = strings.Cut(line, " >")
	if words = shell.Parse(line, "").Words; words[0] != "snapmount" {
		return nil, ""
	}
	return words, to
}

// runTo is run with a file for standard output, if there is one.
func runTo(t *testing.T, to string, args []string) (code int, out, errs string) {
	t.Helper()
	if to == "" {
		return run(args...)
	}
	f, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	code = mainAt(when.Clock{Now: time.Now(), Zone: time.UTC}, args, f, &b)
	return code, "", b.String()
}

// silent reports whether a command may have nothing to print.
func silent(command string) bool {
	return slices.Contains([]string{"restore", "find", "timeline", "undelete"}, command)
}

func needsFUSE(words []string) bool {
	switch words[1] {
	case "mount", "umount", "mounts", "serve", "map", "samba-conf", "browse":
		return true
	}
	return len(words) == 3 && words[1] == "demo.qcow2"
}

// TestHelpOfHelp asks for all flags through the command help.
func TestHelpOfHelp(t *testing.T) {
	_, want, _ := run("find", "--help-all")
	for _, args := range [][]string{{"help", "find", "--help-all"}, {"help", "--help-all", "find"}, {"--help-all", "help", "find"}} {
		if code, out, errs := run(args...); code != 0 || out != want {
			t.Errorf("%v: exit code %d, %s%s", args, code, out, errs)
		}
	}
	if _, out, _ := run("help", "--help-all"); !strings.Contains(out, "help [COMMAND|TOPIC]") {
		t.Errorf("help --help-all: %s", out)
	}
}

// TestCompletedFlags holds the table of flags against the flags that there are.
func TestCompletedFlags(t *testing.T) {
	for name, list := range flagWords {
		found := false
		for _, c := range append(Tree().Commands(), Tree()) {
			f := c.Flag(name)
			found = found || f != nil
			for _, word := range strings.Fields(list) {
				if f != nil && f.Value.Type() != "bool" && name != "points" && name != "tz" && !strings.Contains(f.Usage, word) {
					t.Errorf("%s --%s: its usage does not tell of %s", c.Name(), name, word)
				}
			}
		}
		if !found {
			t.Errorf("there is no flag --%s", name)
		}
	}
}

// TestCompletionIsInTime looks for something that never comes.
func TestCompletionIsInTime(t *testing.T) {
	t.Setenv(waitVariable, "1ms")
	o := &openFlags{}
	never := o.completes(func(context.Context, selection.Opener, []string, string) []complete.Candidate { select {} })
	c := &cobra.Command{}
	c.SetContext(t.Context())
	if list, how := never(c, nil, ""); len(list) > 0 || how != cobra.ShellCompDirectiveNoFileComp {
		t.Errorf("%v, %v", list, how)
	}
}

// TestCompletionIsSilent completes what cannot be opened.
func TestCompletionIsSilent(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.qcow2")
	if err := os.WriteFile(broken, []byte("QFI\xfbnothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"ls " + broken + ":p", "ls " + broken + "@", "ls " + broken + ":/x/", "ls nothing:", "diff nothing @", "find --nothing x", "nothing x", "ls --unknown=x --with nothing " + demo(t) + ":/"} {
		if code, out, errs := run("__complete-line", "snapmount "+line, "", "9"); code != 0 || errs != "" || strings.Count(out, "\n") > 2 {
			t.Errorf("%s: %d, %q, %q", line, code, out, errs)
		}
	}
}
