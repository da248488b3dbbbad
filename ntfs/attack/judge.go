package attack

import (
	"context"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/compare"
	"snapmount/ntfs/content"
	"snapmount/ntfs/timeline"
)

// candidates are the files whose content is to be judged: those that are there now and had other content before, and
// those that are gone, as they were last.
func (s *sweep) candidates() []*file {
	var out []*file
	for _, l := range s.lives {
		if l.next != nil {
			continue // what took its place is judged
		}
		f := &file{lives: l.chain()}
		f.Ref, f.Gone, f.Pick = l.ref, l.last() < len(s.trees)-1, -1
		if f.Gone && l.isUnknown(l.last()+1) {
			continue // it may be there: Lost tells
		}
		f.Path, f.Orphan = s.pathOf(l, l.last())
		if windowsOwn(s.upper(f.Path)) {
			continue
		}
		for _, l := range f.lives {
			s.append(f, l)
		}
		out = append(out, f)
	}
	return out
}

// windowsOwn reports whether a path, in upper case, is of what Windows fills with what it likes.
func windowsOwn(path string) bool {
	return slices.Contains([]string{"/PAGEFILE.SYS", "/HIBERFIL.SYS", "/SWAPFILE.SYS"}, path) || strings.HasPrefix(path, "/SYSTEM VOLUME INFORMATION/")
}

// pathOf is path, and whether it is only the end of one.
func (s *sweep) pathOf(l *life, point int) (string, bool) {
	p, ok := s.path(l, point)
	return p, !ok
}

// append adds the versions of one of the files that had a place.
func (s *sweep) append(f *file, l *life) {
	for i, v := range l.versions {
		v.Path, v.Orphan = s.pathOf(l, v.Last)
		if k := len(f.Versions) - 1; i == 0 && k >= 0 && s.sameVersions(&f.Versions[k], &v) {
			v.First = f.Versions[k].First // a copy in its place
			f.Versions[k] = v
			continue
		}
		f.Versions = append(f.Versions, v)
	}
}

// sameVersions reports whether two files are known to have the same content.
func (s *sweep) sameVersions(a, b *Version) bool {
	x, err := s.node(a)
	y, err2 := s.node(b)
	if err != nil || err2 != nil || a.Size != b.Size {
		return false
	}
	same, err := compare.SameStream(s.ctx, x, y, "")
	return same && err == nil
}

// node gives the file of a version.
func (s *sweep) node(v *Version) (*ntfs.Node, error) { return s.trees[v.Last].Node(v.Ref) }

// judgeAll judges files on all processors.
func (s *sweep) judgeAll(files []*file, progress layer.Progress) error {
	work := make(chan *file)
	var wait sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for f := range work {
				f.choice = s.choice(s.newestFirst(f))
				mu.Lock()
				done++
				progress.Tell("judging files", int64(done), int64(len(files)))
				mu.Unlock()
			}
		})
	}
	for _, f := range files {
		if s.ctx.Err() != nil {
			break
		}
		work <- f
	}
	close(work)
	wait.Wait()
	for _, f := range files {
		f.Verdict, _ = f.verdict(len(f.Versions) - 1)
		f.setStep()
	}
	return context.Cause(s.ctx)
}

// verdictOn judges a version that no choice had to come to, too.
func (s *sweep) verdictOn(f *file, version int) content.Verdict {
	if _, ok := f.verdict(version); !ok {
		k := f.index(version)
		all := s.newestFirst(f)
		part := s.choice(all[k:])
		if f.choice.Judged == nil {
			f.choice = noChoice(len(all))
		}
		copy(f.choice.Verdicts[k:], part.Verdicts)
		copy(f.choice.Judged[k:], part.Judged)
		copy(f.choice.Errs[k:], part.Errs)
	}
	v, _ := f.verdict(version)
	return v
}

// choice is content.Choose, but for a file that was made another one openly, by a name of another known kind, and is a good one
// of that: its older versions are of something else. The end of the context is not told.
func (s *sweep) choice(all []content.Candidate) content.Choice {
	now, was := content.KindOf(all[0].Name, nil), content.KindOf(all[len(all)-1].Name, nil)
	if now != content.NoKind && now != was {
		if v, err := content.Judge(s.ctx, now, all[0].Version); err == nil && v.State.Good() {
			c := noChoice(len(all))
			c.Index, c.Kind, c.Verdicts[0], c.Judged[0] = 0, now, v, true
			return c
		}
	}
	c, _ := content.Choose(s.ctx, all)
	return c
}

// noChoice is that nothing was judged.
func noChoice(n int) content.Choice {
	return content.Choice{Index: -1, Verdicts: make([]content.Verdict, n), Judged: make([]bool, n), Errs: make([]error, n)}
}

// newestFirst gives the versions of a file to package content.
func (s *sweep) newestFirst(f *file) []content.Candidate {
	out := make([]content.Candidate, 0, len(f.Versions))
	for i := range slices.Backward(f.Versions) {
		v := &f.Versions[i]
		out = append(out, content.Candidate{Name: path.Base(v.Path), Version: s.open(v)})
	}
	return out
}

// open gives the content of a version.
func (s *sweep) open(v *Version) content.Version {
	n, err := s.node(v)
	if err != nil {
		return timeline.NoContent(err)
	}
	return timeline.ContentOf(n)
}
