package cmd

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestHelpOfAllCommands walks the tree of commands: what each must say, and on how many columns.
func TestHelpOfAllCommands(t *testing.T) {
	seen := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.Name() == "help" || c.Name() == "completion" || c.HasParent() && c.Parent().Name() == "completion" { // cobra's
			return
		}
		seen++
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks Short, Long or Example", c.CommandPath())
		}
		if !strings.Contains(c.Example, "snapmount") {
			t.Errorf("%s: no example is a line of snapmount: %s", c.CommandPath(), c.Example)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if len(f.Annotations[inHeading]) == 0 && f.Name != "help" {
				t.Errorf("%s --%s stands under no heading: inGroup", c.CommandPath(), f.Name)
			}
		})
		var rest bytes.Buffer
		for _, all := range []bool{false, true} {
			var b bytes.Buffer
			(&helper{all: all}).help(&b, c)
			for line := range strings.Lines(b.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpWidth {
					t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
				}
			}
			if rest.Len() > b.Len() {
				t.Errorf("%s: --help-all shows less", c.CommandPath())
			}
			rest = b
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			shared := c.HasParent() && c.Root().PersistentFlags().Lookup(f.Name) == f
			if f.Name != "help" && !shared && !strings.Contains(rest.String(), "--"+f.Name) {
				t.Errorf("%s --help-all lacks --%s", c.CommandPath(), f.Name)
			}
		})
	}
	walk(Tree())
	if seen < 16 {
		t.Errorf("%d commands", seen)
	}
}
