package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/report"
	"snapmount/ntfs/attack/attacktest"
)

// An attacked volume has three points, and a state in which files are damaged in ten ways, and others edited.
type attacked struct {
	editedVolume
	damaged map[string]string // by the path that a file had, the path that it has
	edited  []string
}

// buildAttacked makes one. Every third and every fifth file is edited before. Of ten damaged files six are renamed, two are new
// files in the place of old ones, and two have their name and record.
func buildAttacked(t *testing.T, damaged, edited int) attacked {
	t.Helper()
	a := attacked{damaged: map[string]string{}}
	name := func(i int) (path, kind string) {
		kind = attacktest.Kinds[i%len(attacktest.Kinds)]
		return fmt.Sprintf("Users/%s/%s/file %04d.%s", []string{"ann", "bob"}[i%2], []string{"Documents", "Pictures", "Desktop", "Work/2026"}[i/2%4], i, kind), kind
	}
	again := func(step int) func(dir string) error {
		return func(dir string) (err error) {
			for i := 0; i < damaged+edited; i += step {
				path, kind := name(i)
				b, err2 := os.ReadFile(filepath.Join(dir, path))
				err = errors.Join(err, err2, put(dir, path, string(attacktest.Edit(kind, b, uint64(i*step)))))
			}
			return err
		}
	}
	fill := func(dir string) (err error) {
		for i := range damaged + edited {
			path, kind := name(i)
			err = errors.Join(err, put(dir, path, string(attacktest.Make(kind, uint64(i)))))
		}
		return err
	}
	random := attacktest.Random(7)
	strike := func(dir string) (err error) {
		for i := range damaged + edited {
			path, kind := name(i)
			full := filepath.Join(dir, path)
			b, err2 := os.ReadFile(full)
			if err = errors.Join(err, err2); i >= damaged {
				a.edited = append(a.edited, path)
				err = errors.Join(err, put(dir, path, string(attacktest.Edit(kind, b, uint64(i*7)))))
				continue
			}
			bad := attacktest.Damages[i/10%len(attacktest.Damages)].Do(b, random)
			a.damaged[path] = path + ".locked"
			switch i % 10 {
			case 0, 1:
				a.damaged[path] = path
				err = errors.Join(err, os.WriteFile(full, bad, 0o644))
			case 2, 3:
				err = errors.Join(err, os.WriteFile(full+".locked", bad, 0o644), os.Remove(full))
			default:
				err = errors.Join(err, os.WriteFile(full, bad, 0o644), os.Rename(full, full+".locked"))
			}
		}
		for _, folder := range []string{"ann/Documents", "ann/Pictures", "ann/Desktop", "bob/Documents", "bob/Pictures", "bob/Desktop"} {
			err = errors.Join(err, put(dir, "Users/"+folder+"/READ ME.txt", "All your files are locked.\n"))
		}
		return err
	}
	size := max(int64(damaged+edited)*96<<10, 24<<20) &^ (1<<20 - 1)
	a.editedVolume = buildSized(t, size, 3*size, []func(string) error{fill, again(3), again(5), strike}, nil)
	return a
}

// TestLastGood restores what is damaged: each file as it was before, or not at all.
func TestLastGood(t *testing.T) {
	testenv.NotUnderRace(t)
	a := buildAttacked(t, 1000, 300)
	a.check(t)
}

// check restores, and counts.
func (a *attacked) check(t *testing.T) {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "dest")
	code, out, errs := run("restore", "--last-good", a.image, dest)
	if code != exitOK && code != exitUndecided {
		t.Fatalf("exit %d\n%s\n%s", code, out, errs)
	}
	got := sumsBelow(t, dest)
	right, missing := 0, 0
	for path := range a.damaged {
		want := a.sums[2]["/"+path]
		switch sum, ok := got[path]; {
		case ok && sum == want:
			right++
		case ok:
			t.Errorf("%s: restored, and is not what it was before", path)
		default:
			missing++
		}
		delete(got, path)
	}
	honest := 0
	for _, path := range a.edited {
		if _, ok := got[path]; ok {
			honest++
			delete(got, path)
		}
	}
	for path := range got {
		t.Errorf("%s: restored, and nobody damaged it", path)
	}
	code, text, errs := run("attack", "--json", a.image)
	var doc report.Attack
	if err := json.Unmarshal([]byte(text), &doc); code != exitOK || err != nil {
		t.Fatalf("exit %d, %v\n%s", code, err, errs)
	}
	ways := map[string]int{}
	undecided := 0
	for _, f := range doc.Volumes[0].Files {
		if f.Outcome == "undecided" {
			undecided++
		}
		ways[f.Outcome+" by "+f.Rule]++
	}
	t.Logf("%d damaged: %d right, %d not restored; %d edited: %d restored; %d undecided of all\n%v\n%s", len(a.damaged), right, missing, len(a.edited), honest, undecided, ways,
		out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:])
	if missing > undecided || right < len(a.damaged)*99/100 || honest > 0 {
		t.Errorf("%d are neither restored nor undecided, or too few are right, or honest edits were undone", missing-undecided)
	}
	st := doc.Volumes[0].Steps
	if last := len(st) - 1; !doc.Attack || last < 0 || !st[last].Attack || st[last].Spoiled+st[last].Torn < right || len(st[last].Extensions) != 1 || len(st[last].Notes) != 1 {
		t.Errorf("attack %v, steps %+v", doc.Attack, st)
	}
	for i := range st[:max(len(st)-1, 0)] {
		if st[i].Attack {
			t.Errorf("edits are told as an attack: %+v", st[i])
		}
	}
}
