package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// slowDisk takes a line when it gets its turn, or refuses it with the error it gets.
type slowDisk struct {
	turn chan error
	text bytes.Buffer
}

func (d *slowDisk) Write(p []byte) (int, error) {
	if err := <-d.turn; err != nil {
		return 0, err
	}
	return d.text.Write(p)
}

func TestLogCountsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &slowDisk{turn: make(chan error)}
		q := newLineQueue(d)
		for range 2 {
			fmt.Fprintln(q, "refused")
			d.turn <- errors.New("no space left on device")
		}
		for range 1000 { // the disk hangs: nobody may wait for it
			fmt.Fprintln(q, "more")
			synctest.Wait()
		}
		close(d.turn)
		synctest.Wait()
		fmt.Fprintln(q, "last")
		q.close()
		text := d.text.String()
		if !strings.HasPrefix(text, "2 lines are missing here") || !strings.Contains(text, "743 lines are missing here") ||
			strings.Count(text, "more\n") != 257 || !strings.HasSuffix(text, "last\n") {
			t.Errorf("%d lines: %.300s", strings.Count(text, "\n"), text)
		}
		fmt.Fprintln(q, "after the end")
	})
}

func TestLargeLogIsPutAside(t *testing.T) {
	place := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(place, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := openFile(place)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	old, err2 := os.Stat(place + ".old")
	if err != nil || err2 != nil || info.Size() != 0 || old.Size() != 5<<20 {
		t.Errorf("%v %v %v %v", info, old, err, err2)
	}
}
