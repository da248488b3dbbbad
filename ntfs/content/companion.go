package content

// A companion is a file that is named as another with a suffix, and makes that one recoverable when it has something.
type companion struct {
	suffix string
	has    func(f *file) bool
}

// beside returns that a file is recoverable, with the companion that has something; false when none has, or nobody can tell.
func (f *file) beside(cs []companion) (finding, bool) {
	if f.v.Beside == nil {
		return finding{}, false
	}
	for _, c := range cs {
		v, ok := f.v.Beside(c.suffix)
		if !ok {
			continue
		}
		other := newFile(f.ctx, v)
		if other.v.known(0, other.size) && c.has(other) && other.err == nil {
			return finding{state: Recoverable, why: "it needs the file *" + c.suffix + " beside it"}, true
		}
	}
	return finding{}, false
}
