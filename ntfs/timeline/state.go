package timeline

import (
	"cmp"
	"fmt"
	"slices"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
	"snapmount/ntfs/content"
)

// maxUnknown is how many ranges of one file are told apart; behind the last of them all is taken for unknown.
const maxUnknown = 4096

// ContentOf gives the unnamed stream of a file to package content. Where it cannot be had, as ciphertext of EFS cannot be,
// reading it says why.
func ContentOf(n *ntfs.Node) content.Version {
	m, err := n.Stream("")
	if err == nil && ntfs.IsCiphertext(m) {
		err = fmt.Errorf("encrypted by EFS: %w", layer.ErrUnsupported)
	}
	if err != nil {
		return NoContent(err)
	}
	return content.Version{R: m, Size: m.Size(), Unknown: unknownOf(m)}
}

// NoContent is content whose reading fails.
func NoContent(err error) content.Version { return content.Version{R: failing{err}, Size: 1} }

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// unknownOf tells which ranges of a content are not in the image; nil where all are.
func unknownOf(m layer.Mapper) func(off, n int64) bool {
	var list []ntfs.Range
	for e := range layer.Unkept(m) {
		if len(list) == maxUnknown {
			list[len(list)-1].Len = m.Size() - list[len(list)-1].Off
			break
		}
		list = append(list, ntfs.Range{Off: e.Off, Len: e.Len})
	}
	if len(list) == 0 {
		return nil
	}
	return func(off, n int64) bool {
		i, _ := slices.BinarySearchFunc(list, off, func(r ntfs.Range, off int64) int {
			if r.Off+r.Len <= off {
				return -1
			}
			return 1
		})
		return i < len(list) && list[i].Off < off+n
	}
}

// judged is the verdict on a part; with err it is that nothing is known, and why.
type judged struct {
	content.Verdict
	err error
}

// inState reports whether a hit in one of the parts, which gets its verdict, has the state that is looked for, or may have
// it for all that is known.
func (f *finder) inState(part int, h *Hit) bool {
	h.Verdict, h.Err = nil, nil
	if p := &f.parts[part]; h.Stream != "" || p.Node.Deleted || !p.Node.HasData {
		return false
	}
	v := f.judge(part)
	h.Verdict, h.By = &v.Verdict, "state"
	if v.State == content.Unknown && *f.q.State != content.Unknown {
		h.Err = fmt.Errorf("its state is not known: %w", cmp.Or(v.err, layer.ErrUnknown))
		return true
	}
	return v.State == *f.q.State
}

// judge judges the content of a part, once, against what its file had before.
func (f *finder) judge(part int) judged {
	if v, ok := f.verdicts[part]; ok {
		return v
	}
	at := &f.parts[part]
	var list []content.Candidate
	for i := range slices.Backward(f.parts) {
		p := &f.parts[i]
		if names := links(p); p.Node.Ref == at.Node.Ref && p.First <= at.First && len(names) > 0 {
			list = append(list, content.Candidate{Name: names[0].Name, Version: ContentOf(p.Node)})
		}
	}
	v := judged{content.Verdict{State: content.Undecided, Why: "it has no name"}, nil}
	if len(list) > 0 {
		c, _ := content.Choose(f.ctx, list) // flush tells the end of ctx
		if v = (judged{c.Verdicts[0], c.Errs[0]}); v.err != nil {
			v.State, v.Rule, v.Why = content.Unknown, content.RuleUnknown, v.err.Error()
		} else if v.State == content.Unknown {
			v.err = whyUnknown(at.Node)
		}
	}
	if f.verdicts == nil {
		f.verdicts = map[int]judged{}
	}
	f.verdicts[part] = v
	return v
}

// whyUnknown gives why the first range of a file that is not in the image is not.
func whyUnknown(n *ntfs.Node) error {
	m, err := n.Stream("")
	if err == nil {
		for _, err := range layer.Unkept(m) {
			return err
		}
	}
	return err
}
