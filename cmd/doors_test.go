package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestDoors types what people type, and looks at what is said: testdata/doors.txt says how a case is written.
func TestDoors(t *testing.T) {
	testenv.NotUnderRace(t)
	b, err := os.ReadFile("testdata/doors.txt")
	if err != nil {
		t.Fatal(err)
	}
	bl := locked(t)
	single := filepath.Join(t.TempDir(), "single.txt")
	if err := os.WriteFile(single, []byte(bl.recovery+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	put := strings.NewReplacer("$BEK", bl.startup, "$BKEYS", bl.keys, "$BREC", single, "$BPASS", bl.passwords,
		"$B48S", strings.ReplaceAll(bl.recovery, "-", " "), "$B48", bl.recovery, "$B6", bl.recovery[7:13], "$B", bl.path, "$D", demo(t), "$T", t.TempDir(), "$W", desk(t))
	var typed, stdout, stderr string
	cases := 0
	for line := range strings.Lines(string(b)) {
		line = put.Replace(strings.TrimRight(line, "\n"))
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case mark == "" || mark == "#":
		case mark == "$":
			word, args, _ := strings.Cut(rest, " ")
			want, err := strconv.Atoi(word)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			typed, cases = args, cases+1
			var code int
			if code, stdout, stderr = run(wordsOf(args)...); code != want {
				t.Errorf("%s\nexit code %d, want %d\n%s%s", typed, code, want, stdout, stderr)
			}
		case mark == ">" && !strings.Contains(stdout, rest), mark == "!" && !strings.Contains(stderr, rest),
			mark == "-" && strings.Contains(stdout+stderr, rest):
			t.Errorf("%s\nwant %s\n%s%s", typed, line, stdout, stderr)
		case mark != ">" && mark != "!" && mark != "-":
			t.Fatalf("%q: no line of a case", line)
		}
	}
	if cases < 140 {
		t.Errorf("only %d cases", cases)
	}
}

// desk makes a directory of files as people have them beside an image.
func desk(t *testing.T) string {
	dir := t.TempDir()
	archive := "PK\x03\x04" + strings.Repeat("\x00", 1<<16)
	for name, content := range map[string]string{"empty.img": "", "notes.txt": "not a disk", "a.txt": "a", "b.txt": "b", "c.txt": "c", "docs.zip": archive, "mine/letter.txt": "Dear Emmy"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"disk.vhdx", "case 7.E01", "images/old.vhd"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.Symlink(demo(t), filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wordsOf splits a line at its blanks, but for those between two quotes; a doubled quote is one that is meant.
func wordsOf(line string) (words []string) {
	word, quoted := "", false
	line = strings.ReplaceAll(line, "''", "\x00")
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			words, word = append(words, word), ""
		case r == 0:
			word += "'"
		default:
			word += string(r)
		}
	}
	return words
}
