package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/bitlocker/bitlockertest"
)

// memory is what is written.
type memory []byte

func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }

// TestConclusions lists situations, commands and their codes. Whatever is not 0 says why on standard error.
func TestConclusions(t *testing.T) {
	dir := t.TempDir()
	_, disk, _ := run("cat", "--raw", demo(t))
	_, volume, _ := run("cat", "--raw", demo(t)+":p1")
	image := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const second = 34603008 // the second partition
	torn := []byte(disk)    // there is none of its metadata
	copy(torn[second+3:], "-FVE-FS-")
	clear(torn[second+0x1e00:][:512]) // the header of VSS is encrypted too
	_, archive, _ := run("cat", "--raw", demo(t)+":p2")
	locked := []byte(disk)
	if _, err := bitlockertest.Write(memory(locked[second:]), strings.NewReader(archive), int64(len(archive)), bitlockertest.Options{Protectors: []bitlockertest.Protector{{Kind: bitlockertest.TPM}}}); err != nil {
		t.Fatal(err)
	}
	boot := []byte(volume)
	clear(boot[:512])
	whole, cut := image("whole.img", disk), image("cut.img", disk[:30_000_000])
	lockedDisk, lockedVolume, copied := image("locked.img", string(locked)), image("bitlocker.img", string(locked[second:][:len(archive)])), image("copied.img", string(boot))
	overThere := func(n string) string { return filepath.Join(dir, n) }
	commands := []struct {
		name string
		args []string // IMAGE stands for the image
	}{
		{"info", []string{"info", "IMAGE"}},
		{"find", []string{"find", "IMAGE", "*"}},
		{"timeline", []string{"timeline", "IMAGE", "--format", "csv", "-o", "-"}},
		{"restore", []string{"restore", "IMAGE@latest", overThere("a"), "--overwrite", "always"}},
		{"restore --deleted", []string{"restore", "--deleted", "IMAGE", overThere("b"), "--overwrite", "always"}},
		{"restore --as-of", []string{"restore", "--as-of", "2026-03-03T20:00Z", "IMAGE", overThere("c"), "--overwrite", "always"}},
		{"restore --changed-since", []string{"restore", "--changed-since", "oldest", "IMAGE", overThere("d"), "--overwrite", "always"}},
	}
	for _, c := range []struct {
		situation, image string
		codes            []int // of the commands
	}{
		{"whole disk", whole, []int{0, 0, 0, 0, 0, 0, 0}},
		{"second partition behind the end", cut, []int{4, 7, 7, 7, 7, 7, 7}},
		{"second partition locked", lockedDisk, []int{7, 7, 7, 7, 7, 7, 7}},
		{"nothing but a locked volume", lockedVolume, []int{7, 7, 7, 7, 7, 7, 7}},
		{"metadata of encryption lost", image("torn.img", string(torn)), []int{4, 7, 7, 7, 7, 7, 7}},
		{"nothing but a volume without it", image("tornvolume.img", string(torn[second:])), []int{4, 7, 7, 7, 7, 7, 7}},
		{"boot sector taken from its copy", copied, []int{4, 0, 0, 0, 0, 0, 0}},
	} {
		for i, x := range commands {
			args := strings.Split(strings.ReplaceAll(strings.Join(x.args, "\n"), "IMAGE", c.image), "\n")
			code, _, errs := run(args...)
			if code != c.codes[i] || code != 0 && errs == "" {
				t.Errorf("%s, %s: exit %d, want %d\n%s", c.situation, x.name, code, c.codes[i], errs)
			}
		}
	}
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{exitPartial, "p2", []string{"history", cut + ":/Letters/offer.txt"}},
		{exitPartial, "p2", []string{"diff", "--stat", cut + "@oldest", "@current"}},
		{exitOK, "", []string{"diff", "--stat", cut + ":p1@oldest", "@current"}},
		{exitUsage, "snapmount diff --any-volumes", []string{"diff", whole + ":p1", whole + ":p2"}},
		{exitOK, "", []string{"diff", "--stat", "--any-volumes", whole + ":p1", whole + ":p2"}},
		{exitError, "is there already", []string{"timeline", whole, "--format", "csv", "-o", whole + ".csv"}},
		{exitOK, "", []string{"timeline", whole, "--format", "csv", "-o", whole + ".csv", "--overwrite"}},
	} {
		if strings.HasSuffix(c.args[len(c.args)-1], ".csv") {
			image("whole.img.csv", "there before")
		}
		if code, _, errs := run(c.args...); code != c.code || !strings.Contains(errs, c.text) {
			t.Errorf("%q: exit %d, want %d\n%s", c.args, code, c.code, errs)
		}
	}
}
