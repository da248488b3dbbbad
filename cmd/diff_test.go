package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestDiff(t *testing.T) {
	d := demo(t)
	for _, c := range []struct {
		args []string
		out  string // regular expression
	}{
		{[]string{d + ":p1@vss1", "@vss2"}, `(?s)^M /Letters/offer\.txt  52 -> 67 bytes; created, modified, changed\nR /Letters/thanks\.txt -> /Letters/thanks \(sent\)\.txt  changed\nR /Photos -> /Pictures\nM /Projects/budget\.csv  30 -> 45 bytes; created, modified, changed\n$`},
		{[]string{d + ":p1@vss1", "@vss2", "--metadata"}, `(?s)^M /  created, modified, changed, accessed\n.*\nM /Letters/offer\.txt  52 -> 67 bytes; created, modified, changed, accessed\n.*\nM /System Volume Information  accessed\n$`},
		{[]string{d + ":p1@vss1", "@vss2", "--only", "metadata", "/Photos"}, `^M /Pictures  .*accessed\nM /Pictures/bridge\.raw  accessed\nM /Pictures/harbour\.raw  accessed\n$`},
		{[]string{d + ":p1@vss1", d + ":p1@vss2", "--only", "renamed"}, `^R /Letters/.*\nR /Photos -> /Pictures\n$`},
		{[]string{d + ":p1@vss1:/Photos", "@vss3", "--only", "deleted,content,renamed"}, `^- /Photos/harbour\.raw\nR /Photos -> /Pictures\n$`},
		{[]string{d + ":p1@vss1", "@vss3", "Projects", "--only", "created,deleted"}, `^- /Projects/budget\.csv\n\+ /Projects/notes\.txt\n$`},
		{[]string{d + ":p1@vss2", "@vss1", "--only", "content", "--content", "/letters"}, `(?s)^M /Letters/offer\.txt  67 -> 52 bytes\n--- 2026-03-03T180000Z:/Letters/offer\.txt\n\+\+\+ 2026-03-02T180000Z:/Letters/offer\.txt\n@@ -1,2 \+1,2 @@\n Dear Ms Noether,\n-we.*\n\+we.*\n$`},
		{[]string{d + ":p1@vss3", "@current", "--stat"}, `(?s)^created +1  29 B\ndeleted +0  0 B\nrenamed +0  \ncontent +2  108 KiB -> 108 KiB\nmetadata +\d+  \nstreams +0  \n$`},
		{[]string{d + ":p2@vss1", "@vss2", "--paranoid", "--only", "deleted"}, `^- /2024\n- /2024/ledger\.txt\n$`},
		{[]string{d + ":p1@vss1", "@vss1"}, `^$`},
		{[]string{d + ":p1@vss1", "@vss2", "--system", "--only", "content"}, `(?m)^M /\$MFT  .*\(in place`},
	} {
		code, out, errs := run(append([]string{"diff"}, c.args...)...)
		told := ""
		if strings.HasSuffix(c.args[0], "@vss2") && c.args[1] == "@vss1" {
			told = "snapmount: from 2026-03-03T180000Z back in time to 2026-03-02T180000Z: + is what is there in the older one alone\n"
		}
		if code != 0 || errs != told || !regexp.MustCompile(c.out).MatchString(out) {
			t.Errorf("%q: exit %d\n%s\n%s\nwant %s and %s", c.args, code, out, errs, c.out, told)
		}
	}
}

func TestDiffJSON(t *testing.T) {
	code, out, errs := run("diff", "--json", demo(t)+":p1@vss1", "@vss2", "Letters")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d, %s", code, errs)
	}
	for line := range strings.Lines(out) {
		if want := fmt.Sprintf(`{"schema":1,"image":%q,"volume":"p1-Documents","point":"2026-03-03T180000Z","location":"%[1]s:p1-Documents@2026-03-03T180000Z:/Letters`, demo(t)); !strings.HasPrefix(line, want) {
			t.Errorf("%s, want %s", line, want)
		}
	}
	out = regexp.MustCompile(`"schema".*"old_image":"[^"]+","old_volume":"p1-Documents","old_point":"2026-03-02T180000Z",`).ReplaceAllString(out, "")
	for _, want := range []string{
		`{"kind":"content","path":"/Letters/offer.txt","old_path":null,"ref":"68-1","type":"file","fields":[],"old_size":52,"new_size":67,"found_by":"record","in_place":false}`,
		`{"kind":"renamed","path":"/Letters/thanks (sent).txt","old_path":"/Letters/thanks.txt","ref":"69-1","type":"file","fields":[],"old_size":null,"new_size":null,"found_by":"record","in_place":false}`,
		`{"kind":"metadata","path":"/Letters/thanks (sent).txt","old_path":null,"ref":"69-1","type":"file","fields":["changed","accessed"],"old_size":null,"new_size":null,"found_by":"record","in_place":false}`,
	} {
		if !strings.Contains(out, want+"\n") {
			t.Errorf("%s\nwithout %s", out, want)
		}
	}
	_, out, _ = run("diff", "--json", "--stat", "--only", "deleted", demo(t)+":p1@vss1", "@current")
	_, out, _ = strings.Cut(out, `:p1-Documents@current","old_image"`)
	_, out, _ = strings.Cut(out, `"2026-03-02T180000Z",`)
	if want := `"kind":"deleted","count":2,"old_bytes":307230,"new_bytes":0}` + "\n"; out != want {
		t.Errorf("%s, want %s", out, want)
	}
}

func TestDiffErrors(t *testing.T) {
	d := demo(t)
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{d}, exitUsage, "want two points"},
		{[]string{d + ":p1", "@vss1", "--only", "moved"}, exitUsage, "want some of [created deleted renamed content metadata streams]"},
		{[]string{d + ":p1", "@vss1", "--content", "--json"}, exitUsage, "--content"},
		{[]string{d + ":p1", "@vss9"}, exitNoPoint, "no such point in time"},
		{[]string{d, "@vss1"}, exitUsage, "p1-Documents, p2-Archive"},
		{[]string{d + ":p1", d}, exitUsage, "p1-Documents, p2-Archive"},
		{[]string{d + ":p1", "@vss1", "/nothing"}, exitError, "nothing"},
		{[]string{d + ":p1", "none.img@vss1"}, exitError, "none.img"},
	} {
		code, out, errs := run(append([]string{"diff"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.text) || out != "" || strings.Count(errs, "\n") != 1 && code != exitNoPoint && !strings.Contains(errs, "one of:") {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.text, out, errs)
		}
	}
}

// TestDiffTwoImages compares a volume in two images, which share no place, and then in one that says it is another volume.
func TestDiffTwoImages(t *testing.T) {
	d, raw := demo(t), filepath.Join(t.TempDir(), "copy.img")
	code, image, errs := run("cat", "--raw", d+":p1@vss2")
	if code != 0 {
		t.Fatal(errs)
	}
	if err := os.WriteFile(raw, []byte(image), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run("diff", raw, d+":p1@vss2"); code != 0 || out != "" || errs != "" {
		t.Errorf("a copy: exit %d, %s%s", code, out, errs)
	}
	_, want, _ := run("diff", d+":p1@vss1", "@vss2")
	if code, out, errs := run("diff", d+":p1@vss1", raw); code != 0 || out != want || errs != "" {
		t.Errorf("exit %d, %s%s, want %s", code, out, errs, want)
	}
	b := []byte(image)
	b[0x48]++
	if err := os.WriteFile(raw, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := run("diff", raw, d+":p1@vss2"); code != 0 || out != "" || !strings.Contains(errs, "different serial numbers") {
		t.Errorf("two volumes: exit %d, %s%s", code, out, errs)
	}
}

// TestDiffDamage zeroes a file record of the current state: that alone is not told, and the exit code says so.
func TestDiffDamage(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "copy.img")
	_, image, _ := run("cat", "--raw", demo(t)+":p1")
	b := []byte(image)
	key := []byte("o\x00f\x00f\x00e\x00r\x00.\x00t\x00x\x00t\x00")
	at := 0
	for !bytes.HasPrefix(b[at:], []byte("FILE")) || b[at+22] != 1 || !bytes.Contains(b[at:at+1024], key) {
		at += 1024
	}
	b[at+510]++
	if err := os.WriteFile(raw, b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := run("diff", raw+"@vss3", "@current")
	if code != exitPartial || strings.Contains(out, "/Letters/offer.txt") || !strings.Contains(out, "+ /READ ME") ||
		!regexp.MustCompile(`^snapmount: /Letters/offer\.txt: .*second: file record.*update sequence.*\nsnapmount: some items could not be read\n$`).MatchString(errs) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}
