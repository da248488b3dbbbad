package web_test

import (
	"net/http/httptest"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// carveImage unpacks a volume whose snapshots were deleted.
func carveImage(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "carve", name+".tar.gz"), "-C", dir)
	return filepath.Join(dir, name, name+".raw")
}

// TestCarvedAnswers holds what is told of deleted snapshots against what the commands print; what cannot be trusted is never
// called the same as now.
func TestCarvedAnswers(t *testing.T) {
	testenv.NotUnderRace(t) // it opens images over and over
	image := carveImage(t, "c1-emptied")
	s := serveWith(t, points.Options{Carve: points.CarveRemnants}, image)
	_, text := get(t, s, "/api/volumes")
	opening := decoded[report.Opening](t, text)[0]
	v := opening.Volumes[0]
	if want := []string{"--carve"}; !slices.Equal(opening.Carve, want) || len(v.Points) != 5 {
		t.Fatalf("options %q, want %q; %d points, want 5", opening.Carve, want, len(v.Points))
	}
	seen := map[string]bool{}
	for _, p := range v.Points[1:] {
		if p.Carved == nil || p.Carved.Share <= 0 {
			t.Fatalf("%s is not told as carved", p.Name)
		}
		changed := changesOf(t, s, v.Name, p.Name)
		for _, e := range decoded[report.Entry](t, run(t, "ls", "-R", "--json", "--carve", string(p.Location)+":/")) {
			if e.Kind != "file" || e.Trust == 0 {
				continue
			}
			file, word := string(e.Path), e.Trust.String()
			if e.Trust > points.Agreed && !strings.HasSuffix(file, storeSuffix) && !changed[e.Ref] && !changed[path.Base(file)] {
				t.Errorf("%s at %s is %s, and called the same as now", file, p.Name, word)
			}
			if !seen[word] {
				seen[word] = true
				oneCarved(t, s, v.Name, p.Name, e)
			}
		}
	}
	for _, word := range []string{"proved", "doubtful", "unknown"} {
		if !seen[word] {
			t.Errorf("no file is %s: %v", word, seen)
		}
	}
}

// storeSuffix ends the names of stores, which are not compared.
const storeSuffix = "{3808876b-c176-4e48-b7ae-04046e6cc752}"

// changesOf are the references of files that differ between a point and now, and the names of those that may.
func changesOf(t *testing.T, s *httptest.Server, volume, point string) map[string]bool {
	t.Helper()
	_, text := get(t, s, query("/api/changes", "volume", volume, "a", point, "b", "current", "path", "/"))
	changed := map[string]bool{}
	for _, c := range decoded[struct {
		Kind, Path, Ref, Err string
	}](t, text) {
		if c.Err != "" {
			changed[path.Base(c.Path)] = true
		} else if c.Kind != "metadata" && c.Kind != "streams" {
			changed[c.Ref] = true
		}
	}
	return changed
}

// oneCarved looks at all answers about a file of a deleted snapshot.
func oneCarved(t *testing.T, s *httptest.Server, volume, point string, e report.Entry) {
	t.Helper()
	name, word := string(e.Path), e.Trust.String()
	for _, verb := range []string{"stat", "explain"} {
		_, got := get(t, s, query("/api/"+verb, "volume", volume, "point", point, "path", name))
		if want := run(t, verb, "--json", "--carve", string(e.Location)); got != want {
			t.Errorf("%s of %s:\n%s\nwant\n%s", verb, name, got, want)
		}
		if verb == "explain" {
			if doubt := strings.Contains(got, `"trust":"doubtful"`) || strings.Contains(got, `"trust":"unknown"`); doubt && e.Trust <= points.Agreed {
				t.Errorf("%s is %s, and has worse ranges: %s", name, word, got)
			}
			continue
		}
		b := decoded[report.Stat](t, got)[0].TrustBytes
		worst := map[string]int64{"kept": b.Kept, "carved": b.Carved, "proved": b.Proved, "agreed": b.Agreed, "doubtful": b.Doubtful, "unknown": b.Unknown}
		if worst[word] == 0 || e.Trust <= points.Agreed && b.Doubtful+b.Unknown > 0 {
			t.Errorf("%s is %s with bytes %v", name, word, worst)
		}
	}
	_, got := get(t, s, query("/api/rows", "volume", volume, "point", point, "path", path.Dir(name), "name", path.Base(name)))
	if more := decoded[report.RowMore](t, got)[0]; more.Trust != e.Trust || more.Intact != (e.Trust <= points.Agreed) {
		t.Errorf("row of %s: %+v, want %s", name, more, word)
	}
	_, got = get(t, s, query("/api/versions", "volume", volume, "point", point, "path", name))
	for _, row := range decoded[report.Version](t, got) {
		if row.First == point && row.Trust != e.Trust {
			t.Errorf("version of %s: %v, want %s", name, row.Trust, word)
		}
	}
	if answer, got := get(t, s, query("/api/diff", "volume", volume, "a", point, "b", point, "path", name)); e.Trust > points.Agreed && strings.Contains(got, `"kind":"same"`) {
		t.Errorf("%s is %s, and the same as itself: %s %s", name, word, answer.Status, got)
	}
}

// TestDeletedHint has the page know what info says where nobody looked for what was deleted.
func TestDeletedHint(t *testing.T) {
	s := serveWith(t, points.Options{}, carveImage(t, "c2-removed"))
	_, text := get(t, s, "/api/volumes")
	if o := decoded[report.Opening](t, text)[0]; !strings.Contains(o.Volumes[0].Deleted, "--carve") || o.Carve != nil {
		t.Errorf("%q, %q", o.Volumes[0].Deleted, o.Carve)
	}
}
