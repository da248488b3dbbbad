package cmd

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hostile are names of the demo image, and what stands in their place: escape sequences, C1, a line end, marks that turn the
// direction of text, half a surrogate pair.
var hostile = map[string][]uint16{
	"offer.txt":  {'o', 'f', 0x1b, 0x202e, 0x9b, '.', 't', 'x', 't'},
	"thanks.txt": {'t', 'h', '\n', 'k', 0x7f, 0x200f, '.', 0xd800, 'x', 't'},
	"Documents":  {'D', 'o', 0x1b, '[', '3', '1', 'm', 0x2066, 0x85},
	"author":     {'a', 0x1b, ']', 0x07, 'o', 0x202d},
}

func utf16le(units []uint16) []byte {
	b, _ := binary.Append(nil, binary.LittleEndian, units) // a slice of numbers cannot fail
	return b
}

// acting returns the first character that could act on a terminal.
func acting(s string) (rune, bool) {
	for i, r := range s {
		_, n := utf8.DecodeRuneInString(s[i:])
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError && n == 1 {
			return r, true
		}
	}
	return 0, false
}

// TestHostileNames runs commands on an image whose names want to act on the terminal. Its directories are out of order
// then, so errors are told too.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	_, raw, _ := run("cat", "--raw", demo(t))
	disk := []byte(raw)
	for name, other := range hostile {
		was := utf16le(utf16.Encode([]rune(name)))
		if len(was) != 2*len(other) || !bytes.Contains(disk, was) {
			t.Fatalf("%s: not in the image, or of another length", name)
		}
		disk = bytes.ReplaceAll(disk, was, utf16le(other))
	}
	image := filepath.Join(dir, "of\x1b[2J\u202e.raw")
	cut := filepath.Join(dir, "cut\x1b.raw")
	for path, b := range map[string][]byte{image: disk, cut: disk[:20<<20]} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, found, _ := run("find", image, "*", "-0", "--ads")
	locations := strings.Split(strings.TrimSuffix(found, "\x00"), "\x00")
	if at := slices.IndexFunc(locations, func(l string) bool { return strings.Contains(l, "of\x1b\u202e\u009b.txt") }); at < 0 {
		t.Fatalf("no name as it is: %q", locations)
	}
	all := [][]string{
		{image}, {"info", image}, {"info", "--json", image}, {"info", "--sets", cut}, {"ls", image + ":p1"}, {"ls", "-lR", image + ":p1@oldest"},
		{"ls", "-R", "--json", image + ":p1"}, {"ls", image}, {"ls", image + ":p\x1b9"}, {"ls", image + ":p1@\x1b"}, {"ls", image + ":p1:/\x1b\u202e"},
		{"find", image, "*"}, {"find", cut, "*", "--json"}, {"find", image, "\x1b["}, {"find", image, "*", "--size", "\x1b"}, {"\x1bcommand"}, {"--\x1b"},
		{"diff", image + ":p1@oldest", "@current"}, {"diff", "--json", image + ":p1@oldest", "@current"}, {"diff", "--stat", cut + ":p1@oldest", "@current"},
		{"timeline", image, "-o", "-", "--format", "bodyfile"}, {"timeline", image, "-o", "-", "--format", "csv", "--usn"}, {"timeline", cut, "-o", "-", "--format", "jsonl"},
		{"restore", "--dry-run", image + "@oldest", filepath.Join(dir, "plan")}, {"restore", image + "@oldest", filepath.Join(dir, "out"), "--receipt", filepath.Join(dir, "receipt")},
		{"restore", "--deleted", cut, filepath.Join(dir, "gone\x1b")}, {"verify", image}, {"verify", "--json", cut}, {"scan", image}, {"scan", "--json", image}, {"umount", "/\x1b"},
		{"-d", image + "\x1b", filepath.Join(dir, "mnt")}, {"restore", image + ":p1:/nothing\u202e", dir}, {"info", filepath.Join(dir, "none\x1b\n")},
	}
	for _, l := range locations {
		for _, c := range [][]string{{"stat"}, {"stat", "--json"}, {"explain"}, {"history"}, {"history", "--json", "--all"}, {"ls", "-l"}} {
			all = append(all, append(c, l))
		}
	}
	for _, args := range all {
		_, out, errs := run(args...)
		for _, text := range []string{out, errs} {
			if r, acts := acting(text); acts {
				t.Errorf("%q: %q comes out\n%q", args, r, text)
			}
		}
	}
	for _, name := range []string{"receipt", "out/.snapmount-meta.jsonl"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if r, acts := acting(string(b)); err != nil || acts {
			t.Errorf("%s: %v, %q", name, err, r)
		}
	}
}

// TestHostileContainers has names of files in images that want the same.
func TestHostileContainers(t *testing.T) {
	const e = "\x1b[31mX\x07\u009b\u202e"
	vmdk := func(cid, more, extent string) string {
		return "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=" + cid + "\n" + more + "createType=\"monolithicFlat\"\n# Extent description\nRW 49152 " + extent + "\n"
	}
	backing := "mis\x1b]0;X\x07\u009b\nsnapmount: all is intact"
	qcow2 := make([]byte, 4<<16)
	copy(qcow2, "QFI\xfb")
	for at, v := range map[int]uint32{4: 3, 12: 112, 16: uint32(len(backing)), 20: 16, 28: 24 << 20, 36: 1, 44: 3 << 16, 52: 1 << 16, 56: 1, 96: 4, 100: 104} {
		binary.BigEndian.PutUint32(qcow2[at:], v)
	}
	copy(qcow2[112:], backing) // behind the end of the extensions
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.vmdk": vmdk("ffffffff", "", `FLAT "mis`+e+`sing.vmdk" 0`), "b.vmdk": vmdk("12345678", `parentFileNameHint="par`+e+`ent.vmdk"`+"\n", `FLAT "hard.raw" 0`),
		"c.vmdk": vmdk("ffffffff", "", e+`FLAT "hard.raw" 0`), "d.qcow2": string(qcow2), "hard.raw": strings.Repeat("\x00", 24<<20),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a.vmdk", "b.vmdk", "c.vmdk", "d.qcow2"} {
		for _, args := range [][]string{{"info"}, {"info", "--json"}, {"ls"}, {"verify"}, {"mount"}} {
			args = append(args, filepath.Join(dir, name))
			if args[0] == "mount" {
				args = append(args, filepath.Join(dir, "mnt"))
			}
			code, out, errs := run(args...)
			if r, acts := acting(out + errs); code == exitOK || acts || strings.Contains(errs, "\nsnapmount: all") {
				t.Errorf("%q: exit %d, %q\n%s%s", args, code, r, out, errs)
			}
		}
	}
}
