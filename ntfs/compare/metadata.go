package compare

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"

	"snapmount/ntfs"
	"snapmount/ntfs/security"
)

// compareMetadata tells which fields changed.
func (p *pair) compareMetadata() {
	x, y := p.old, p.now
	fields := p.compareTimes()
	note := func(field string, changed bool) {
		if changed {
			fields = append(fields, field)
		}
	}
	whole := x.Damage == nil && y.Damage == nil
	note("attributes", x.Attr != y.Attr && whole)
	if x.SecurityID != y.SecurityID || x.SecurityID == 0 || p.opts.Paranoid {
		owner, permissions := p.compareSecurity()
		note("owner", owner)
		note("permissions", permissions)
	}
	p.compareValues(note, whole)
	note("short_name", whole && !slices.Equal(shortNames(p.oldNames), shortNames(p.nowNames)))
	note("name_times", whole && x.Times.Changed == y.Times.Changed && !sameNameTimes(p.oldNames, p.nowNames))
	if p.opts.System {
		note("usn", x.USN != y.USN && whole)
		note("quota", (x.OwnerID != y.OwnerID || x.QuotaCharged != y.QuotaCharged) && whole)
	}
	if len(fields) > 0 {
		p.add(y, p.at, place{}, Change{Kind: Metadata, Fields: fields, OldSize: -1, NewSize: -1})
	}
}

// compareValues notes which attributes have another value, or are there on one side only, which counts if both are whole.
func (p *pair) compareValues(note func(field string, changed bool), whole bool) {
	old, _ := p.old.Metadata() // what damage hides of either, whole tells
	now, _ := p.now.Metadata()
	for _, v := range []struct {
		field    string
		old, now bool
		valueOf  func(*ntfs.Node) ([]byte, error)
	}{
		{"ea", old.EA, now.EA, (*ntfs.Node).RawEA},
		{"efs", old.EFS, now.EFS, (*ntfs.Node).EFS},
		{"reparse", old.Reparse, now.Reparse, (*ntfs.Node).RawReparse},
		{"object_id", old.ObjectID, now.ObjectID, objectID},
	} {
		if v.old && v.now {
			note(v.field, p.differs(v.field, v.valueOf))
		} else {
			note(v.field, v.old != v.now && whole)
		}
	}
}

// compareTimes names the times that differ. A file whose record is damaged may have lost them.
func (p *pair) compareTimes() (fields []string) {
	x, y := p.old.Times, p.now.Times
	if p.old.Damage != nil && x == (ntfs.Times{}) || p.now.Damage != nil && y == (ntfs.Times{}) {
		return nil
	}
	for i, changed := range []bool{x.Created != y.Created, x.Modified != y.Modified, x.Changed != y.Changed, x.Accessed != y.Accessed} {
		if changed {
			fields = append(fields, [...]string{"created", "modified", "changed", "accessed"}[i])
		}
	}
	return fields
}

// compareSecurity compares descriptors: the owner, and all else.
func (p *pair) compareSecurity() (owner, permissions bool) {
	x, err := descriptor(p.old)
	y, err2 := descriptor(p.now)
	if err = sideErr(err, err2); err != nil {
		p.fail("security descriptor", err)
		return false, false
	}
	if bytes.Equal(x, y) {
		return false, false
	}
	d, err := security.Decode(x)
	e, err2 := security.Decode(y)
	if err != nil || err2 != nil || d.Owner.String() == e.Owner.String() {
		return false, true
	}
	d.Owner, e.Owner = security.SID{}, security.SID{}
	return true, d.SDDL() != e.SDDL()
}

// descriptor returns the security descriptor, nil when there is none.
func descriptor(n *ntfs.Node) ([]byte, error) {
	b, err := n.Security()
	if errors.Is(err, fs.ErrNotExist) && n.Damage == nil {
		return nil, nil
	}
	return b, err
}

// differs compares a value that both have.
func (p *pair) differs(what string, valueOf func(*ntfs.Node) ([]byte, error)) bool {
	x, err := valueOf(p.old)
	y, err2 := valueOf(p.now)
	if err := sideErr(err, err2); err != nil {
		p.fail(what, err)
		return false
	}
	return !bytes.Equal(x, y)
}

// objectID is without what $ObjId adds.
func objectID(n *ntfs.Node) ([]byte, error) {
	o, err := n.ObjectID()
	if o.Raw != nil {
		return o.Raw, nil
	}
	return nil, err
}

// shortNames lists the 8.3 names among those of a node.
func shortNames(names []ntfs.Name) []string {
	var out []string
	for _, x := range names {
		if x.Namespace == ntfs.NamespaceDOS {
			out = append(out, x.Name)
		}
	}
	slices.Sort(out)
	return out
}

// sameNameTimes reports whether the names that two nodes have in the same directories have the same times, but for the
// last access.
func sameNameTimes(x, y []ntfs.Name) bool {
	for _, m := range x {
		for _, n := range y {
			if m.Parent != n.Parent || m.Name != n.Name || m.Namespace != n.Namespace {
				continue
			}
			if s, t := m.Times, n.Times; s.Created != t.Created || s.Modified != t.Modified || s.Changed != t.Changed {
				return false
			}
		}
	}
	return true
}
