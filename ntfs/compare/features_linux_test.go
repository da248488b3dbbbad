package compare_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
)

const store = "System Volume Information/{00000000-0000-0000-0000-000000000000}{3808876B-C176-4e48-b7ae-04046e6cc752}"

// features makes two states of a volume by edits of a kind each.
func features(t *testing.T) (a, b *ntfs.Tree, image string) {
	image = format(t, 4096)
	do := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	var dir string
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, b []byte) error {
		return errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o755), os.WriteFile(at(name), b, 0o644))
	}
	set := func(name, key string, b []byte) error { return unix.Lsetxattr(at(name), key, b, 0) }
	edit(t, image, func(mounted string) {
		dir = mounted
		for i := range 400 { // two blocks of file records between those that change
			do(write(fmt.Sprintf("other/%d", i), []byte("the same")))
		}
		do(write("many/first", []byte("one file")), write("ea", nil), write("object", nil), write("link", nil), write("short name", nil),
			write("streams", nil), write("behind/stream", nil), write("behind/list", big(9, 1)), write("up/in/file", []byte("old")), write("reused", nil), write("reused too", nil),
			write(store, big(100000, 2)), set("behind/stream", "user.big", big(50000, 3)))
		for i := range 300 {
			do(os.Link(at("many/first"), at(fmt.Sprintf("many/%03d%s", i, strings.Repeat("n", 150)))))
		}
		for i := range 40 {
			do(set("streams", fmt.Sprintf("user.s%02d", i), big(500, byte(i))))
		}
	})
	first := keep(t, image, 0)
	edit(t, image, func(mounted string) {
		dir = mounted
		do(os.Remove(at("many/first")), os.Rename(at("many/200"+strings.Repeat("n", 150)), at("many/moved")), os.Link(at("many/moved"), at("many/more")),
			set("ea", "system.ntfs_ea", []byte("\x14\x00\x00\x00\x00\x04\x05\x00NAME\x00VALUE\x00\x00")),
			set("object", "system.ntfs_object_id", big(16, 9)),
			set("link", "system.ntfs_reparse_data", symlink("target")),
			set("short name", "system.ntfs_dos_name", []byte("SHORT")),
			set("streams", "user.s33", big(500, 99)), unix.Removexattr(at("streams"), "user.s07"), set("streams", "user.new", nil),
			os.Rename(at("up"), at("elsewhere")), write("elsewhere/in/file", []byte("new")),
			os.Remove(at("reused")), os.Remove(at("reused too")), write("reuser", nil), write("another", nil), os.Link(at("another"), at("reused too")))
		h, err := os.OpenFile(at(store), os.O_WRONLY, 0)
		do(err)
		_, err = h.WriteAt([]byte("changed"), 5000)
		do(err, h.Close())
	})
	patch(t, image, big(50000, 3)[4096:][:64])
	return openTree(t, memory(t, first)), openTree(t, memory(t, keep(t, image, 1))), image
}

// big makes bytes without repetition.
func big(n int, seed byte) []byte {
	b := make([]byte, 0, n+8)
	for i := uint64(0); len(b) < n; i++ {
		b = binary.BigEndian.AppendUint64(b, (i+1)*0x9e3779b97f4a7c15+uint64(seed)<<32)
	}
	return b[:n]
}

// symlink is the reparse data of a relative one.
func symlink(target string) []byte {
	le := binary.LittleEndian
	var name []byte
	for _, c := range target {
		name = le.AppendUint16(name, uint16(c))
	}
	b := le.AppendUint16(le.AppendUint32(nil, ntfs.TagSymlink), uint16(12+2*len(name)))
	b = append(b, 0, 0)
	for _, v := range []int{0, len(name), len(name), len(name), 1, 0} {
		b = le.AppendUint16(b, uint16(v))
	}
	return slices.Concat(b, name, name)
}

// patch changes a byte of the only place that holds key.
func patch(t *testing.T, image string, key []byte) {
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, key); n != 1 {
		t.Fatalf("%d places to change", n)
	}
	b[bytes.Index(b, key)+3] ^= 1
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// memory is a copy that others share.
func memory(t *testing.T, f *os.File) layer.Source {
	b := make([]byte, imageSize)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b)
}

// quiet takes times out of lines about metadata, and lines that have no more.
func quiet(lines []string) (out []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, "metadata") {
			i := strings.LastIndexByte(l, ' ') + 1
			fields := slices.DeleteFunc(strings.Split(l[i:], ","), func(f string) bool {
				return slices.Contains([]string{"created", "modified", "changed", "accessed"}, f)
			})
			if l = l[:i] + strings.Join(fields, ","); len(fields) == 0 {
				continue
			}
		}
		out = append(out, l)
	}
	return out
}

func TestFeatures(t *testing.T) {
	a, b, image := features(t)
	moved, more := "many/200"+strings.Repeat("n", 150), "many/more"
	want := []string{
		`deleted "reused" 0`, `created "reuser" 0`, // in one record
		`deleted "reused too" 0`, `created "another" 0`, `created "reused too" link 0`, // and by one name
		fmt.Sprintf("renamed %q %q", more, moved), `renamed "many/moved" "many/first"`, // in order
		`metadata "ea" ea`, `metadata "object" object_id`, `metadata "link" attributes,reparse`, `metadata "short name" short_name`,
		`streams "streams" new,s07,s33`, `streams "behind/stream" big`,
		`renamed "elsewhere" "up"`, `content "elsewhere/in/file" 3 3 bytes`,
	}
	for _, opts := range []compare.Options{{}, {Paranoid: true}} {
		sameLines(t, fmt.Sprint(opts), quiet(told(t, a, b, opts)), want)
	}
	for _, path := range []string{"up", "ELSEWHERE", "elsewhere/in", "/elsewhere/in/file/"} {
		got := quiet(told(t, a, b, compare.Options{Paths: []string{path}}))
		lines := want[len(want)-2:]
		if strings.Contains(path, "in") {
			lines = lines[1:]
		}
		sameLines(t, path, got, lines)
	}
	if _, err := compare.Trees(t.Context(), a, b, compare.Options{Paths: []string{"none"}}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a path of neither tree: %v", err)
	}
	if got := quiet(told(t, a, b, compare.Options{System: true, Paths: []string{"System Volume Information"}})); len(got) != 1 || !strings.HasPrefix(got[0], "content") {
		t.Errorf("a store: %q", got)
	}
	if got := told(t, a, b, compare.Options{System: true}); !slices.Contains(got, fmt.Sprintf(`content "$Bitmap" %d %d extents in place`, fsSize/4096/8, fsSize/4096/8)) {
		t.Errorf("metafiles: %q", got)
	}
	for old, now := range map[string]string{"reused": "reuser", "reused too": "another"} {
		if x, y := ref(t, a, old), ref(t, b, now); x.Record != y.Record || x.Seq == y.Seq {
			t.Errorf("the record was not reused: %v, %v", x, y)
		}
	}
	damaged(t, a, image, want)
}

// damaged tears a record of the later state: that alone is not told.
func damaged(t *testing.T, a *ntfs.Tree, image string, want []string) {
	v, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	whole := openTree(t, bytes.NewReader(v))
	e, err := layer.Leaf(whole.MFT(), int64(ref(t, whole, "streams").Record)*1024, 1024)
	if err != nil {
		t.Fatal(err)
	}
	v[e.BaseOff+510]++
	seq, err := compare.Trees(t.Context(), a, openTree(t, bytes.NewReader(v)), compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got, failed []string
	for c, err := range seq {
		if err != nil {
			failed = append(failed, c.Path)
			continue
		}
		got = append(got, lineOf(c))
	}
	if !slices.Equal(failed, []string{"streams"}) {
		t.Errorf("not compared: %q", failed)
	}
	sameLines(t, "with damage", quiet(got), slices.DeleteFunc(slices.Clone(want), func(l string) bool { return strings.HasPrefix(l, `streams "streams"`) }))
}
