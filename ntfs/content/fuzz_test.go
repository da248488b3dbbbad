package content

import (
	"strings"
	"testing"
)

// fuzzChecks feeds the checks of some kinds, with what the test makes of them, in whole and cut.
func fuzzChecks(f *testing.F, kinds ...Kind) {
	for _, m := range madeFiles() {
		for i, k := range kinds {
			if m.kind == k {
				f.Add(uint8(i), m.b)
				f.Add(uint8(i), m.b[:len(m.b)/2])
			}
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		kind := kinds[int(which)%len(kinds)]
		v := judged(t, kind, b)
		checkWords(t, v)
		// Whatever the signature says, the check itself must stand any bytes.
		file := newFile(t.Context(), of(b))
		if found := formatOf(kind).check(file); file.err != nil || found.off < 0 {
			t.Errorf("%v, %v", found, file.err)
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
	f.Add("a.txt", prose(5000), noise(1, 5000))
	f.Add("a.docx.locked", madeZip(8), noise(2, 30000))
	f.Add("vault", noise(1, 9000), noise(2, 9000))
	f.Add("a.mp4", madeBoxes("moov"), madePicture("png"))
	f.Fuzz(func(t *testing.T, name string, older, newer []byte) {
		kind := KindOf(name, older[:min(len(older), headSize)])
		v, err := Compare(t.Context(), kind, of(older), of(newer))
		if err != nil {
			t.Fatal(err)
		}
		checkWords(t, v)
		c, err := Choose(t.Context(), []Candidate{{Name: name, Version: of(newer)}, {Name: name, Version: of(older)}})
		if err != nil || c.Index < -1 || c.Index > 1 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// FuzzLogs feeds what lies beside a database.
func FuzzLogs(f *testing.F) {
	f.Add([]byte("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"))
	f.Add(u32be(0x377f0682, 3007000, 4096, 0, 1, 2, 3, 4))
	f.Fuzz(func(t *testing.T, log []byte) {
		for _, m := range []made{{kind: "sqlite", b: madeSQLite()}, {kind: "hive", b: madeHive(6)}} {
			v := of(m.b)
			v.Beside = func(string) (Version, bool) { return of(log), true }
			if got, err := Judge(t.Context(), m.kind, v); err != nil || !got.State.Good() {
				t.Errorf("%s: %v, %v", m.kind, got, err)
			}
		}
	})
}
