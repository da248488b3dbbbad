package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOddImages names what is no image, or lies outside one.
func TestOddImages(t *testing.T) {
	_, raw, _ := run("cat", "--raw", demo(t))
	odd := filepath.Join(t.TempDir(), "odd.bin")
	if err := os.WriteFile(odd, []byte(strings.Repeat("junk", 300)+raw), 0o600); err != nil {
		t.Fatal(err)
	}
	const most = "9223372036854775807"
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"info", "-"}, exitUnsupported, "standard input"},
		{[]string{"-", filepath.Join(t.TempDir(), "mnt")}, exitUnsupported, "standard input"},
		{[]string{"cat", "--raw", "-"}, exitUnsupported, "standard input"},
		{[]string{"info", "--offset", "1200", odd}, exitOK, ""},
		{[]string{"info", "--offset", "1200", "--size", "58M", odd}, exitOK, ""},
		{[]string{"info", odd}, exitFormat, "no NTFS volume found"},
		{[]string{"info", "--offset", "59M", odd}, exitFormat, "want them within the disk"},
		{[]string{"info", "--offset", most, "--size", most, odd}, exitFormat, "want them within the disk"},
		{[]string{"info", "--offset", "1", "--size", most, odd}, exitFormat, "want them within the disk"},
		{[]string{"info", "--offset", "9223372036854775808", odd}, exitUsage, "want a number of bytes"},
		{[]string{"info", "--offset", "8388608T", odd}, exitUsage, "want a number of bytes"},
		{[]string{"info", "--offset", "-1", odd}, exitUsage, "want a number of bytes"},
		{[]string{"info", "--cache", "0", odd}, exitUsage, "want a number of bytes"},
		{[]string{"info", "--offset", "0", "--size", "8K", odd}, exitFormat, "no NTFS volume"},
	} {
		code, out, stderr := run(c.args...)
		if code != c.code || !strings.Contains(stderr, c.text) || c.code != exitOK && strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit code %d, want %d and %q\n%.200s%s", c.args, code, c.code, c.text, out, stderr)
		}
	}
}
