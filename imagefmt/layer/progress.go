package layer

// Progress is told how far something slow is: done of total of what the words count, such as files, or "reading, MiB". A
// total of 0 is not known yet; done equal to a total that is known says that this is over. It is called often, from any
// goroutine, and does not wait. nil drops all.
type Progress func(what string, done, total int64)

// Tell calls p, if there is one.
func (p Progress) Tell(what string, done, total int64) {
	if p != nil {
		p(what, done, total)
	}
}

// Of is p with what the work is done for before the words: "disk.vhd: reading, MiB".
func (p Progress) Of(name string) Progress {
	if p == nil {
		return nil
	}
	return func(what string, done, total int64) { p(name+": "+what, done, total) }
}

// As is p with other words.
func (p Progress) As(what string) Progress {
	return func(_ string, done, total int64) { p.Tell(what, done, total) }
}

// MiB counts bytes for a Progress, a part as a whole one.
func MiB(n int64) int64 { return (n + 1<<20 - 1) >> 20 }
