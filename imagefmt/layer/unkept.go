package layer

import "iter"

// Unkept yields the ranges of m whose content is not in the image: unknown (the error is an *UnknownError), or damaged. What
// a leaf unpacks counts too. It reads tables, no data.
func Unkept(m Mapper) iter.Seq2[Extent, error] {
	return func(yield func(Extent, error) bool) {
		for e, err := range Resolve(m, 0, m.Size()) {
			if p, ok := e.Base.(Packed); ok && err == nil {
				err = CheckPacked(p)
			}
			if unknown, ok := err.(*UnknownError); ok || err == nil && e.Kind == Unknown {
				if ok {
					e.Why = max(e.Why, unknown.Why)
				}
				err = &UnknownError{Why: e.Why, Off: e.Off, Len: e.Len}
			}
			if err != nil && !yield(e, err) {
				return
			}
		}
	}
}

// CheckPacked says why what p unpacks is not all in the image, nil when it is: damage, or else an *UnknownError with the
// largest reason. It reads tables, no data.
func CheckPacked(p Packed) error {
	m, err := p.Packed()
	if err != nil {
		return err
	}
	var worst *UnknownError
	for _, err := range Unkept(m) {
		unknown, ok := err.(*UnknownError)
		if !ok {
			return err
		}
		if worst == nil || unknown.Why > worst.Why {
			worst = unknown
		}
	}
	if worst == nil {
		return nil
	}
	return worst
}
