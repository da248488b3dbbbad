package advice_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/cmd/advice"
	"snapmount/imagefmt/layer"
	"snapmount/mount/selection"
)

var commands = []string{"cat", "diff", "find", "help", "history", "info", "ls", "mount", "restore", "scan", "serve", "stat", "timeline", "umount", "undelete", "verify"}

// call is one whose flags are --tz with a value, --json, and -l.
func call(err error, args ...string) advice.Call {
	return advice.Call{Commands: commands, Args: args, Err: err,
		Values: func(_, flag string) int { return map[bool]int{true: 1}[flag == "--tz"] },
		Flags: func(string) []string {
			return []string{"tz", "json", "long", "overwrite", "key-file", "recovery-key", "password-file"}
		}}
}

// TestAdvice asks for guesses in a directory with some files.
func TestAdvice(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"disk.vhd", "disk2.vhd", "usb.BEK", "a.log", "b.log", "c.log", "list", "-odd.vhd"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("images/none.vhd", 0o700); err != nil { // a directory of such a name
		t.Fatal(err)
	}
	usage := selection.UsageError{Err: errors.New("usage")}
	for _, c := range []struct {
		err  error
		args string
		want string // the first line; "" for no line
	}{
		{fs.ErrNotExist, "ls --tz mars disk.vhd", ""}, // mars is no path
		{fs.ErrNotExist, "ls disk.vhd --tz mars /Users", "ls disk.vhd:/Users --tz mars"},
		{fs.ErrNotExist, "ls disk.vhd -- /Users", "ls disk.vhd:/Users --"},
		{fs.ErrNotExist, "ls disk", "ls disk.vhd"},
		{fs.ErrNotExist, "ls dik.vhd:/x", "ls disk.vhd:/x"},
		{fs.ErrNotExist, "ls DISK2.VHD@vss1", "ls disk2.vhd@vss1"},
		{fs.ErrNotExist, "ls nothing-at-all.vhd", ""},
		{fs.ErrNotExist, "find disk.vhd a.log b.log c.log", "find disk.vhd *.log"},
		{fs.ErrNotExist, "find disk.vhd a.log c.log", ""}, // two files may be meant
		{fs.ErrNotExist, "find disk.vhd a.log disk2.vhd list", "find disk.vhd *"},
		{fs.ErrNotExist, "find a*.log disk.vhd", "find disk.vhd a*.log"},
		{fs.ErrNotExist, "ls disk.vhd p1 vss2 /Users", "ls disk.vhd:p1@vss2:/Users"},
		{fs.ErrNotExist, "cat disk.vhd/Users/x", "cat disk.vhd:/Users/x"},
		{fs.ErrNotExist, "list disk.vhd", ""}, // it is a file
		{fs.ErrNotExist, "lst disk.vhd", "ls disk.vhd"},
		{fs.ErrNotExist, "mnt disk.vhd", "disk.vhd mnt"},
		{layer.ErrFormat, "info images", ""},
		{fs.ErrNotExist, "ls disk.vhd 415910-192071-044044-676995-537878-533192-706937-251537", "ls disk.vhd --recovery-key 415910-192071-044044-676995-537878-533192-706937-251537"},
		{layer.ErrFormat, "ls disk.vhd usb.BEK", "ls disk.vhd --key-file usb.BEK"},
		{usage, "restore disk.vhd:/x", "restore disk.vhd:/x restored"},
		{usage, "diff @a @b disk.vhd", "diff disk.vhd @a @b"},
		{usage, "diff disk.vhd @a @b /x", ""},
		{layer.ErrCorrupt, "ls disk.vhd /Users", ""}, // not of the words
		{nil, "ls disk.vhd /Users", ""},
	} {
		got := ""
		if h := advice.Of(call(c.err, strings.Fields(c.args)...)); h != nil && h.Lines != nil {
			got = strings.Join(h.Lines[0], " ")
		}
		if got != c.want {
			t.Errorf("%s (%v): %q, want %q", c.args, c.err, got, c.want)
		}
	}
}

func TestUnknownFlags(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("disk.vhd", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ unknown, among, args, want string }{
		{"point", "", "ls --point vss1 disk.vhd:/x", "ls disk.vhd@vss1:/x"},
		{"point", "", "ls --point=@vss1 disk.vhd:p1:/x", "ls disk.vhd:p1@vss1:/x"},
		{"point", "", "ls disk.vhd:p1 --point vss1", "ls disk.vhd:p1@vss1"},
		{"point", "", "ls --point", "ls --help-all"},
		{"jsn", "", "ls --jsn disk.vhd", "ls --json disk.vhd"},
		{"overwrit", "", "restore --overwrit=always disk.vhd x", "restore --overwrite=always disk.vhd x"},
		{"a", "al", "ls -al disk.vhd", "ls -l disk.vhd"},
		{"j", "json", "ls -json disk.vhd", "ls --json disk.vhd"},
		{"z", "z", "ls -z disk.vhd", "ls --help-all"},
		{"gone", "", "ls disk.vhd", ""}, // it is not there
		{"password", "", "ls --password hunter2 disk.vhd", "ls --password-file FILE disk.vhd"},
		{"passphrase", "", "ls disk.vhd --passphrase=hunter2", "ls disk.vhd --password-file FILE"},
		{"password", "", "ls --password disk.vhd", "ls --password-file FILE disk.vhd"},
		{"pin", "", "ls --pin 1234 disk.vhd", "ls --key-file FILE disk.vhd"},
		{"recovery-password", "", "ls --recovery-password 1-2 disk.vhd", "ls --recovery-key 1-2 disk.vhd"},
		{"bek", "", "ls --bek a.BEK disk.vhd", "ls --key-file a.BEK disk.vhd"},
		{"keyfile", "", "ls --keyfile a.BEK disk.vhd", "ls --key-file a.BEK disk.vhd"},
	} {
		in := call(selection.UsageError{Err: fs.ErrInvalid}, strings.Fields(c.args)...)
		in.Unknown, in.Among = c.unknown, c.among
		got := ""
		if h := advice.Of(in); h != nil && h.Lines != nil {
			got = strings.Join(h.Lines[0], " ")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.args, got, c.want)
		}
	}
}

// FuzzAdvice holds that no line makes a guess panic, that what is given stays as it is, and that a guess is another line.
func FuzzAdvice(f *testing.F) {
	f.Add("ls\ndisk.vhd\n/x", "")
	f.Add("diff\n@a..b\ndisk.vhd@c..d", "")
	f.Add("ls\n--point\nvss1\ndisk.vhd:p1", "point")
	f.Add("\n-\n--\n:\n@", "x")
	f.Add("find\nfile://%zz\nC:\\", "")
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "disk.vhd"), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Chdir(dir)
	f.Fuzz(func(t *testing.T, text, unknown string) {
		args := strings.Split(text, "\n")
		in := call(fs.ErrNotExist, slices.Clone(args)...)
		in.Unknown = unknown
		h := advice.Of(in)
		if !slices.Equal(in.Args, args) {
			t.Fatalf("%q became %q", args, in.Args)
		}
		for i := 0; h != nil && i < len(h.Lines); i++ {
			if slices.Equal(h.Lines[i], args) {
				t.Fatalf("%q: the same is advised", args)
			}
		}
	})
}
