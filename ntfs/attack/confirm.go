package attack

import (
	"slices"

	"snapmount/ntfs"
	"snapmount/ntfs/content"
)

// spreadFiles is how many files of a folder have to be spoiled, and more of them than are whole, for an attack without a
// burst: some of many healthy files look spoiled by chance.
const spreadFiles = 10

// byLife finds the file that a life belongs to.
func byLife(files []*file) map[*life]*file {
	out := map[*life]*file{}
	for _, f := range files {
		for _, l := range f.lives {
			out[l] = f
		}
	}
	return out
}

// at gives the number of the version that a file had at a point; -1 for none.
func (f *file) at(point int) int {
	return slices.IndexFunc(f.Versions, func(v Version) bool { return v.First <= point && point <= v.Last })
}

// confirm asks the content of the files of a step whether it was an attack.
func (s *sweep) confirm(st *Step, files []*file, of map[*life]*file) {
	for _, b := range st.Bursts {
		if b.Sign == Removed {
			continue
		}
		for _, l := range b.lives {
			if f := of[l]; f != nil && s.ctx.Err() == nil {
				s.weigh(st, b, f)
			}
		}
		b.Attack = b.Spoiled >= fewFiles && b.Spoiled > b.Whole
		st.Attack = st.Attack || b.Attack
	}
	st.Attack = st.Attack || spread(st, files)
}

// weigh adds what became of one file of a burst.
func (s *sweep) weigh(st *Step, b *Burst, f *file) {
	before, after := f.at(b.From), f.at(b.To)
	if after < 0 || before == after {
		b.Unchanged++
		return
	}
	switch v := s.verdictOn(f, after); {
	case v.State.Good():
		b.Whole++
	case v.State == content.Spoiled:
		b.Spoiled++
		st.touch(&f.Versions[after])
	case v.State.Damaged():
		b.Torn++
	case v.State == content.Unknown:
		b.Unknown++
	default:
		b.Undecided++
	}
}

// touch notes when a file was spoiled.
func (st *Step) touch(v *Version) {
	if st.touched == nil {
		st.touched = map[ntfs.Ref]mark{}
	}
	st.touched[v.Ref] = mark{v.Changed, v.LSN}
}

// spread reports whether most files of a folder that changed in a step are spoiled.
func spread(st *Step, files []*file) bool {
	spoiled, whole := map[string]int{}, map[string]int{}
	for _, f := range files {
		last := &f.Versions[len(f.Versions)-1]
		in := whole
		switch {
		case f.Spoiled() && f.Step == st.From:
			in = spoiled
		case !f.Verdict.State.Good() || last.First != st.To:
			continue
		}
		for dir := range above(f.Folder()) {
			in[dir]++
		}
	}
	for dir, n := range spoiled {
		if n >= spreadFiles && n > whole[dir] {
			return true
		}
	}
	return false
}

// victims marks the files that went in an attack without a trace, and what one left in place of files that no point has. It
// gives those that were not judged.
func (st *Step) victims(files []*file, of map[*life]*file) (more []*file) {
	if !st.Attack {
		return nil
	}
	exts := map[string]bool{}
	for _, b := range st.Bursts {
		switch {
		case b.Attack && b.Ext != "":
			exts[b.Ext] = true
		case b.Sign == Removed:
			for _, l := range b.lives {
				if f := of[l]; f != nil && f.Gone {
					f.inAttack = true
				}
			}
		}
	}
	for _, f := range files {
		if !f.Gone && len(f.Versions) == 1 && f.Versions[0].First == st.To && exts[extension(f.Versions[0].name())] {
			f.inAttack = true
		}
		if f.inAttack && f.choice.Judged == nil {
			more = append(more, f)
		}
	}
	return more
}
