package selection_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/selection"
	"snapmount/ntfs/ntfstest"
	"snapmount/ntfs/restore"
)

func demo(t *testing.T) string { return filepath.Join(testenv.Root(t), "testdata", "demo.qcow2") }

// opener counts how many images are opened at once.
func opener(most *int) selection.Opener {
	return func(ctx context.Context, images []string) (*points.Set, error) {
		*most = max(*most, len(images))
		return points.Open(ctx, images, points.Options{})
	}
}

// ntfs makes an NTFS volume and fills it through ntfs-3g.
func ntfs(t *testing.T, size string, fill func(dir string) error) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "ntfs.img")
	testenv.Run(t, testenv.Peer(t, "truncate"), "-s", size, image)
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	dir, unmount := ntfstest.MountNTFS3G(t, image, "rw")
	err := fill(dir)
	unmount()
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestOneOpening opens an image once, whatever the number of locations on it.
func TestOneOpening(t *testing.T) {
	d, most := demo(t), 0
	scopes, err := opener(&most).Scopes(t.Context(), []string{d + ":p2@vss1:/2024", d, d + ":p1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, sc := range scopes.List {
		got = append(got, sc.Volume.Name+sc.Below+string('0'+rune(len(sc.Points))))
	}
	if want := []string{"p2-Archive/20241", "p1-Documents4", "p2-Archive3", "p1-Documents4"}; !slices.Equal(got, want) || most != 1 {
		t.Errorf("%q, want %q; %d images", got, want, most)
	}
	scopes.Close()
	pair, err := opener(&most).Pair(t.Context(), []string{d + ":p1@vss1:/Letters", d + ":p1@vss2:/"})
	if err != nil || pair.A.Set != pair.B.Set || !slices.Equal(pair.Paths(), []string{"/Letters"}) || most != 1 {
		t.Fatalf("%v, %v", pair, err)
	}
	pair.Close()
	if _, err := opener(&most).Pair(t.Context(), []string{d + ":p1", "@vss9"}); !errors.Is(err, points.ErrNoPoint) {
		t.Error(err)
	}
}

// TestNested names what lies in an image that is a file of another one, in all ways.
func TestNested(t *testing.T) {
	outer, most := ntfs(t, "40M", func(dir string) error {
		b, err := os.ReadFile(demo(t))
		return errors.Join(err, os.WriteFile(filepath.Join(dir, "in.qcow2"), b, 0o600))
	}), 0
	inner := outer + ":/in.qcow2:p1"
	place, err := opener(&most).Place(t.Context(), inner+"@vss1:/Letters/offer.txt")
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := place.Node(true); err != nil || n.Size != 52 || place.Volume.Name != "p1-Documents" {
		t.Errorf("%v, %v", n, err)
	}
	place.Close()
	scopes, err := opener(&most).Scopes(t.Context(), []string{inner + "@vss1:/Letters", outer + ":/in.qcow2"})
	if err != nil {
		t.Fatal(err)
	}
	if s := scopes.List[0]; s.Volume.Name != "p1-Documents" || s.Below != "/Letters" || len(s.Points) != 1 || scopes.List[1].Below != "/in.qcow2" {
		t.Errorf("%+v", s)
	}
	scopes.Close()
	pair, err := opener(&most).Pair(t.Context(), []string{inner + "@vss1", "@vss2"})
	if err != nil || pair.B.Point.Name != "2026-03-03T180000Z" {
		t.Fatalf("%v, %v", pair, err)
	}
	pair.Close()
	if pair, err = opener(&most).Pair(t.Context(), []string{outer, inner + "@vss2"}); err != nil || pair.A.Volume == pair.B.Volume {
		t.Fatalf("%v, %v", pair, err)
	}
	pair.Close()
}

// TestCaseTable takes letters for the same as the volume does, and not as Unicode: long s is no S there.
func TestCaseTable(t *testing.T) {
	image, most := ntfs(t, "4M", func(dir string) error {
		err := os.Mkdir(filepath.Join(dir, "ſystem Volume Information"), 0o700)
		for _, name := range []string{"ſet.txt", "SET.txt", "ÄRGER.txt"} {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
		}
		return err
	}), 0
	for pattern, want := range map[string][]string{
		"/*":       {"ſystem Volume Information", "ſet.txt", "SET.txt", "ÄRGER.txt"},
		"/s*.TXT":  {"SET.txt"},
		"/ſ*":      {"ſystem Volume Information", "ſet.txt"},
		"/ärger.*": {"ÄRGER.txt"},
	} {
		s, err := opener(&most).Restore(t.Context(), []string{image + ":" + pattern}, selection.Filter{}, selection.Hooks{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		_, err = restore.Count(context.Background(), s.Sources(t.Context()), restore.Options{}, func(p restore.Planned) { got = append(got, p.Path) })
		slices.Sort(got)
		if slices.Sort(want); err != nil || !slices.Equal(got, want) || len(s.Unmatched()) > 0 {
			t.Errorf("%s: %q, want %q, %v", pattern, got, want, err)
		}
		s.Close()
	}
}

func TestRestoreWords(t *testing.T) {
	var usage selection.UsageError
	for _, f := range []selection.Filter{{Newer: "soon"}, {Older: "1"}, {AsOf: "x"}, {Exclude: []string{"a["}}, {Deleted: true, AsOf: "2026-03-01"}, {Deleted: true, ChangedSince: "vss1"}} {
		most := 0
		if _, err := opener(&most).Restore(t.Context(), []string{demo(t)}, f, selection.Hooks{}); !errors.As(err, &usage) || most > 0 {
			t.Errorf("%+v: %v, %d images were opened", f, err, most)
		}
	}
}
