package layer

import (
	"cmp"
	"iter"
)

// Window is a range of a Source. Data is its content until the next Window is yielded; nil beside an error.
type Window struct {
	Off, Len int64 // bytes
	Data     []byte
}

// Scan reads the first n bytes of m in sequence, in windows that start at multiples of unit and hold size bytes at most;
// size is a multiple of unit. Units that are holes as a whole are left out and cost nothing. What cannot be read is
// yielded with its error, neighbours together, and costs no other unit.
func Scan(m Mapper, n, unit, size int64) iter.Seq2[Window, error] {
	return func(yield func(Window, error) bool) {
		n := Clip(m.Size(), 0, n)
		buf := make([]byte, min(size, n))
		next := int64(0)
		for e, err := range Resolve(m, 0, n) {
			past := e.Off + e.Len // the extent ends within a unit perhaps, which is read as a whole if any of it is
			end := past
			if over := past % unit; over > 0 {
				end += min(unit-over, n-past)
			}
			switch {
			case err != nil:
				if end > next && !yield(Window{Off: next, Len: end - next}, err) {
					return
				}
				next = max(next, end)
			case e.Kind == Zero:
				next = max(next, past-past%unit)
			}
			for err == nil && e.Kind != Zero && next < end {
				w := Window{Off: next, Len: min(size, end-next)}
				if !readWindow(m, w, buf[:w.Len], unit, yield) {
					return
				}
				next += w.Len
			}
		}
	}
}

// readWindow yields w whole, or unit by unit where it cannot be read so.
func readWindow(m Mapper, w Window, buf []byte, unit int64, yield func(Window, error) bool) bool {
	if ReadFull(m, buf, w.Off) == nil {
		w.Data = buf
		return yield(w, nil)
	}
	bad, reason := Window{}, error(nil)
	for at := int64(0); at < w.Len; at += unit {
		one := Window{Off: w.Off + at, Len: min(unit, w.Len-at)}
		if err := ReadFull(m, buf[:one.Len], one.Off); err != nil {
			if bad.Len == 0 {
				bad.Off = one.Off
			}
			bad.Len, reason = bad.Len+one.Len, cmp.Or(reason, err)
			continue
		}
		if bad.Len > 0 && !yield(bad, reason) {
			return false
		}
		bad, reason = Window{}, nil
		if one.Data = buf[:one.Len]; !yield(one, nil) {
			return false
		}
	}
	return bad.Len == 0 || yield(bad, reason)
}
