package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"snapmount/cmd"
)

// writeDocs writes man/ and completion/, made from the tree of commands, below a directory.
func writeDocs(dir string, a about) error {
	man := filepath.Join(dir, "man")
	if err := os.MkdirAll(man, 0o755); err != nil {
		return err
	}
	tree := cmd.Tree()
	tree.InitDefaultCompletionCmd()
	var all []*cobra.Command
	marked(tree, &all)
	for _, c := range all { // cobra must not list flags once more, without their headings
		hide := func(f *pflag.Flag) { f.Hidden = true }
		c.Flags().VisitAll(hide)
		c.PersistentFlags().VisitAll(hide)
	}
	for _, c := range all {
		name, section := strings.ReplaceAll(c.CommandPath(), " ", "-"), "1"
		if c.Hidden { // the helper of mount(8), which is no word that anyone types
			name, section = c.Name(), "8"
			c.Parent().RemoveCommand(c)
		}
		h := &doc.GenManHeader{Title: strings.ToUpper(name), Section: section, Date: &a.Date, Source: "snapmount " + a.Version, Manual: "snapmount"}
		var page bytes.Buffer
		if err := doc.GenMan(c, h, &page); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(man, name+"."+section), page.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return writeCompletion(filepath.Join(dir, "completion"))
}

// marked makes Markdown of the texts and flags of a command and those below it, as cobra's pages are made of that, and
// lists them. The completion command has no page: it has help enough.
func marked(c *cobra.Command, all *[]*cobra.Command) {
	*all = append(*all, c)
	c.DisableAutoGenTag = true // it has the day on which it was made
	c.InitDefaultHelpFlag()
	c.Long = asMarkdown(c.Long) + options(c)
	for _, sub := range c.Commands() {
		if sub.Name() != "completion" && sub.Name() != "help" {
			marked(sub, all)
		}
	}
}

// options has a section for each heading of the help.
func options(c *cobra.Command) string {
	var b strings.Builder
	for _, g := range cmd.Groups(c) {
		fmt.Fprintf(&b, "\n# %s\n", strings.ToUpper(g.Heading))
		g.Flags.VisitAll(func(f *pflag.Flag) {
			value, usage := pflag.UnquoteUsage(f)
			name := "**--" + f.Name + "**"
			if f.Shorthand != "" {
				name = "**-" + f.Shorthand + "**, " + name
			}
			if value != "" {
				name += " *" + value + "*"
			}
			if zero := f.DefValue == "" || f.DefValue == "0" || f.DefValue == "false" || f.DefValue == "[]"; !zero {
				usage += fmt.Sprintf(" (default %s)", f.DefValue)
			}
			fmt.Fprintf(&b, "%s\n: %s\n\n", name, escaper.Replace(usage))
		})
	}
	return b.String()
}

// escaper takes what means something in Markdown for what it is.
var escaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `<`, `\<`, `>`, `\>`, `[`, `\[`, `]`, `\]`)

// asMarkdown makes paragraphs, and code of lines that begin with a space.
func asMarkdown(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.SplitSeq(text, "\n") {
		switch indented := strings.HasPrefix(line, " "); {
		case indented && !code:
			b.WriteString("\n    " + line + "\n")
			code = true
		case indented:
			b.WriteString("    " + line + "\n")
		default:
			b.WriteString(escaper.Replace(line) + "\n")
			code = false
		}
	}
	return b.String()
}

// writeCompletion writes the files of four shells. They ask the program for what it takes.
func writeCompletion(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, shell := range map[string]string{"snapmount.bash": "bash", "_snapmount": "zsh", "snapmount.fish": "fish", "snapmount.ps1": "powershell"} {
		var b bytes.Buffer
		if err := cmd.WriteCompletion(&b, cmd.Tree(), shell); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}
