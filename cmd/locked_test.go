package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// lockedDisk is the demo disk, whose first volume BitLocker encrypts, and what opens that.
type lockedDisk struct {
	path                        string
	recovery, password, startup string // startup and keys are files; keys has the recovery password
	keys, passwords             string // passwords begins with the password
	other, wrong                string // a recovery password of another volume; one with a slip in group 3
	keyID                       string // of the recovery password, its first 8 digits
}

// locked writes one.
func locked(t testing.TB) lockedDisk {
	t.Helper()
	d, err := writeLocked(t.TempDir(), demo(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func writeLocked(dir, demo string) (lockedDisk, error) {
	d := lockedDisk{path: filepath.Join(dir, "disk.img"), recovery: bitlockertest.NewRecoveryPassword("cmd"), other: bitlockertest.NewRecoveryPassword("other"),
		password: "Grüße # 世界", startup: filepath.Join(dir, "28B7.BEK"), keys: filepath.Join(dir, "keys.txt"), passwords: filepath.Join(dir, "password.txt")}
	groups := strings.Split(d.recovery, "-")
	groups[2] = "253978"
	d.wrong = strings.Join(groups, "-")
	s, err := points.Open(context.Background(), []string{demo}, points.Options{})
	if err != nil {
		return d, err
	}
	defer s.Close()
	disk, v := s.Images[0].Disk, s.Volumes[0]
	w, err := bitlockertest.WriteDisk(d.path, disk, disk.Size(), v.Partition.Off, v.Block.Size(), bitlockertest.Options{Seed: "cmd", Description: "DEMO Documents 3/5/2026", Protectors: []bitlockertest.Protector{
		{Kind: bitlockertest.TPM}, {Kind: bitlockertest.RecoveryPassword, Secret: d.recovery}, {Kind: bitlockertest.Password, Secret: d.password}, {Kind: bitlockertest.StartupKey}}})
	if err != nil {
		return d, err
	}
	d.keyID = strings.ToUpper(w.Protectors[1].String()[:8])
	for name, content := range map[string]string{d.startup: string(w.StartupKeys[0]), d.keys: "# of the demo disk\n\n" + d.recovery + "\n", d.passwords: d.password + "\r\nnot this\n"} {
		err = errors.Join(err, os.WriteFile(name, []byte(content), 0o600))
	}
	return d, err
}

// TestKeys gives secrets in each way, and to each command.
func TestKeys(t *testing.T) {
	testenv.NotUnderRace(t)
	d := locked(t)
	file := d.path + ":p1@vss1:/Letters/offer.txt"
	const letter = "at 14 a crate"
	for i, c := range []struct {
		env  string
		code int
		out  string // of both outputs
		args []string
	}{
		{"", 0, letter, []string{"cat", "--recovery-key", d.recovery, file}},
		{"", 0, letter, []string{"cat", "--recovery-key", strings.ReplaceAll(d.recovery, "-", "\n . "), file}},
		{"", 0, letter, []string{"cat", "--recovery-key", d.other, "--recovery-key", d.recovery, file}},
		{"", 0, letter, []string{"--key-file", d.keys, "cat", file}},
		{"", 0, letter, []string{"cat", "--key-file=" + d.startup, file}},
		{"", 0, letter, []string{"cat", "--password-file", d.passwords, file}},
		{d.keys, 0, letter, []string{"cat", file}},
		{d.startup, 0, "3 snapshots", []string{"ls", "-l", d.path}},
		{d.keys, 0, "p1-Documents: BitLocker", []string{"unlock", d.path}},
		{d.keys, 0, "p1-Documents:/Letters/offer.txt", []string{"find", d.path, "offer.txt"}},
		{d.keys, 0, "M /Letters/offer.txt", []string{"diff", d.path + ":p1@vss1", "@vss2"}},
		{d.keys, 0, "  3  current", []string{"history", d.path + ":p1:/Letters/offer.txt"}},
		{d.keys, 0, "1 file", []string{"restore", file, t.TempDir()}},
		{d.keys, 0, "budget.csv", []string{"undelete", d.path, "budget.csv", t.TempDir()}},
		{"", 5, "give a recovery password for key " + d.keyID, []string{"cat", file}},
		{"", 5, "it belongs to another volume", []string{"cat", "--recovery-key", d.other, file}},
		{"", 7, "p1: BitLocker, locked", []string{"find", d.path, "ledger.txt"}},
		{"", 7, "p1: BitLocker, locked", []string{"stat", d.path + ":/"}},
		{"", 7, "p1: BitLocker, locked", []string{"stat", "--json", d.path}},
		{"", 7, "p1: BitLocker, locked", []string{"ls", d.path}},
		{"", 0, "not searched: " + d.path + ": p1: BitLocker, locked", []string{"explain", d.path + ":/$Boot"}},
		{"", exitDamaged, "p1: is locked by BitLocker, and was not looked into", []string{"report", d.path, "-o", filepath.Join(t.TempDir(), "page.html")}},
		{"", exitDamaged, "; 1 volume is locked by BitLocker", []string{"info", d.path}}, // on which are the diff areas of the other
		{"", 7, "1 volume is locked by BitLocker", []string{"info", d.path + ":p1"}},
		{"", exitDamaged, "the rest is sound", []string{"info", d.path + ":p2"}},
		{"", 0, "System Volume Information", []string{"ls", d.path + ":p2@current"}},
		{"", exitUsage, "recovery password: group 3 (253978) has a wrong digit: compare it with the paper", []string{"cat", "--recovery-key", d.wrong, file}},
		{"", exitUsage, "28B7.BEK: that is a file, which is for --key-file", []string{"cat", "--recovery-key", d.startup, file}},
		{"", exitUsage, "the first line is empty", []string{"cat", "--password-file", os.DevNull, file}},
		{"", exitUsage, "is for --recovery-key", []string{"cat", "--key-file", d.recovery, file}},
		{"", exitUsage, "no secret in the file", []string{"cat", "--key-file", os.DevNull, file}},
		{"", exitError, "--key-file none.txt: no such file or directory", []string{"cat", "--key-file", "none.txt", file}},
		{"none.txt", exitError, keysVariable + " none.txt: no such file or directory", []string{"cat", file}},
	} {
		t.Setenv(keysVariable, c.env)
		code, out, errs := run(c.args...)
		if code != c.code || !strings.Contains(out+errs, c.out) {
			t.Errorf("%d: %q: exit code %d, want %d and %q\n%s%s", i, c.args, code, c.code, c.out, out, errs)
		}
		if n := strings.Count(errs, "snapmount: "+d.path+": p1: BitLocker, locked"); n > 1 {
			t.Errorf("%d: %q: the volume is told %d times\n%s", i, c.args, n, errs)
		}
	}
}

// TestInfoEnd has damage beside locked volumes: nothing is called sound of which nothing is known.
func TestInfoEnd(t *testing.T) {
	cut := "cut"
	r := report.Info{Volumes: []report.Volume{{Points: []report.Point{{Damage: &cut}, {}}}, {Locked: &report.Locked{}, Points: []report.Point{{}}}}}
	for _, c := range []struct {
		faults, locked, code int
		want                 string
	}{
		{0, 0, exitDamaged, "1 of 2 points in time are damaged; the rest is sound"},
		{0, 1, exitDamaged, "1 of 2 points in time are damaged; 1 volume is locked by BitLocker: snapmount unlock d.vhdx tells what opens it"},
		{2, 2, exitDamaged, "1 of 2 points in time are damaged; 2 volumes are locked by BitLocker: snapmount unlock d.vhdx tells what opens it"},
	} {
		if err := infoEnd(&points.Set{Images: []*points.Image{{Path: "d.vhdx"}}}, r, c.faults, c.locked); err == nil || err.Error() != c.want || exitCode(err) != c.code {
			t.Errorf("%d faults, %d locked: %v, want %s", c.faults, c.locked, err, c.want)
		}
	}
	if err := infoEnd(&points.Set{}, report.Info{}, 1, 1); exitCode(err) != exitDamaged || !strings.Contains(err.Error(), "locked") {
		t.Errorf("faults and a lock: %v", err)
	}
}

// TestUnlock tells what opens what.
func TestUnlock(t *testing.T) {
	d := locked(t)
	pass := []string{"--password-file", d.passwords, "--recovery-key", d.other}
	for i, c := range []struct {
		code int
		want []string
		args []string
	}{
		{7, []string{"p1: BitLocker, XTS-AES 128: LOCKED", "for key " + d.keyID, "the volume of BitLocker stays locked"}, []string{"--check", d.path}},
		{7, []string{"recovery password (--recovery-key): opens nothing"}, []string{"--check", "--recovery-key", d.other, d.path}},
		{0, []string{"p1-Documents: BitLocker, XTS-AES 128: opens", "password (--password-file): opens password ", "recovery password (--recovery-key): opens nothing",
			"Next:", "/mnt/snap --recovery-key DIGITS --password-file " + d.passwords}, append(pass, d.path)},
		{0, []string{"recovery key " + d.keyID + ": " + d.recovery + "\n"}, append(pass, "--check", "--show-recovery-key", d.path)},
		{0, []string{"startup key "}, []string{"--check", "--key-file", d.startup, d.path + ":p1"}},
		{0, []string{"no volume is encrypted by BitLocker"}, []string{"--check", d.path + ":p2"}},
		{0, []string{"no volume is encrypted by BitLocker"}, []string{demo(t)}},
	} {
		code, out, errs := run(append([]string{"unlock"}, c.args...)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(out+errs, want) {
				t.Errorf("%d: %q: exit code %d, want %d and %q\n%s%s", i, c.args, code, c.code, want, out, errs)
			}
		}
		if next := strings.Contains(out, "Next:"); next != (i == 2) {
			t.Errorf("%d: what to do next is told: %v\n%s", i, next, out)
		}
	}
	for _, show := range []bool{false, true} {
		args := append([]string{"unlock", "--json"}, append(pass, d.path)...)
		if show {
			args = append(args, "--show-recovery-key")
		}
		_, out, _ := run(args...)
		var r struct {
			Volumes []struct {
				Volume, Cipher string
				Unlocked       bool
				Tries          []struct {
					From, Kind string
					Opens      *struct{ Kind, ID string }
				}
				RecoveryKeys []struct{ ID, Password string } `json:"recovery_keys"`
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Volumes) != 1 || len(r.Volumes[0].Tries) != 2 {
			t.Fatalf("%v: %s", err, out)
		}
		v := r.Volumes[0]
		if !v.Unlocked || v.Volume != "p1-Documents" || v.Tries[0].Opens != nil || v.Tries[1].Opens == nil || v.Tries[1].Opens.Kind != "password" {
			t.Errorf("%s", out)
		}
		if shown := len(v.RecoveryKeys) == 1 && v.RecoveryKeys[0].Password == d.recovery; shown != show || strings.Contains(out, d.recovery) != show {
			t.Errorf("the recovery password is shown: %v, want %v\n%s", shown, show, out)
		}
	}
}

// TestSecretsStayOut looks for each secret in all that commands say, with right and wrong ones.
func TestSecretsStayOut(t *testing.T) {
	testenv.NotUnderRace(t)
	d := locked(t)
	dir := t.TempDir()
	wrongPassword := filepath.Join(dir, "wrong.txt")
	const hunter = "Hunter2-never-shown"
	if err := os.WriteFile(wrongPassword, []byte(hunter+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secret := []string{hunter, "Grüße", "世界"}
	for _, r := range []string{d.recovery, d.other} {
		secret = append(secret, r, strings.Split(r, "-")[0], strings.ReplaceAll(r, "-", ""))
	}
	file, receipt := d.path+":p1@vss1:/Letters/offer.txt", filepath.Join(dir, "receipt.json")
	log := filepath.Join(dir, "log")
	ran := 0
	for _, keys := range [][]string{{"--recovery-key", d.recovery}, {"--recovery-key=" + d.other}, {"--password-file", d.passwords}, {"--password-file", wrongPassword},
		{"--key-file", d.keys}, {"--key-file", d.startup}, {"--key-file", wrongPassword, "--recovery-key", d.wrong}} {
		for _, args := range [][]string{
			{"info", "-v", d.path}, {"info", "--json", d.path}, {"ls", d.path}, {"ls", "--json", file}, {"stat", file}, {"explain", file}, {"cat", d.path + ":p1:/none"},
			{"find", d.path, "*.txt"}, {"restore", file, filepath.Join(dir, "to"), "--receipt", receipt, "--overwrite=always"}, {"verify", receipt},
			{"timeline", d.path, "-o", filepath.Join(dir, "t.csv"), "--format", "csv", "--overwrite"}, {"report", d.path, "-o", filepath.Join(dir, "r.html"), "--overwrite"},
			{"unlock", d.path}, {"unlock", "--json", d.path}, {"scan", d.path}, {d.path}, {"ls", "--jsn", d.path}, {"lst", d.path}, {"ls", "--size=3", d.path}, {"find", "--size", "1k", d.path},
			{d.path, filepath.Join(d.path, "mnt"), "--log", log, "--log-level", "debug"},
		} {
			line := slices.Concat(args, keys)
			if ran%3 == 0 {
				line = slices.Concat(keys, args)
			}
			_, out, errs := run(line...)
			ran++
			for _, s := range secret {
				if strings.Contains(out+errs, s) {
					t.Errorf("%q shows %q:\n%s%s", line, s, out, errs)
				}
			}
		}
	}
	for _, name := range []string{receipt, filepath.Join(dir, "t.csv"), filepath.Join(dir, "r.html"), log} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Errorf("nothing to look into: %v", err)
		}
		for _, s := range secret {
			if strings.Contains(string(b), s) {
				t.Errorf("%s has %q", name, s)
			}
		}
	}
	if ran < 140 {
		t.Errorf("%d lines", ran)
	}
}
