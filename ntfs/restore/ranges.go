package restore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// RangesEnd ends the name of the note beside a file of which ranges are lost.
const RangesEnd = ".ranges"

// rangesNote is the note in JSON.
func rangesNote(size int64, gaps []Gap) ([]byte, error) {
	b, err := json.MarshalIndent(struct {
		Size int64 `json:"size"` // bytes of the file
		Lost []Gap `json:"lost"` // ranges that are not in the image and read as zeros
	}{size, gaps}, "", " ")
	return append(b, '\n'), err
}

// noteRanges writes the note beside a file, under the first name that is free, or has the same note.
func noteRanges(dir *os.Root, name string, size int64, gaps []Gap) error {
	note, err := rangesNote(size, gaps)
	if err != nil {
		return err
	}
	const most = 100
	for i := range most {
		to := noteName(name, i)
		f, err := dir.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			if holds(dir, to, note) {
				return nil
			}
			continue
		}
		if err == nil {
			_, err = f.Write(note)
			err = errors.Join(err, f.Close())
		}
		return err
	}
	return fmt.Errorf("%s: %w", name+RangesEnd, fs.ErrExist)
}

// holds reports whether a file is there with that content.
func holds(dir *os.Root, name string, content []byte) bool {
	f, err := openRegular(dir, name)
	if err != nil {
		return false
	}
	defer f.Close()
	old, err := io.ReadAll(io.LimitReader(f, int64(len(content))+1))
	return err == nil && bytes.Equal(old, content)
}

// noteName is the name number i for the note of a file. What would be too long is cut.
func noteName(name string, i int) string {
	end := RangesEnd
	if i > 0 {
		end = fmt.Sprintf("~%d%s", i+1, RangesEnd)
	}
	return Names{}.Map(name + end)
}
