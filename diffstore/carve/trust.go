package carve

import (
	"errors"
	"fmt"
)

// Trust says what bytes of a carved snapshot rest on, the best first. A range is as good as its worst byte.
type Trust uint8

// The classes.
const (
	Kept     Trust = iota + 1 // a store that was not deleted has them, or the live volume without a gap in copying
	Carved                    // a deleted store has them, of which nothing was written over since
	Proved                    // the live volume has them, and by log sequence numbers their file was not written since
	Agreed                    // the same by times, or by numbers of a file that may have been written without a trace
	Doubtful                  // clusters that no file has now: they may have been used and freed in between
	Lost                      // all else
)

var trustWords = [...]string{"", "kept", "carved", "proved", "agreed", "doubtful", "unknown"}

// String is the word for t.
func (t Trust) String() string {
	if int(t) < len(trustWords) && t > 0 {
		return trustWords[t]
	}
	return fmt.Sprintf("trust %d", uint8(t))
}

// MarshalText gives String.
func (t Trust) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText takes what MarshalText gives.
func (t *Trust) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTrust(string(b))
	return err
}

var errTrust = errors.New("want kept, carved, proved, agreed, doubtful or unknown")

// ParseTrust takes the word for a class.
func ParseTrust(word string) (Trust, error) {
	for t, w := range trustWords {
		if t > 0 && w == word {
			return Trust(t), nil
		}
	}
	return 0, fmt.Errorf("trust %q: %w", word, errTrust)
}
