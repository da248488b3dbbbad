package attack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
	"snapmount/ntfs"
	"snapmount/ntfs/timeline"
)

// A Survey is what became of the files of a volume over its points.
type Survey struct {
	Points []timeline.Point // those that could be opened, oldest first; all numbers of points count these
	Steps  []Step           // with evidence, by time
	Files  []File           // that are damaged, gone in an attack, or undecided; by path
	Same   int              // files that are the same at all points, and were not judged
	Judged int              // files whose present content was held against what it was
	Lost   []error          // what could not be looked at, such as a *timeline.Gap
}

// A Step is what happened from one point to the next.
type Step struct {
	From, To int
	Attack   bool // files of a burst, or most that changed in a folder, are spoiled
	Bursts   []*Burst
	Notes    []Note

	// Of the files that were spoiled in the step and are so now, or in an attack damaged otherwise, and those that went in one.
	Spoiled, Torn, Gone int
	Folders             []Folder
	Extensions          []Extension // that spoiled files got
	Removed             int         // files that are gone, whatever for
	Records             Span        // by the change times of their records
	Journal             Span        // by the change journal
	Log                 LogSpan     // by the log sequence numbers of their records

	touched map[ntfs.Ref]mark // when files were spoiled
}

// An Extension is how many files got it.
type Extension struct {
	Name  string // without its dot
	Files int
}

// When gives the witness that tells best when files were spoiled: the change journal, where it has as many of them as the
// change times of records have, and else these.
func (st *Step) When() Span {
	if st.Journal.Files > 0 && st.Journal.Files >= st.Records.Files {
		return st.Journal
	}
	return st.Records
}

// Options of Look; the zero value works.
type Options struct {
	Records  bool // no content is read: then no Step is an Attack, and there are no Files
	Progress layer.Progress
}

// Look surveys a volume. points are those that could be opened, oldest first; the last one is what is there now. The
// content of what changed is read and judged. What cannot be looked at is in Lost; the error is the end of ctx alone.
func Look(ctx context.Context, points []timeline.Point, o Options) (*Survey, error) {
	s := &sweep{ctx: ctx, points: points}
	for _, p := range points {
		s.trees = append(s.trees, p.Tree)
		s.upper = p.Tree.Upper
	}
	out := &Survey{Points: points}
	if len(points) == 0 {
		return out, nil
	}
	dirs := timeline.ReadDirs(ctx, s.trees, o.Progress)
	s.dirs = dirs
	if err := s.run(o.Progress.As("comparing file records")); err != nil {
		return nil, err
	}
	s.link()
	for from := range len(points) - 1 {
		st := Step{From: from, To: from + 1, Bursts: s.bursts(from), Notes: s.notes(from)}
		for _, l := range s.lives {
			if k, ok := s.sign(l, from); ok && k.sign == Removed {
				st.Removed++
			}
		}
		out.Steps = append(out.Steps, st)
	}
	if !o.Records {
		if err := s.judge(out, o.Progress); err != nil {
			return nil, err
		}
	}
	out.Steps = slices.DeleteFunc(out.Steps, func(st Step) bool { return !st.Attack && len(st.Bursts)+len(st.Notes)+st.Spoiled == 0 })
	if err := dirs.Err(); err != nil {
		s.lose(err)
	}
	out.Same, out.Lost = s.same, s.lost
	return out, context.Cause(ctx)
}

// judge has the content of what changed judged, and concludes from it.
func (s *sweep) judge(out *Survey, progress layer.Progress) error {
	files := s.candidates()
	changed := slices.DeleteFunc(slices.Clone(files), func(f *file) bool { return len(f.Versions) == 1 })
	if err := s.judgeAll(changed, progress); err != nil {
		return err
	}
	var more []*file
	of := byLife(files)
	for i := range out.Steps {
		s.confirm(&out.Steps[i], files, of)
		more = append(more, out.Steps[i].victims(files, of)...)
	}
	if err := s.judgeAll(more, progress); err != nil {
		return err
	}
	out.Judged = len(changed) + len(more)
	begin, attacked := out.begin()
	for _, f := range files {
		if f.decide(begin, attacked); f.Outcome != Good {
			out.Files = append(out.Files, f.File)
		}
	}
	for i := range out.Steps {
		if err := s.tally(&out.Steps[i], files); err != nil {
			return err
		}
	}
	slices.SortFunc(out.Files, func(a, b File) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Ref.Record, b.Ref.Record))
	})
	return context.Cause(s.ctx)
}

// begin is the point that the first attack began after; false without one.
func (v *Survey) begin() (int, bool) {
	i := slices.IndexFunc(v.Steps, func(st Step) bool { return st.Attack })
	if i < 0 {
		return 0, false
	}
	return v.Steps[i].From, true
}

// Attacked reports whether any step is an attack.
func (v *Survey) Attacked() bool {
	return slices.ContainsFunc(v.Steps, func(s Step) bool { return s.Attack })
}

// tally adds up what is known of the files of a step.
func (s *sweep) tally(st *Step, files []*file) error {
	folders, exts := map[string]int{}, map[string]int{}
	for _, f := range files {
		at := f.firstDamaged()
		switch {
		case f.Step != st.From || f.Outcome != Found && f.Outcome != None, !st.Attack && !f.Spoiled():
			continue
		case f.Spoiled():
			st.Spoiled++
		case at >= 0:
			st.Torn++
		default:
			st.Gone++
		}
		if at >= 0 {
			st.touch(&f.Versions[at])
		}
		folders[f.Folder()]++
		if f.Extension != "" {
			exts[f.Extension]++
		}
	}
	st.Folders = foldersOf(folders)
	for name, n := range exts {
		st.Extensions = append(st.Extensions, Extension{name, n})
	}
	slices.SortFunc(st.Extensions, func(a, b Extension) int { return cmp.Or(cmp.Compare(b.Files, a.Files), cmp.Compare(a.Name, b.Name)) })
	if len(st.touched) == 0 {
		return nil
	}
	from, to := s.points[st.From], s.points[st.To]
	times := make([]wintype.Filetime, 0, len(st.touched))
	for _, m := range st.touched {
		times = append(times, m.changed)
	}
	st.Records, st.Log = spanOf(times, from, to), s.log(st)
	var err error
	if st.Journal, err = journal(s.ctx, st.touched, from, to); err != nil && s.ctx.Err() == nil {
		s.lose(fmt.Errorf("%s: %w", to.Name, err))
	}
	return context.Cause(s.ctx)
}
