package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/when"
)

// TestManual wants what MANUAL.md has of the commands to be what their help says. UPDATE=1 writes it there.
func TestManual(t *testing.T) {
	const begin, end = "<!-- generated from the commands: begin -->\n", "<!-- generated from the commands: end -->\n"
	b, err := os.ReadFile("MANUAL.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("MANUAL.md: want the lines %q and %q", begin, end)
	}
	want := before + begin + reference(t) + end + after
	if want == string(b) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Error("MANUAL.md has not what the help of the commands says: UPDATE=1 go test ./cmd -run TestManual writes it")
	} else if err := os.WriteFile("MANUAL.md", []byte(want), 0o644); err != nil {
		t.Error(err)
	}
}

// reference is the help of all commands, as Markdown.
func reference(t *testing.T) string {
	var page strings.Builder
	var all func(c *cobra.Command)
	all = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Hidden || sub.Name() == "help" || sub.Name() == "completion" || !sub.Runnable() && !sub.HasSubCommands() && sub.Name() == "" {
				continue
			}
			path := strings.Fields(strings.TrimPrefix(sub.CommandPath(), "snapmount "))
			code, out, errs := run(append(path, "--help-all")...)
			if !sub.Runnable() { // a topic
				code, out, errs = run(append([]string{"help"}, path...)...)
			}
			if code != 0 || errs != "" {
				t.Fatalf("%q: %d, %s", path, code, errs)
			}
			fmt.Fprintf(&page, "\n### snapmount %s\n\n```text\n%s\n```\n", strings.Join(path, " "), strings.TrimSpace(out))
			all(sub)
		}
	}
	all(Tree())
	return page.String()
}

// TestStory runs what README.md shows, "$ snapmount ..." and what it prints up to the next such line, one after the other in
// one directory that has the demo image.
func TestStory(t *testing.T) {
	b, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(testenv.Root(t), "testdata")
	t.Chdir(t.TempDir())
	if err := os.Symlink(data, "testdata"); err != nil {
		t.Fatal(err)
	}
	here := when.Clock{Now: time.Date(2026, 3, 6, 9, 0, 0, 0, time.UTC), Zone: time.UTC}
	var shown, printed strings.Builder
	ran := 0
	for line := range strings.Lines(string(b)) {
		text, indented := strings.CutPrefix(line, "    ")
		command, starts := strings.CutPrefix(text, "$ ")
		switch {
		case indented && starts:
			words := split(t, strings.TrimSpace(command))
			if words[0] == "cat" {
				for _, name := range words[1:] {
					b, err := os.ReadFile(name)
					if err != nil {
						t.Fatal(err)
					}
					printed.Write(b)
				}
			} else {
				var out bytes.Buffer
				mainAt(here, words[1:], &out, &out)
				printed.Write(out.Bytes())
			}
			ran++
		case indented && ran > 0:
			shown.WriteString(text)
		}
		if !indented && strings.HasPrefix(line, "## Install") {
			break
		}
	}
	seconds := regexp.MustCompile(` in \d+\.\d s`)
	want, got := seconds.ReplaceAllString(shown.String(), ""), seconds.ReplaceAllString(printed.String(), "")
	if ran < 5 || want != got {
		t.Errorf("%d commands; README.md shows\n%s\nbut they print\n%s", ran, want, got)
	}
}

// split cuts a line into words as a shell does, of which README.md needs quotes only.
func split(t *testing.T, line string) []string {
	var words []string
	for rest := line; rest != ""; rest = strings.TrimSpace(rest) {
		word, after, _ := strings.Cut(rest, " ")
		if quoted, found := strings.CutPrefix(rest, "'"); found {
			if word, after, found = strings.Cut(quoted, "'"); !found {
				t.Fatalf("%s: a quote that is not closed", line)
			}
		}
		words, rest = append(words, word), after
	}
	return words
}
