package cmd

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestDoubtful holds that commands which say what is equal, deleted or good take nothing from doubtful bytes, and say so;
// those that give bytes alone do not.
func TestDoubtful(t *testing.T) {
	image, dir := demo(t), t.TempDir()
	for _, c := range []struct {
		concludes bool
		args      []string
	}{
		{true, []string{"attack", image + ":p2"}},
		{true, []string{"diff", image + ":p2", "@vss1", "@current"}},
		{true, []string{"find", image, "*.txt"}},
		{true, []string{"history", image + ":p1:/Letters/offer.txt"}},
		{true, []string{"report", image, "-o", filepath.Join(dir, "r.html")}},
		{true, []string{"restore", "--last-good", "--dry-run", image + ":p2", filepath.Join(dir, "new")}},
		{true, []string{"timeline", image, "-o", "-", "--format", "csv"}},
		{false, []string{"cat", image + ":p1:/Letters/offer.txt"}},
		{false, []string{"ls", image + ":p1:/"}},
		{false, []string{"restore", "--dry-run", image + ":p1:/Letters", filepath.Join(dir, "other")}},
	} {
		code, _, stderr := run(append(c.args, "--carve", "--carve-show", "doubtful")...)
		if said := strings.Contains(strings.Join(strings.Fields(stderr), " "), "as with --carve-show agreed"); code != 0 || said != c.concludes {
			t.Errorf("%q: code %d, said %v, want 0, %v:\n%s", c.args, code, said, c.concludes, stderr)
		}
	}
}
