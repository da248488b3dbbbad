package ntfs_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/ntfstest"
)

// tskEntry is a line of what fls prints of a directory entry.
type tskEntry struct {
	record, attribute string // of $DATA, type-id
	size              string
	md5               string    // of the unnamed stream, even where the line is of a named one
	times             [4]string // seconds: access, modification, change, creation
}

// tskEntries lists a volume with The Sleuth Kit: names with the content of each.
func tskEntries(t *testing.T, image string) map[string]tskEntry {
	t.Helper()
	line := regexp.MustCompile(`^(\w+)\|/(.*)\|(\d+)-(128-\d+|144-\d+|\d+-\d+)\|[^|]*\|\d+\|\d+\|(\d+)\|(\d+)\|(\d+)\|(\d+)\|(\d+)$`)
	out := map[string]tskEntry{}
	for l := range strings.Lines(string(testenv.Run(t, testenv.Peer(t, "fls"), "-r", "-p", "-u", "-h", "-m", "/", image))) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		switch {
		case m == nil: // not of an attribute: the virtual directory of orphans
		case strings.HasSuffix(m[2], " ($FILE_NAME)"):
		case strings.Contains(m[2], "/.:"), strings.Contains(m[2], "/..:"): // again, as a stream of the dots
		case !strings.HasPrefix(m[4], "128-") && strings.Contains(m[2], ":"): // named indexes and the like
		default:
			out[m[2]] = tskEntry{m[3], m[4], m[5], m[1], [4]string(m[6:10])}
		}
	}
	return out
}

// otherInTSK are the paths whose unnamed stream The Sleuth Kit reads otherwise.
var otherInTSK = map[string]string{
	"reparse/wof.bin": "it does not know WOF: 40,000 bytes of hole",
}

// beyondTSK are the named streams whose attribute number is past 255, of which The Sleuth Kit keeps 8 bits where there is
// an attribute list: it lists some of them, and reads another stream of the same number.
var beyondTSK = regexp.MustCompile(`^ads/host\.txt:stream02(5[1-9]|[6-9]\d)$`)

// ghost is the name of a file that was deleted. The Sleuth Kit lists what it finds in index blocks that the $BITMAP of the
// index says are free, as if it was there.
var ghost = regexp.MustCompile(`^shrunk/to_delete_\d{5}_z+$`)

// TestSleuthkitBuilt compares built volumes with The Sleuth Kit: names both ways, records, sizes, seconds of times, all
// contents.
func TestSleuthkitBuilt(t *testing.T) {
	icat := testenv.Peer(t, "icat")
	for _, v := range []ntfstest.Volume{ntfstest.Feat, ntfstest.Feat512, ntfstest.Feat64K, ntfstest.Feat4Kn, ntfstest.Frag} {
		t.Run(v.Name, func(t *testing.T) {
			v.SkipManyUnderRace(t)
			t.Parallel()
			image := v.Build(t)
			tree := openTree(t, testenv.Open(t, image))
			ours, theirs := paths(t, tree), tskEntries(t, image)
			contents, lost, ghosts := 0, 0, 0
			for path, n := range ours {
				if _, err := n.Stream(""); errors.Is(err, fs.ErrNotExist) && n.Kind == ntfs.KindFile && n.Metafile() && !strings.Contains(path, ":") {
					continue // fls lists such system files by their indexes or named streams only
				}
				shown := tskName(path)
				e, ok := theirs[shown]
				delete(theirs, shown)
				if beyondTSK.MatchString(path) {
					lost++
					continue
				}
				if !ok {
					t.Errorf("%s: fls does not have it", path)
					continue
				}
				contents += compareTSK(t, icat, image, path, n, e)
			}
			for path, e := range theirs {
				record, err := strconv.ParseUint(e.record, 10, 48)
				if _, err2 := tree.Node(ntfs.Ref{Record: record}); err != nil || !errors.Is(err2, ntfs.ErrStale) || !ghost.MatchString(path) {
					t.Errorf("%s: only fls has it, as record %s: %v", path, e.record, errors.Join(err, err2))
				}
				ghosts++
			}
			t.Logf("%d names and named streams, %d contents, %d streams it loses, %d deleted names it does not know as such", len(ours), contents, lost, ghosts)
		})
	}
}

// tskName gives a path as fls prints it: control characters as ^.
func tskName(path string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '^'
		}
		return r
	}, path)
}

// compareTSK compares an entry with what fls, and of a named stream icat, has; it counts contents.
func compareTSK(t *testing.T, icat, image, path string, n *ntfs.Node, e tskEntry) int {
	if fmt.Sprint(n.Ref.Record) != e.record {
		t.Errorf("%s: record %d, fls has %s", path, n.Ref.Record, e.record)
	}
	for i, at := range []wintype.Filetime{n.Times.Accessed, n.Times.Modified, n.Times.Changed, n.Times.Created} {
		const from1601To1970 = 116444736000000000
		if want := fmt.Sprint(uint32((uint64(at) - from1601To1970) / 1e7)); e.times[i] != want { // it counts without sign, and keeps 32 bits
			t.Errorf("%s: time %d is %s, fls has %s", path, i, want, e.times[i])
		}
	}
	_, stream, named := strings.Cut(path, ":")
	if !strings.HasPrefix(e.attribute, "128-") {
		return 0
	}
	s, err := n.Stream(stream)
	if err != nil {
		t.Errorf("%s: %v", path, err)
		return 0
	}
	if fmt.Sprint(s.Size()) != e.size {
		t.Errorf("%s: size %d, fls has %s", path, s.Size(), e.size)
	}
	if otherInTSK[path] != "" {
		return 0
	}
	h := md5.New()
	if named {
		switch {
		case stream == "$Bad": // a hole as large as the volume, of which icat gives nothing
			return 0
		case strings.HasPrefix(stream, "stream") && !strings.HasSuffix(stream, "7"): // of these many, one of ten
			return 0
		}
		h = sha256.New()
		theirs := sha256.Sum256(testenv.Run(t, icat, image, e.record+"-"+e.attribute))
		e.md5 = hex.EncodeToString(theirs[:])
	}
	if _, err := io.Copy(h, io.NewSectionReader(s, 0, s.Size())); err != nil {
		t.Errorf("%s: %v", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != e.md5 {
		t.Errorf("%s: not what The Sleuth Kit reads", path)
	}
	return 1
}
