package points_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/timeline"
)

var errEnough = errors.New("enough")

// TestContextEnds ends what goes through all points after each number of results: those before the end are those of a run
// that is left alone, and the last error is the cause, so that nothing is taken for missing.
func TestContextEnds(t *testing.T) {
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := s.Volumes[0]
	shown := append(slices.Clone(v.Snapshots()), v.Current())
	var trees []*ntfs.Tree
	var moments []compare.Moment
	volume := &timeline.Volume{}
	for _, p := range shown {
		tree, err := p.Files()
		if err != nil {
			t.Fatal(err)
		}
		trees, volume.Points = append(trees, tree), append(volume.Points, timeline.Point{Name: p.Name, Tree: tree})
		moments = append(moments, compare.Moment{Tree: p.Files, Find: func() (*ntfs.Node, string, error) { return p.Lookup("/", false) }})
	}
	for name, all := range map[string]func(ctx context.Context) iter.Seq2[string, error]{
		"versions": func(ctx context.Context) iter.Seq2[string, error] {
			return texts(timeline.Versions(ctx, trees, timeline.Options{}), func(v timeline.Version) string { return v.Node.Ref.String() })
		},
		"find": func(ctx context.Context) iter.Seq2[string, error] {
			content, err := timeline.NewContent("e", true, true, true)
			if err != nil {
				t.Fatal(err)
			}
			return texts(timeline.Find(ctx, trees, timeline.ReadDirs(ctx, trees, nil), timeline.Query{Content: content}, nil), func(h timeline.Hit) string { return h.Path })
		},
		"rows": func(ctx context.Context) iter.Seq2[string, error] {
			return texts(volume.Rows(ctx, timeline.RowOptions{USN: true}), func(r *timeline.Row) string { return r.Path })
		},
		"trees": func(ctx context.Context) iter.Seq2[string, error] {
			list, err := compare.Trees(ctx, trees[0], trees[len(trees)-1], compare.Options{})
			if err != nil {
				t.Fatal(err)
			}
			return texts(list, func(c compare.Change) string { return c.Path })
		},
		"history": func(ctx context.Context) iter.Seq2[string, error] {
			list, err := compare.History(ctx, moments, compare.HistoryOptions{Path: "/"})
			if err != nil {
				t.Fatal(err)
			}
			return texts(list, func(v compare.Version) string { return v.Path })
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole, err := take(all, -1)
			if err != nil || len(whole) < 3 {
				t.Fatalf("%q, %v", whole, err)
			}
			if some, err := take(all, 0); len(some) > 0 || !errors.Is(err, errEnough) {
				t.Errorf("ended before: %q, %v", some, err)
			}
			for n := 1; n < len(whole); n++ {
				some, err := take(all, n)
				if len(some) < n || !slices.Equal(some, whole[:len(some)]) || err == nil && len(some) < len(whole) || err != nil && !errors.Is(err, errEnough) {
					t.Fatalf("after %d of %q: %q, %v", n, whole, some, err)
				}
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	var told error
	if gone := points.FindGone(ctx, shown, nil, func(err error) { told = err }); gone != nil || !errors.Is(told, errEnough) {
		t.Errorf("gone: %v, %v", gone, told)
	}
	m := layer.Mapper(v.Block)
	if same, _, err := compare.SameContent(ctx, m, trees[0].MFT()); same || err != nil && !errors.Is(err, errEnough) {
		t.Errorf("same: %v, %v", same, err)
	}
}

// texts gives a word for each result.
func texts[T any](seq iter.Seq2[T, error], text func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for v, err := range seq {
			word := ""
			if err == nil {
				word = text(v)
			}
			if !yield(word, err) {
				return
			}
		}
	}
}

// take ends the context after n results, and returns all that came, and the error.
func take(all func(context.Context) iter.Seq2[string, error], n int) (out []string, _ error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if n == 0 {
		cancel(errEnough)
	}
	for text, err := range all(ctx) {
		if err != nil {
			return out, err
		}
		if out = append(out, text); len(out) == n {
			cancel(errEnough)
		}
	}
	return out, nil
}

// TestContextOfSet ends the context of a Set: to open images fails, and points whose block lists were not read yet cannot
// be entered, which is no damage.
func TestContextOfSet(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s, err := points.Open(ctx, []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	cancel(errEnough)
	var damaged *points.DamagedError
	if _, err := s.Volumes[0].Oldest().Files(); !errors.Is(err, errEnough) || errors.Is(err, layer.ErrCorrupt) || errors.As(err, &damaged) {
		t.Errorf("a point: %v", err)
	}
	if _, err := s.Volumes[0].Current().Files(); err != nil {
		t.Errorf("what was read: %v", err)
	}
	if s, err := points.Open(ctx, []string{demo(t)}, points.Options{}); s != nil || !errors.Is(err, errEnough) {
		t.Errorf("opening: %v", err)
	}
}
