package cmd

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/report"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// What edited.img is: a file system, and behind it room for the diff area.
const (
	editedSize = 24 << 20
	editedArea = 40 << 20
)

// An edited volume is one whose states were made by ntfs-3g, and what each held by ntfs-3g too.
type editedVolume struct {
	image string
	sums  []map[string]string // by state and path, the SHA-256; streams as file:stream
	refs  []map[string]string // by state and path, the inode number
}

// buildEdited formats a volume, does the edits one by one, and keeps the state before each but the first as a snapshot.
// damage, which may be nil, changes the image of a state before it is kept.
func buildEdited(t *testing.T, edits []func(dir string) error, damage func(state int, image string)) editedVolume {
	t.Helper()
	return buildSized(t, editedSize, editedArea, edits, damage)
}

// buildSized is buildEdited for a file system of another size, and an image of area bytes.
func buildSized(t *testing.T, size, area int64, edits []func(dir string) error, damage func(state int, image string)) editedVolume {
	t.Helper()
	work := t.TempDir()
	v := editedVolume{image: filepath.Join(work, "edited.img")}
	testenv.Peer(t, "mkntfs")
	if err := errors.Join(os.WriteFile(v.image, nil, 0o600), os.Truncate(v.image, area)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "edited", v.image, fmt.Sprint(size/512))
	var states []io.ReaderAt
	for i, edit := range edits {
		dir, unmount := ntfstest.MountNTFS3G(t, v.image, "streams_interface=windows")
		if err := edit(dir); err != nil {
			t.Fatalf("edit %d: %v", i, err)
		}
		v.note(t, dir)
		unmount()
		b, err := os.ReadFile(v.image)
		state := fmt.Sprintf("%s.%d", v.image, i)
		if err = errors.Join(err, os.WriteFile(state, b, 0o600)); err != nil {
			t.Fatal(err)
		}
		if damage != nil {
			damage(i, state)
		}
		f, err := os.Open(state)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		states = append(states, f)
	}
	f, err := os.OpenFile(v.image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := vsstest.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	last := len(states) - 1
	_, err = vsstest.FromStates(vsstest.Config{Volume: file, NoTruth: true,
		Area: []vsstest.Blocks{{First: uint32(size/vsstest.BlockSize + 1), Count: uint32((area-size)/vsstest.BlockSize - 2)}}}, states[:last], states[last], nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// note keeps what a mounted state holds.
func (v *editedVolume) note(t *testing.T, dir string) {
	sums, refs := map[string]string{}, map[string]string{}
	for path, e := range ntfstest.Walk(t, dir) {
		info, err := os.Lstat(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, path), &st); err != nil {
			t.Fatal(err)
		}
		refs[path] = fmt.Sprint(st.Ino)
		if e.Type() != 0 || !info.Mode().IsRegular() {
			continue
		}
		for _, stream := range []string{"", ":s"} {
			if b, err := os.ReadFile(filepath.Join(dir, path+stream)); err == nil {
				sums[path+stream] = fmt.Sprintf("%x", sha256.Sum256(b))
			} else if stream == "" {
				t.Fatal(err)
			}
		}
	}
	v.sums, v.refs = append(v.sums, sums), append(v.refs, refs)
}

// put writes a file, over what is there.
func put(dir, name, text string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

func move(dir, from, to string) error {
	return os.Rename(filepath.Join(dir, from), filepath.Join(dir, to))
}

// patch overwrites inside a file and puts its times back.
func patch(dir, name, text string) error {
	path, times := filepath.Join(dir, name), make([]byte, 32)
	if _, err := unix.Lgetxattr(path, "system.ntfs_times", times); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), 9000)
	return errors.Join(err, f.Close(), unix.Lsetxattr(path, "system.ntfs_times", times, 0))
}

// editScript is five edits: what is there first, and four changes.
var editScript = []func(dir string) error{
	func(dir string) error {
		return errors.Join(put(dir, "docs/report.txt", "one\n"), put(dir, "docs/save.txt", "version 0\n"), put(dir, "docs/gone.txt", "here\n"),
			put(dir, "docs/in place.db", strings.Repeat("0123456789abcdef", 4000)), put(dir, "docs/streams.txt", "text\n"), put(dir, "docs/streams.txt:s", "first"),
			put(dir, "docs/linked.txt", "linked\n"), put(dir, "docs/attributes.txt", "attributes\n"), put(dir, "up/sub/deep.txt", "deep\n"),
			put(dir, "docs/reused.txt", "first user\n"), put(dir, "docs/backup.txt", "before\n"), put(dir, "docs/still.bin", strings.Repeat("still", 9000)))
	},
	func(dir string) error {
		return errors.Join(move(dir, "docs/report.txt", "docs/report 2.txt"), put(dir, "docs/save.tmp", "version 1\n"), move(dir, "docs/save.tmp", "docs/save.txt"),
			os.Remove(filepath.Join(dir, "docs/gone.txt")), patch(dir, "docs/in place.db", "CHANGED"), put(dir, "docs/streams.txt:s", "second"),
			os.Link(filepath.Join(dir, "docs/linked.txt"), filepath.Join(dir, "up/another link.txt")),
			unix.Lsetxattr(filepath.Join(dir, "docs/attributes.txt"), "system.ntfs_attrib", []byte{0x22, 0, 0, 0}, 0), move(dir, "up", "up 2"))
	},
	func(dir string) error {
		return errors.Join(os.Mkdir(filepath.Join(dir, "other"), 0o755), move(dir, "docs/report 2.txt", "other/report 2.txt"),
			os.Remove(filepath.Join(dir, "docs/reused.txt")), put(dir, "docs/second user.txt", "second user\n"), put(dir, "docs/gone.txt", "back\n"),
			move(dir, "docs/backup.txt", "docs/backup.bak"), put(dir, "docs/backup.txt", "after\n"))
	},
	func(dir string) error {
		return errors.Join(put(dir, "other/report 2.txt", "two\n"), os.Remove(filepath.Join(dir, "docs/linked.txt")))
	},
	func(dir string) error { return put(dir, "docs/extra.txt", "extra\n") },
}

// historyRow is a line of "history --json", as a script reads it.
type historyRow struct {
	Version                                                                    *int
	Path, Ref, First, Last, SHA256, Event, Verdict, Kind, Error, Stream, Mtime string
	SameBy                                                                     string `json:"same_by"`
	OldPath                                                                    string `json:"old_path"`
	Fields                                                                     []string
	Size                                                                       *int64
}

// historyOf runs "history --json".
func historyOf(t *testing.T, wantCode int, args ...string) []historyRow {
	t.Helper()
	code, out, errs := run(append([]string{"history", "--json", "--hash"}, args...)...)
	if code != wantCode {
		t.Fatalf("%q: exit %d\n%s", args, code, errs)
	}
	var rows []historyRow
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var r historyRow
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// pointNumbers gives the number of each point by its name, 0 for the oldest.
func pointNumbers(t *testing.T, location string) map[string]int {
	_, out, _ := run("info", "--json", location)
	var r report.Info
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	points := r.Volumes[0].Points
	for i, p := range points {
		n[p.Name] = i - 1
	}
	n["current"] = len(points) - 1
	return n
}

// brief is a row as the table has it: version, first and last state, event, path.
func brief(numbers map[string]int, r historyRow) string {
	version := "-"
	if r.Version != nil {
		version = fmt.Sprint(*r.Version)
	}
	s := fmt.Sprintf("%s %d-%d %s", version, numbers[r.First], numbers[r.Last], r.Path)
	for _, word := range []string{r.Event, r.OldPath} {
		if word != "" {
			s += " | " + word
		}
	}
	return s
}

func TestHistoryOfEdits(t *testing.T) {
	v := buildEdited(t, editScript, nil)
	numbers, by := pointNumbers(t, v.image), map[string]bool{}
	for _, c := range []struct {
		path string
		rows []string
	}{
		{"docs/report.txt", []string{"1 0-0 /docs/report.txt", "2 1-1 /docs/report 2.txt | renamed | /docs/report.txt",
			"3 2-2 /other/report 2.txt | moved | /docs/report 2.txt", "4 3-4 /other/report 2.txt | content"}},
		{"docs/save.txt", []string{"1 0-0 /docs/save.txt", "- 1-4 /docs/save.txt | deleted", "2 1-4 /docs/save.txt | replaced"}},
		{"docs/gone.txt", []string{"1 0-0 /docs/gone.txt", "- 1-4 /docs/gone.txt | deleted", "2 2-4 /docs/gone.txt | reappeared"}},
		{"docs/in place.db", []string{"1 0-0 /docs/in place.db", "2 1-4 /docs/in place.db | content"}},
		{"docs/streams.txt", []string{"1 0-0 /docs/streams.txt", "2 1-4 /docs/streams.txt | streams"}},
		{"docs/streams.txt:s", []string{"1 0-0 /docs/streams.txt", "2 1-4 /docs/streams.txt | streams"}},
		{"docs/linked.txt", []string{"1 0-0 /docs/linked.txt", "2 1-2 /docs/linked.txt | links", "3 3-4 /up 2/another link.txt | links"}},
		{"docs/attributes.txt", []string{"1 0-0 /docs/attributes.txt", "2 1-4 /docs/attributes.txt | metadata"}},
		{"up 2/sub/deep.txt", []string{"1 0-0 /up/sub/deep.txt", "1 1-4 /up 2/sub/deep.txt | moved | /up/sub/deep.txt"}},
		{"docs/reused.txt", []string{"1 0-1 /docs/reused.txt", "- 2-4 /docs/reused.txt | deleted"}},
		{"docs/second user.txt", []string{"1 2-4 /docs/second user.txt | created"}},
		{"docs/backup.txt", []string{"1 0-1 /docs/backup.txt", "2 2-4 /docs/backup.bak | renamed | /docs/backup.txt", "3 2-4 /docs/backup.txt | replaced"}},
		{"docs/still.bin", []string{"1 0-4 /docs/still.bin"}},
		{"docs/extra.txt", []string{"1 4-4 /docs/extra.txt | created"}},
		{"other", []string{"1 2-4 /other | created", "1 2-2 /other/report 2.txt | moved | /docs/report 2.txt", "2 3-4 /other/report 2.txt | content"}},
	} {
		rows := historyOf(t, exitOK, v.image+":/"+c.path)
		var got []string
		for _, r := range rows {
			got = append(got, brief(numbers, r))
			by[r.SameBy] = true
			v.check(t, numbers, r)
		}
		if !slices.Equal(got, c.rows) {
			t.Errorf("%s:\n%s\nwant\n%s", c.path, strings.Join(got, "\n"), strings.Join(c.rows, "\n"))
		}
		v.checkAll(t, numbers, c.path)
	}
	if !by["extents"] || !by["bytes"] {
		t.Errorf("same by %v: not all is tested", by)
	}
	ref := historyOf(t, exitOK, v.image+":/docs/second user.txt")[0].Ref
	if record, seq, _ := strings.Cut(ref, "-"); seq == "1" || !slices.Contains(slices.Collect(maps.Values(v.refs[0])), record) {
		t.Errorf("%s was of no other file before: the case is not tested", ref)
	}
}

// check compares a row with what ntfs-3g showed of its states.
func (v *editedVolume) check(t *testing.T, numbers map[string]int, r historyRow) {
	t.Helper()
	path := r.Path
	if r.Stream != "" {
		path += ":" + r.Stream
	}
	record, _, _ := strings.Cut(r.Ref, "-")
	for i := numbers[r.First]; i <= numbers[r.Last]; i++ {
		if r.Version == nil {
			if v.refs[i][path] == record && r.Event == "deleted" && v.sums[i][path] == v.sums[numbers[r.First]-1][path] {
				t.Errorf("%s is there in state %d", path, i)
			}
			continue
		}
		if got := v.refs[i][r.Path]; got != record {
			t.Errorf("%s in state %d: record %s, want %s", path, i, record, got)
		}
		if want := v.sums[i][path]; r.SHA256 != want {
			t.Errorf("%s in state %d: SHA-256 %s, want %s", path, i, r.SHA256, want)
		}
	}
}

// checkAll asks for each point alone, and compares which of them have the file.
func (v *editedVolume) checkAll(t *testing.T, numbers map[string]int, path string) {
	t.Helper()
	seen := map[string]bool{}
	for _, r := range historyOf(t, exitOK, "--all", v.image+":/"+path) {
		if r.First != r.Last {
			t.Errorf("%s: a row from %s to %s", path, r.First, r.Last)
		}
		v.check(t, numbers, r)
		if r.Version != nil {
			seen[fmt.Sprintf("%d %s", numbers[r.First], r.Path)] = true
		}
	}
	for i, refs := range v.refs {
		file, _, _ := strings.Cut(path, ":")
		if _, ok := refs["/"+file]; ok && !seen[fmt.Sprintf("%d /%s", i, file)] && file != "docs/linked.txt" {
			t.Errorf("%s: no row of state %d", path, i)
		}
	}
}

// TestHistoryOfDamage spoils a file record in one state: that point is said to be unknown, and the others stay.
func TestHistoryOfDamage(t *testing.T) {
	spoil := func(_ int, image string) {
		f, err := os.OpenFile(image, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		tr, err := ntfs.Open(testenv.Open(t, image), ntfs.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n, err := tr.Lookup("docs/still.bin")
		if err != nil {
			t.Fatal(err)
		}
		for e := range layer.Extents(tr.MFT(), int64(n.Ref.Record)*int64(tr.RecordSize()), 4) {
			if _, err := f.WriteAt([]byte("BAAD"), e.BaseOff); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, bad := range []int{0, 2, 4} {
		v := buildEdited(t, editScript, func(state int, image string) {
			if state == bad {
				spoil(state, image)
			}
		})
		numbers := pointNumbers(t, v.image)
		var want []string
		if bad > 0 {
			want = append(want, fmt.Sprintf("1 0-%d /docs/still.bin", bad-1), fmt.Sprintf("- %d-%d /docs/still.bin | unknown", bad, bad))
		} else {
			want = append(want, "- 0-0 /docs/still.bin | unknown")
		}
		if bad < 4 {
			want = append(want, fmt.Sprintf("1 %d-4 /docs/still.bin", bad+1))
		}
		var got []string
		for _, r := range historyOf(t, exitPartial, v.image+":/docs/still.bin") {
			got = append(got, brief(numbers, r))
			if (r.Error != "") != (r.Version == nil) {
				t.Errorf("%s: error %q", got[len(got)-1], r.Error)
			}
			v.check(t, numbers, r)
		}
		if !slices.Equal(got, want) {
			t.Errorf("state %d damaged:\n%s\nwant\n%s", bad, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if rows := historyOf(t, exitOK, v.image+":/docs/save.txt"); len(rows) != 3 {
			t.Errorf("state %d damaged: %d rows of another file, want 3", bad, len(rows))
		}
	}
}

// TestHistoryOfLostPoint takes the file records from one state, so that nothing of that point can be read.
func TestHistoryOfLostPoint(t *testing.T) {
	v := buildEdited(t, editScript, func(state int, image string) {
		if state == 2 {
			wipeMFT(t, image)
		}
	})
	numbers := pointNumbers(t, v.image)
	for path, want := range map[string][]string{
		"docs/still.bin": {"1 0-1 /docs/still.bin", "- 2-2 /docs/still.bin | unknown", "1 3-4 /docs/still.bin"},
		"docs/gone.txt": {"1 0-0 /docs/gone.txt", "- 1-1 /docs/gone.txt | deleted", "- 2-2 /docs/gone.txt | unknown", "- 2-2 /docs/gone.txt | unknown",
			"- 3-4 /docs/gone.txt | deleted", "2 3-4 /docs/gone.txt | reappeared"},
		"up 2": {"1 0-0 /up", "2 1-1 /up 2 | renamed, metadata | /up", "- 2-2 /up 2 | unknown", "2 3-4 /up 2",
			"1 1-1 /up 2/another link.txt | links", "2 3-4 /up 2/another link.txt | links", "1 0-1 /up/sub", "1 3-4 /up 2/sub"},
	} {
		var got []string
		for _, r := range historyOf(t, exitPartial, v.image+":/"+path) {
			got = append(got, brief(numbers, r))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", path, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func TestHistoryExtractAndDiff(t *testing.T) {
	v, dir := buildEdited(t, editScript, nil), t.TempDir()
	want := map[string]string{} // SHA-256 and time by name
	for _, r := range historyOf(t, exitOK, v.image+":/docs/save.txt") {
		if r.Version != nil {
			want["save."+r.First+".txt"] = r.SHA256 + " " + r.Mtime
		}
	}
	for _, c := range []struct{ code, exist int }{{exitOK, 0}, {exitPartial, 2}} { // the second time nothing is overwritten
		code, out, errs := run("history", "--extract", dir, "--diff", v.image+":/docs/save.txt")
		if !strings.Contains(out, "-version 0") || !strings.Contains(out, "+version 1") {
			t.Errorf("no difference in\n%s", out)
		}
		if code != c.code || strings.Count(errs, "is there already") != c.exist {
			t.Errorf("exit %d, %s", code, errs)
		}
	}
	got := map[string]string{}
	for path, e := range ntfstest.Walk(t, dir) {
		b, err := os.ReadFile(dir + path)
		info, err2 := e.Info()
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		got[path[1:]] = fmt.Sprintf("%x %s", sha256.Sum256(b), info.ModTime().UTC().Format(wintype.Layout7))
	}
	if len(want) != 2 || !maps.Equal(got, want) {
		t.Errorf("extracted %v, want %v", got, want)
	}
}
