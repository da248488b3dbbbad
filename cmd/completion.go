package cmd

import (
	"bytes"
	_ "embed" // the scripts
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/shell"
	"snapmount/cmd/text"
)

var (
	//go:embed completion/snapmount.bash
	bashScript string
	//go:embed completion/_snapmount
	zshScript string
	//go:embed completion/snapmount.fish
	fishScript string
)

// Shells are those that are completed in.
var Shells = []string{"bash", "zsh", "fish", "powershell"}

const completionText = `completion prints a script that makes a shell complete the command line: commands, flags and their values, images, and
inside of images volumes, points in time and paths. Packages install it.

  bash        snapmount completion bash \
                >~/.local/share/bash-completion/completions/snapmount
              or in ~/.bashrc: source <(snapmount completion bash)
  zsh         snapmount completion zsh >~/.zfunc/_snapmount
              and in ~/.zshrc: fpath+=~/.zfunc; autoload -U compinit; compinit
  fish        snapmount completion fish \
                >~/.config/fish/completions/snapmount.fish
  PowerShell  in $PROFILE: snapmount completion powershell | Out-String |
                Invoke-Expression

A directory or an image that does not answer within 150 ms is not completed; SNAPMOUNT_COMPLETION_WAIT=1s gives slow disks
more.`

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that completes the command line in a shell",
		Long:  completionText,
		Example: "  source <(snapmount completion bash)\n" +
			"  snapmount completion fish | source",
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: firstOf(Shells),
		RunE: func(c *cobra.Command, words []string) error {
			return WriteCompletion(c.OutOrStdout(), c.Root(), words[0])
		},
	}
}

// firstOf completes the first argument.
func firstOf(list []string) cobra.CompletionFunc {
	return func(c *cobra.Command, given []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(given) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return words(false, list...)(c, given, word)
	}
}

// WriteCompletion writes the script for one of Shells. That of PowerShell is cobra's.
func WriteCompletion(w io.Writer, root *cobra.Command, name string) error {
	script := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[name]
	switch {
	case script != "":
		_, err := io.WriteString(text.Raw(w), script)
		return err
	case name == "powershell":
		return root.GenPowerShellCompletionWithDesc(text.Raw(w))
	}
	return usagef("completion %q: want %s", name, strings.Join(Shells, ", "))
}

// listing is the COMP_TYPE of bash where it shows what there is, and inserts nothing.
const listing = "63"

// newCompleteLine is what the script for bash calls.
func newCompleteLine() *cobra.Command {
	return &cobra.Command{
		Use:    "__complete-line LINE END COMP_TYPE",
		Hidden: true,

		DisableFlagParsing: true,

		Short: "What completion in bash calls",
		Long: "__complete-line tells what the last word of a line may become: how a shell goes on behind it, then one " +
			"candidate a line, as it has to be typed instead of END, which is how the word ends.",
		Example: "  snapmount __complete-line 'snapmount ls disk.vhdx:' '' 9",
		Args:    args(cobra.ExactArgs(3)),
		RunE: func(c *cobra.Command, words []string) error {
			home, err := os.UserHomeDir()
			if err != nil {
				home = ""
			}
			line := shell.Parse(words[0], home)
			if !line.Known || len(line.Words) < 2 {
				return nil
			}
			return completeLine(c, line, words[1], words[2] == listing)
		},
	}
}

// completeLine asks cobra, and tells bash.
func completeLine(c *cobra.Command, line shell.Line, end string, list bool) error {
	var found bytes.Buffer
	root, out := c.Root(), c.OutOrStdout()
	root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, line.Words[1:]...))
	root.SetOut(&found)
	root.SetErr(io.Discard)
	if err := root.ExecuteContext(c.Context()); err != nil {
		return err
	}
	rows := strings.Split(strings.TrimSuffix(found.String(), "\n"), "\n")
	how, err := strconv.Atoi(strings.TrimPrefix(rows[len(rows)-1], ":"))
	if err != nil || cobra.ShellCompDirective(how)&cobra.ShellCompDirectiveError != 0 {
		return err
	}
	fmt.Fprintln(out, bashOptions(cobra.ShellCompDirective(how)))
	for _, row := range rows[:len(rows)-1] {
		word, about, _ := strings.Cut(row, "\t")
		shown, ok := line.Behind(line.Raw(word), end)
		if list && about != "" {
			shown += "  (" + about + ")"
		}
		if ok {
			fmt.Fprintln(out, shown)
		}
	}
	return nil
}

// bashOptions are words for the script: put a space behind a word, complete no files.
func bashOptions(how cobra.ShellCompDirective) string {
	out := "-"
	if how&cobra.ShellCompDirectiveNoSpace == 0 {
		out += "space"
	}
	if how&cobra.ShellCompDirectiveNoFileComp != 0 {
		out += "nofiles"
	}
	return out
}
