package timeline

import (
	"fmt"
	"path"
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

// verdict judges the content of one of the parts of a group against that of the file before; false for what has none.
func (f *finder) verdict(part *Version) (content.Verdict, bool) {
	if part.Node.Deleted || part.Node.Kind != ntfs.KindFile || !part.Node.HasData {
		return content.Verdict{}, false
	}
	if v, ok := f.verdicts[part]; ok {
		return v, true
	}
	var list []content.Candidate
	for i := range slices.Backward(f.parts) {
		p := &f.parts[i]
		if p.Node.Ref == part.Node.Ref && p.First <= part.First && len(links(p)) > 0 {
			list = append(list, content.Candidate{Name: path.Base(links(p)[0].Name), Version: ContentOf(p.Node)})
		}
	}
	if len(list) == 0 {
		return content.Verdict{}, false
	}
	c, _ := content.Choose(f.ctx, list) // flush tells the end of ctx
	v := c.Verdicts[0]
	if err := c.Errs[0]; err != nil {
		v = content.Verdict{State: content.Unknown, Rule: content.RuleUnknown, Why: err.Error()}
	}
	if f.verdicts == nil {
		f.verdicts = map[*Version]content.Verdict{}
	}
	f.verdicts[part] = v
	return v, true
}
