package content

import (
	"strings"
	"testing"
)

// fuzzChecks feeds the checks of some kinds, with the begin of what the tests make of them.
func fuzzChecks(f *testing.F, kinds ...Kind) {
	for _, m := range madeFiles() {
		for i, k := range kinds {
			if m.kind == k {
				f.Add(uint8(i), m.b[:min(len(m.b), 10000)])
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		fm := formatOf(kinds[int(which)%len(kinds)])
		file := newFile(t.Context(), of(b))
		// Whatever the signature says, the check itself must stand any bytes.
		found := fm.check(file)
		if file.err != nil || found.off < 0 || found.state == Spoiled || found.state == Unknown {
			t.Errorf("%+v, %v", found, file.err)
		}
		if found != silent {
			checkWords(t, file.structure(fm, found))
		}
	})
}

// checkWords expects a reason of plain ASCII.
func checkWords(t *testing.T, v Verdict) {
	t.Helper()
	if v.Why == "" || len(v.Why) > 300 || strings.ContainsFunc(v.Why, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("%v by %v: %q", v.State, v.Rule, v.Why)
	}
	if v.State == Whole && v.Rule == RuleSignature {
		t.Errorf("%v by %v", v.State, v.Rule)
	}
}

func FuzzPacked(f *testing.F) { fuzzChecks(f, "zip", "docx", "gz", "bz2", "xz", "zst") }

func FuzzArchives(f *testing.F) { fuzzChecks(f, "tar", "a", "7z", "rar", "iso", "vhdx") }

func FuzzPictures(f *testing.F) { fuzzChecks(f, "png", "jpg", "gif", "bmp", "tif", "psd", "webp") }

func FuzzMedia(f *testing.F) { fuzzChecks(f, "ogg", "flac", "mp3", "wav", "avi", "mp4", "mkv") }

func FuzzPrograms(f *testing.F) { fuzzChecks(f, "exe", "so", "class", "ttf", "mo") }

func FuzzDocuments(f *testing.F) { fuzzChecks(f, "pdf", "xls", "doc", "ppt", "msg", "json", "xml") }

func FuzzDatabases(f *testing.F) {
	fuzzChecks(f, "sqlite", "accdb", "edb", "pst", "evtx", "hive")
}

// FuzzCompare holds any bytes against any others, under any name.
func FuzzCompare(f *testing.F) {
	f.Add("a.txt", prose(1500), noise(1, 1500))
	f.Add("a.docx.locked", madeZip(8)[:1500], noise(2, 2000))
	f.Add("vault", noise(1, 2000), noise(2, 2000))
	f.Add("a.mp4", madeBoxes("moov")[:2000], madePicture("gif")[:2000])
	f.Fuzz(func(t *testing.T, name string, older, newer []byte) {
		kind := KindOf(name, older[:min(len(older), headSize)])
		v, err := Compare(t.Context(), kind, of(older), of(newer))
		if err != nil {
			t.Fatal(err)
		}
		checkWords(t, v)
	})
}

// FuzzLogs feeds what lies beside a database.
func FuzzLogs(f *testing.F) {
	f.Add([]byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"))
	f.Add(u32be(0x377f0682, 3007000, 4096, 0, 1, 2, 3, 4))
	owners := []made{{kind: "sqlite", b: madeSQLite()[:8192]}, {kind: "hive", b: madeHive(6)}}
	put(owners[0].b, 28, u32be(2))
	f.Fuzz(func(t *testing.T, log []byte) {
		for _, m := range owners {
			v := of(m.b)
			v.Beside = func(string) (Version, bool) { return of(log), true }
			if got, err := Judge(t.Context(), m.kind, v); err != nil || !got.State.Good() {
				t.Errorf("%s: %v, %v", m.kind, got, err)
			}
		}
	})
}
