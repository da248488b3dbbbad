package text

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		name string
		p    *Progress
		step time.Duration
		want string
	}{
		{"fast", &Progress{tty: true, first: time.Second, every: time.Second}, 10 * time.Millisecond, ""},
		{"terminal", &Progress{tty: true, first: time.Second, every: time.Second}, 700 * time.Millisecond,
			"\rlists: 1 of 4\x1b[K\rlists: 2 of 4\x1b[K\r\x1b[K"},
		{"pipe", &Progress{first: 2 * time.Second, every: 10 * time.Second}, time.Second, "snapmount: lists: 2 of 4\n"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			c.p.out = &out
			for i := range 5 {
				c.p.Report("lists", int64(i), 4)
				time.Sleep(c.step - time.Millisecond)
				synctest.Wait()
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			if out.String() != c.want {
				t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
			}
		})
	}
}
