package cmd

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
)

// TestAgain gives the flags that open an image once more: all that were given, as they can be given, and no others.
func TestAgain(t *testing.T) {
	parsed := func(args ...string) *openFlags {
		o, c := &openFlags{}, &cobra.Command{}
		o.add(c)
		if err := c.ParseFlags(args); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return o
	}
	for _, c := range []struct{ given, want []string }{
		{nil, nil},
		{[]string{"--tz", "utc", "--cache", "64M", "--color=never"}, nil}, // these change no answer
		{[]string{"--carve"}, []string{"--carve"}},
		{[]string{"--carve=scan", "--carve-show=proved"}, []string{"--carve=scan", "--carve-show", "proved"}},
		{[]string{"--carve-from", "a b"}, []string{"--carve-from", "a b"}},
		{[]string{"--offset", "1048576", "--size=3G", "--force"}, []string{"--offset", "1M", "--size", "3G", "--force"}},
		{[]string{"--with", "a,b", "--with", "c", "--diff-area", "d"}, []string{"--with", "a,b", "--with", "c", "--diff-area", "d"}},
		{[]string{"--unknown=live", "--key-file", "k.bek"}, []string{"--unknown", "live", "--key-file", "k.bek"}},
	} {
		got := parsed(c.given...).again()
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
		if twice := parsed(got...).again(); !slices.Equal(twice, got) {
			t.Errorf("%q, given once more: %q", got, twice)
		}
	}
	if got := parsed("--with", "a", "--carve").again("with"); !slices.Equal(got, []string{"--carve"}) {
		t.Errorf("without --with: %q", got)
	}
}
