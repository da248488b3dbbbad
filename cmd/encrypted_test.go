package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/receipt"
	"snapmount/mount/report"
)

// TestEncryptedAsPlain has commands say the same of a disk whose first volume is encrypted as of the plain one.
func TestEncryptedAsPlain(t *testing.T) {
	testenv.NotUnderRace(t)
	d, plain := locked(t), filepath.Join(t.TempDir(), "plain.img")
	_, disk, _ := run("cat", "--raw", demo(t))
	if err := os.WriteFile(plain, []byte(disk), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(keysVariable, d.startup)
	for _, args := range [][]string{
		{"ls", "-lR", "IMAGE:p1@vss1"}, {"ls", "--json", "IMAGE"}, {"history", "--hash", "--json", "IMAGE:p1:/Letters"},
		{"diff", "--json", "IMAGE:p1@vss1", "@current"}, {"diff", "--paranoid", "--json", "IMAGE:p1@vss2", "@vss3"}, {"find", "--versions", "--json", "IMAGE", "*"},
		{"find", "--content", "crates at", "--json", "IMAGE", "*"}, {"find", "--deleted", "IMAGE", "*"}, {"timeline", "IMAGE", "--format", "csv", "-o", "-"},
		{"cat", "--raw", "IMAGE:p1@vss1"}, {"cat", "--raw", "IMAGE:p1"}, {"cat", "--raw", "IMAGE:p2@vss1"}, {"stat", "IMAGE:p2@vss1:/2024/ledger.txt"},
	} {
		var got [2]string
		for i, image := range []string{plain, d.path} {
			code, out, errs := run(strings.Split(strings.ReplaceAll(strings.Join(args, "\n"), "IMAGE", image), "\n")...)
			if code != 0 || out == "" {
				t.Errorf("%q: exit code %d, %s", args, code, errs)
			}
			got[i] = strings.ReplaceAll(out, image, "IMAGE")
		}
		if got[0] != got[1] {
			t.Errorf("%q: of %d bytes\n%.2000q\nbut of the encrypted volume %d\n%.2000q", args, len(got[0]), got[0], len(got[1]), got[1])
		}
	}
	b, err := os.ReadFile(d.path)
	if _, out, _ := run("cat", "--raw", d.path); err != nil || out != string(b) {
		t.Error("the disk is not as it is")
	}
}

// TestExplainEncrypted follows explain down to the ciphertext.
func TestExplainEncrypted(t *testing.T) {
	d := locked(t)
	t.Setenv(keysVariable, d.startup)
	const start = 1 << 20 // of the volume
	code, out, errs := run("explain", d.path+":p1@vss1:/$MFT", d.path+":p1:/$Boot")
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	found := regexp.MustCompile(`volume 0x([0-9a-f]+): .*; decrypted by BitLocker from 0x([0-9a-f]+) of the volume; (\S+) at 0x([0-9a-f]+)`).FindAllStringSubmatch(out, -1)
	moved := false
	for _, m := range found {
		var volume, from, at int64
		if _, err := fmt.Sscanf(m[1]+" "+m[2]+" "+m[4], "%x %x %x", &volume, &from, &at); err != nil || m[3] != d.path || at != start+from {
			t.Errorf("%q: %v", m[0], err)
		}
		moved = moved || volume == 0 && from > 8192
	}
	if len(found) < 2 || !moved {
		t.Errorf("%d pieces, the boot sector is elsewhere: %v\n%s", len(found), moved, out)
	}
}

// TestUnlockedWithoutNTFS has commands tell what to do with an encrypted volume whose files they do not read.
func TestUnlockedWithoutNTFS(t *testing.T) {
	dir := t.TempDir()
	stick, keys := filepath.Join(dir, "stick.img"), filepath.Join(dir, "keys.txt")
	recovery := bitlockertest.NewRecoveryPassword("stick")
	plain := make([]byte, 16<<20)
	copy(plain, "\xeb\x3c\x90MSDOS5.0\x00\x02\x04\x01\x00\x02\x00\x02\x00\x80\xf8\x20\x00")
	copy(plain[54:], "FAT16   ")
	copy(plain[510:], "\x55\xaa")
	f, err := os.Create(stick)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := bitlockertest.Write(f, bytes.NewReader(plain), int64(len(plain)), bitlockertest.Options{Seed: "stick",
		Protectors: []bitlockertest.Protector{{Kind: bitlockertest.RecoveryPassword, Secret: recovery}}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(int64(len(plain))), os.WriteFile(keys, []byte(recovery), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls", stick}, {"find", stick, "*"}, {stick, filepath.Join(dir, "mnt")}} {
		_, out, errs := run(append(args, "--key-file", keys)...)
		for _, want := range []string{" and unlocked: its bytes for other tools:", "snapmount cat --raw " + stick + ":", " --key-file " + keys + " >volume.img"} {
			if !strings.Contains(errs, want) {
				t.Errorf("%q: want %q\n%s%s", args, want, out, errs)
			}
		}
	}
	page := filepath.Join(dir, "page.html")
	code, _, errs := run("report", stick, "-o", page)
	if b, err := os.ReadFile(page); code != exitPartial || err != nil || !strings.Contains(errs, "1 volume is locked by BitLocker, and not in the report") ||
		!strings.Contains(string(b), "<h2>Locked by BitLocker</h2>") || !strings.Contains(string(b), "No damage was met") {
		t.Errorf("a report of what is locked: exit code %d, %v, %s", code, err, errs)
	}
	if _, _, errs := run(stick, filepath.Join(dir, "mnt"), "--recovery-key", recovery); !strings.Contains(errs, "other users of this machine can see --recovery-key") {
		t.Errorf("nothing warns of a key that others see: %s", errs)
	}
}

// TestTellsOfEncryption has info, a receipt and a page tell what encrypts a volume, and what opened it.
func TestTellsOfEncryption(t *testing.T) {
	d, dir := locked(t), t.TempDir()
	var r report.Info
	info := func(code int) {
		t.Helper()
		got, out, errs := run("info", "--json", d.path)
		if r = (report.Info{}); got != code || json.Unmarshal([]byte(out), &r) != nil {
			t.Fatalf("exit code %d, want %d\n%s%s", got, code, out, errs)
		}
	}
	info(exitDamaged) // the snapshots of the other volume are kept on it
	v := r.Volumes[0]
	if v.Locked == nil || v.Encryption != nil || v.Filesystem != "bitlocker" || v.Locked.Cipher != "XTS-AES 128" || v.Locked.State != "encrypted" ||
		v.Locked.Description != "DEMO Documents 3/5/2026" || len(v.Locked.Protectors) != 4 || v.Locked.Protectors[0].Kind != "TPM" || v.Locked.Protectors[1].Created == nil ||
		!strings.HasPrefix(strings.ToUpper(v.Locked.Protectors[1].ID), d.keyID) || !strings.Contains(v.Locked.Error, "give a recovery password for key "+d.keyID) || r.Images[0].Locked[0] != "p1" {
		t.Errorf("%+v", v.Locked)
	}
	for i, p := range r.Volumes[1].Points {
		if i > 0 && (p.Damage == nil || !strings.Contains(*p.Damage, "it may be p1, locked by BitLocker")) {
			t.Errorf("%s: %v", p.Name, p.Damage)
		}
	}
	if code, out, errs := run("cat", "--raw", d.path+":p1"); code != exitUnsupported || out != "" || !strings.Contains(errs, "p1: BitLocker, locked: give a recovery password for key "+d.keyID) {
		t.Errorf("raw: exit code %d, %d bytes, %s", code, len(out), errs)
	}
	if code, out, errs := run("cat", d.path+":/Letters/none.txt"); code == 0 || !strings.Contains(errs, d.keyID) {
		t.Errorf("a path that is nowhere else: exit code %d, %s%s", code, out, errs)
	}
	_, out, _ := run("info", d.path)
	for _, want := range []string{"p1: BitLocker, locked, 32 MiB\n", "XTS-AES 128, encrypted, since ", "DEMO Documents 3/5/2026", "recovery password  " + d.keyID + "-"} {
		if !strings.Contains(out, want) {
			t.Errorf("info has no %q:\n%s", want, out)
		}
	}

	t.Setenv(keysVariable, d.keys)
	info(exitOK)
	e := r.Volumes[0].Encryption
	if e == nil || r.Volumes[0].Locked != nil || e.UnlockedBy.Kind != "recovery password" || !strings.HasPrefix(strings.ToUpper(e.UnlockedBy.ID), d.keyID) || r.Volumes[1].Encryption != nil {
		t.Fatalf("%+v", e)
	}
	if _, out, _ := run("info", d.path); !strings.Contains(out, "p1-Documents: BitLocker, NTFS, 32 MiB\n  unlocked by recovery password "+d.keyID) {
		t.Errorf("info:\n%s", out)
	}
	proof, page := filepath.Join(dir, "receipt.json"), filepath.Join(dir, "page.html")
	run("restore", "--receipt", proof, d.path+":p1@vss1:/Letters", d.path+":p2@vss1:/2024", filepath.Join(dir, "to"))
	b, err := os.ReadFile(proof)
	var done receipt.Receipt
	if err != nil || json.Unmarshal(b, &done) != nil || len(done.Points) != 2 {
		t.Fatalf("%v: %s", err, b)
	}
	for _, p := range done.Points {
		if by := p.UnlockedBy; (by != nil) != (p.Volume == "p1-Documents") || by != nil && *by != e.UnlockedBy {
			t.Errorf("%s: unlocked by %+v", p.Volume, by)
		}
	}
	t.Setenv(keysVariable, "") // what was restored is compared without the image
	if code, out, errs := run("verify", proof); code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, out, errs)
	}
	for keys, want := range map[string]string{d.keys: "<th>Unlocked by</th><td>recovery password <code>", "": "locked: give a recovery password for key " + d.keyID} {
		t.Setenv(keysVariable, keys)
		run("report", d.path, "-o", page, "--overwrite")
		if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), want) || !strings.Contains(string(b), "DEMO Documents 3/5/2026") {
			t.Errorf("page without %q: %v", want, err)
		}
	}
}
