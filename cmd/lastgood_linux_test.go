package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
	"snapmount/ntfs/attack/attacktest"
)

// struck is what an attack did: all of Docs is encrypted, a file that no point has among it, Gone is emptied, and somebody
// changed a file of which no rule knows.
var struck = []func(dir string) error{
	func(dir string) (err error) {
		for i := range 60 {
			err = errors.Join(err, put(dir, fmt.Sprintf("Docs/%d/letter %02d.txt", i%6, i), string(attacktest.Make("txt", uint64(i)))),
				put(dir, fmt.Sprintf("Gone/picture %02d.png", i), string(attacktest.Make("png", uint64(i)))))
		}
		return errors.Join(err, put(dir, "vault.bin", string(attacktest.Damages[0].Do(make([]byte, 20000), attacktest.Random(1)))), put(dir, "keep.txt", "as it was\n"))
	},
	func(dir string) error {
		return put(dir, "Docs/1/letter 01.txt", "a second version, which is the last good one\n")
	},
	func(dir string) (err error) {
		r := attacktest.Random(2)
		for i := range 60 {
			name := filepath.Join(dir, fmt.Sprintf("Docs/%d/letter %02d.txt", i%6, i))
			b, err2 := os.ReadFile(name)
			err = errors.Join(err, err2, os.WriteFile(name, attacktest.Damages[0].Do(b, r), 0o644), os.Rename(name, name+".Locked"))
		}
		for i := range 6 {
			err = errors.Join(err, put(dir, fmt.Sprintf("Docs/%d/HOW TO.txt", i), "Pay.\n"))
		}
		return errors.Join(err, put(dir, "Docs/1/new.docx.Locked", string(attacktest.Damages[0].Do(make([]byte, 9000), r))), os.RemoveAll(filepath.Join(dir, "Gone")),
			put(dir, "vault.bin", string(attacktest.Damages[0].Do(make([]byte, 20000), r))), put(dir, "keep.txt", "as it was, and a line more\n"))
	},
}

// TestLastGoodOptions restores parts of it, in all ways.
func TestLastGoodOptions(t *testing.T) {
	testenv.NotUnderRace(t)
	v := buildEdited(t, struck, nil)
	good := map[string]string{}
	for path, sum := range v.sums[1] {
		if strings.HasPrefix(path, "/Docs/") || strings.HasPrefix(path, "/Gone/") {
			good[path[1:]] = sum
		}
	}
	below := func(dir, cut string, more ...string) map[string]string {
		out := map[string]string{}
		for path, sum := range good {
			if rest, ok := strings.CutPrefix(path, cut); ok && strings.HasPrefix(path, dir) {
				out[rest] = sum
			}
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want map[string]string
	}{
		{"all", []string{v.image}, exitPartial, good},
		{"a directory", []string{v.image + ":/Docs/2"}, exitOK, below("Docs/2/", "Docs/")},
		{"what is in one", []string{v.image + ":/docs/2/"}, exitOK, below("Docs/2/", "Docs/2/")},
		{"one that is gone", []string{v.image + ":/Gone/"}, exitOK, below("Gone/", "Gone/")},
		{"a file by the name that it had", []string{v.image + ":/Docs/1/letter 01.txt"}, exitOK, below("Docs/1/letter 01", "Docs/1/")},
		{"by the name that it has", []string{v.image + ":/Docs/1/letter 01.txt.locked"}, exitOK, below("Docs/1/letter 01", "Docs/1/")},
		{"a file that no point has", []string{v.image + ":/Docs/1/new.docx.Locked"}, exitPartial, map[string]string{}},
		{"what nobody can decide on", []string{v.image + ":/vault.bin"}, exitUndecided, map[string]string{}},
		{"that too", []string{"--undecided", v.image + ":/vault.bin"}, exitOK, map[string]string{"vault.bin": v.sums[1]["/vault.bin"]}},
		{"what is good", []string{v.image + ":/keep.txt"}, exitOK, map[string]string{}},
		{"without some", []string{"--exclude", "Gone", "--exclude", "*.docx", "--exclude", "vault.bin", "--exclude", "/Docs/[2-5]", "--exclude", "*.docx.*", v.image}, exitOK,
			below("Docs/0/", "", slices.Concat(pairs(below("Docs/1/", "")))...)},
		{"a point", []string{v.image + "@latest:/Docs"}, exitUsage, nil},
		{"a pattern", []string{v.image + ":/Docs/*"}, exitUsage, nil},
		{"a record", []string{v.image + ":#5"}, exitUsage, nil},
		{"what is nowhere", []string{v.image + ":/Docs/nothing"}, exitError, nil},
		{"in place of others", []string{"--overwrite", v.image}, exitUsage, nil},
		{"with other words", []string{"--deleted", v.image}, exitUsage, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dest := filepath.Join(t.TempDir(), "dest")
			code, out, errs := run(slices.Concat([]string{"restore", "--last-good"}, c.args, []string{dest})...)
			got := map[string]string{}
			if _, err := os.Stat(dest); err == nil {
				got = sumsBelow(t, dest)
			}
			if code != c.code || !maps.Equal(got, c.want) {
				t.Errorf("exit %d, want %d\n%s%s\ngot  %v\nwant %v", code, c.code, out, errs, got, c.want)
			}
			if c.want == nil {
				return
			}
			dry := filepath.Join(t.TempDir(), "dry")
			code, plan, _ := run(slices.Concat([]string{"restore", "--last-good", "--dry-run"}, c.args, []string{dry})...)
			if _, err := os.Stat(dry); code != c.code || err == nil {
				t.Errorf("dry run: exit %d, want %d; made %v", code, c.code, err == nil)
			}
			for path := range c.want {
				if !strings.Contains(plan, filepath.Base(path)) {
					t.Errorf("the plan does not tell of %s:\n%s", path, plan)
				}
			}
		})
	}
	t.Run("into what is there", func(t *testing.T) {
		if code, _, errs := run("restore", "--last-good", v.image, t.TempDir()+"/.."); code != exitUsage || !strings.Contains(errs, "new folder") {
			t.Errorf("exit %d: %s", code, errs)
		}
	})
	t.Run("into an archive, with a receipt", func(t *testing.T) { v.lastGoodReceipt(t) })
	t.Run("told", func(t *testing.T) { v.told(t) })
}

// pairs gives the keys and values of a map in a row.
func pairs(m map[string]string) (out []string) {
	for k, v := range m {
		out = append(out, k, v)
	}
	return out
}

// lastGoodReceipt holds the receipt against what is known of each file.
func (v *editedVolume) lastGoodReceipt(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "receipt.json")
	code, out, errs := run("restore", "--last-good", "--receipt", name, v.image+":/Docs/1", filepath.Join(dir, "good.zip"))
	if code != exitPartial {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var r receipt.Receipt
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	files, none := 0, 0
	for _, item := range r.Items {
		switch g := item.LastGood; {
		case item.Result == "failed" && strings.Contains(item.Error, "no good version"):
			none++
		case item.Type != "file":
		case g == nil, g.Chosen == nil, g.State != "spoiled", g.Chosen.State != "whole", !strings.HasSuffix(string(g.Path), ".Locked"):
			t.Errorf("%s: %+v", item.Path, g)
		default:
			files++
		}
	}
	if files != 10 || none != 1 || r.Complete {
		t.Errorf("%d files, %d without a good version, complete %v", files, none, r.Complete)
	}
}

// told reads what attack and find say of it.
func (v *editedVolume) told(t *testing.T) {
	code, out, errs := run("attack", v.image)
	for _, want := range []string{"ATTACK between", "60 files were renamed to .locked, of 6", "60 files went without a trace", "HOW TO.txt, new in 6 folders, all with one text", "the records of 6",
		"snapmount restore --last-good ", "  120  have a good version", "  1  have none", "  1  changed, and no rule knows"} {
		if !strings.Contains(out, want) {
			t.Errorf("attack does not say %q", want)
		}
	}
	if code != exitOK || t.Failed() {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	code, out, _ = run("attack", "--quick", v.image)
	if code != exitOK || strings.Contains(out, "ATTACK") || !strings.Contains(out, "no content was read") || !strings.Contains(out, "renamed to .locked") {
		t.Errorf("--quick: exit %d\n%s", code, out)
	}
	var doc report.Attack
	_, out, _ = run("attack", "--json", v.image)
	if err := json.Unmarshal([]byte(out), &doc); err != nil || !doc.Attack || !doc.Complete || len(doc.Volumes) != 1 || len(doc.Volumes[0].Files) != 122 {
		t.Errorf("%v, attack %v, complete %v, %d volumes", err, doc.Attack, doc.Complete, len(doc.Volumes))
	}
	if code, _, errs := run("attack", v.image+":/Docs"); code != exitUsage {
		t.Errorf("a path: exit %d, %s", code, errs)
	}
	spoiled := map[string]bool{}
	for _, h := range finds(t, exitOK, v.image+":/Docs", "*", "--state", "spoiled") {
		if spoiled[filepath.Base(string(h.Path))] = true; h.State != "spoiled" || h.Match != "state" || h.First != "current" {
			t.Errorf("find --state: %+v", h)
		}
	}
	if len(spoiled) != 61 {
		t.Errorf("find --state spoiled: %d files, want 61", len(spoiled))
	}
	if code, _, errs := run("find", v.image, "*", "--state", "bad"); code != exitUsage || !strings.Contains(errs, "spoiled") {
		t.Errorf("a state that there is not: exit %d, %s", code, errs)
	}
}

// TestAttackNothing has images that show nothing, and one with nothing to compare.
func TestAttackNothing(t *testing.T) {
	code, out, errs := run("attack", demo(t))
	if code != exitOK || !strings.Contains(out, "no sign of an attack between these 4 points") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	dest := filepath.Join(t.TempDir(), "dest")
	if code, out, errs = run("restore", "--last-good", demo(t)+":p2", dest); code != exitOK || !strings.Contains(out, "0 files") {
		t.Errorf("nothing to restore: exit %d\n%s%s", code, out, errs)
	}
}

// TestAttackDamaged has records that are lost at the newest point: their files are not gone, and it is told.
func TestAttackDamaged(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(b []byte)
	}{
		{"zeros", func(b []byte) { clear(b) }},
		{"garbage", func(b []byte) { copy(b, "XXXX") }},
		{"not in use", func(b []byte) { b[22] = 0 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			hit := 0
			v := buildEdited(t, []func(dir string) error{struck[0], func(dir string) error { return put(dir, "keep.txt", "other\n") }}, func(state int, image string) {
				b, err := os.ReadFile(image)
				if err != nil {
					t.Fatal(err)
				}
				for off := 0; state == 1 && off+1024 <= len(b); off += 1024 {
					if r := b[off : off+1024]; strings.HasPrefix(string(r), "FILE") && strings.Contains(string(r), "p\x00i\x00c\x00t\x00u\x00r\x00e\x00 \x00") && r[22] == 1 {
						c.damage(r)
						hit++
					}
				}
				if err := os.WriteFile(image, b, 0o600); err != nil {
					t.Fatal(err)
				}
			})
			code, out, errs := run("attack", v.image)
			if hit != 60 || code != exitPartial || strings.Contains(out, "removed") || strings.Contains(out, "ATTACK") || !strings.Contains(errs, "record") || !strings.Contains(out, "which is not all") {
				t.Errorf("%d records, exit %d\n%s%s", hit, code, out, errs)
			}
			code, out, errs = run("restore", "--last-good", "--dry-run", v.image, filepath.Join(t.TempDir(), "new"))
			if code != exitPartial || !strings.Contains(out, "which is not all") {
				t.Errorf("restore: exit %d\n%s%s", code, out, errs)
			}
			var doc report.Attack
			if _, out, _ = run("attack", "--json", v.image); json.Unmarshal([]byte(out), &doc) != nil || doc.Complete || len(doc.Lost) == 0 {
				t.Errorf("complete %v, lost %v", doc.Complete, doc.Lost)
			}
		})
	}
}
