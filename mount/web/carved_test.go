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
			path, word := string(e.Path), e.Trust.String()
			if (word == "doubtful" || word == "unknown") && !changed[path] {
				t.Errorf("%s at %s is %s, and called the same as now", path, p.Name, word)
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

// changesOf are the paths whose content differs between a point and now, or may.
func changesOf(t *testing.T, s *httptest.Server, volume, point string) map[string]bool {
	t.Helper()
	_, text := get(t, s, query("/api/changes", "volume", volume, "a", point, "b", "current", "path", "/"))
	paths := map[string]bool{}
	for _, c := range decoded[struct {
		Kind, Path, Err string
		Old             *string `json:"old_path"`
	}](t, text) {
		if c.Old != nil {
			paths[*c.Old] = true
		}
		if c.Kind != "metadata" && c.Kind != "streams" {
			paths["/"+strings.TrimPrefix(c.Path, "/")] = true
		}
	}
	return paths
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
