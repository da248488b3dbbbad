package cmd

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
)

// Headings that flags of several commands stand under; a command may have its own.
const (
	groupWhich  = "Which files"
	groupOutput = "Output"
	groupShown  = "What is shown"
	groupOpen   = "How images are opened"
	groupLocked = "Encrypted disks"
	groupOdd    = "Damaged and unusual images"
	groupHelp   = "Help"
)

// Annotations of flags that the help goes by.
const (
	inHeading = "heading"
	isRare    = "rare"
)

// opensImages marks commands that have the flags of how images are opened.
const opensImages = "opens images"

// helpWidth is how wide a line of help is at most.
const helpWidth = 80

// inGroup puts flags of a command under a heading of its help. Headings and flags have the order in which the flags were
// added.
func inGroup(f *pflag.FlagSet, heading string, names ...string) {
	f.SortFlags = false
	for _, name := range names {
		annotate(f, name, inHeading, heading)
	}
}

// rare leaves flags to --help-all: those that hardly anyone needs, or for odd images only.
func rare(f *pflag.FlagSet, names ...string) {
	for _, name := range names {
		annotate(f, name, isRare, "yes")
	}
}

func annotate(f *pflag.FlagSet, name, key string, values ...string) {
	if err := f.SetAnnotation(name, key, values); err != nil {
		panic(err) // a flag that nobody added: every start of the program would tell
	}
}

// helper shows the help of commands, once it is told with rare flags.
type helper struct{ all bool }

// add gives root the help, and the flags that ask for it.
func (h *helper) add(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, words []string) { h.help(c.OutOrStdout(), meantByHelp(c, words)) })
	root.SetUsageFunc(func(c *cobra.Command) error { h.usage(c.OutOrStderr(), c); return nil })
	f := root.PersistentFlags()
	f.AddFlag(&pflag.Flag{Name: "help-all", Usage: "help, with the flags that are rarely needed", Value: h, NoOptDefVal: "true"})
	inGroup(f, groupHelp, "help-all")
}

// encryptionWords are what people ask help on who have an encrypted volume.
var encryptionWords = []string{"bitlocker", "encrypted", "encryption", "locked", "recovery", "recovery-key", "decrypt", "key", "keys", "password"}

// newHelp is the command "help". A word that is no command and no topic is a mistake.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND|TOPIC]",
		Short:   "Help on a command or a topic",
		Long:    "help tells of a command what it does, how it is called and which flags it has.",
		Example: "  snapmount help find\n  snapmount help times",
		ValidArgsFunction: func(_ *cobra.Command, words []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			for _, c := range root.Commands() {
				if len(words) == 0 && (c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand()) {
					names = append(names, c.Name()+"\t"+c.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, words []string) error {
			if len(words) == 1 && slices.Contains(encryptionWords, strings.ToLower(words[0])) {
				words = []string{"unlock"}
			}
			c, rest, err := root.Find(words)
			if err != nil || len(rest) > 0 {
				return usagef("help %s: no such command or topic: snapmount help lists them", strings.Join(words, " "))
			}
			return c.Help()
		},
	}
}

// meantByHelp is the command that help is about: for "help COMMAND --help-all", which asks for that of "help", COMMAND.
func meantByHelp(c *cobra.Command, words []string) *cobra.Command {
	i := slices.Index(words, "help")
	if c.Name() != "help" || i < 0 {
		return c
	}
	words = slices.DeleteFunc(slices.Clone(words[i+1:]), func(w string) bool { return strings.HasPrefix(w, "-") })
	if about, _, err := c.Root().Find(words); err == nil && about != c.Root() {
		return about
	}
	return c
}

// Set is that of pflag.Value: --help-all asks for help, and stops what reads flags.
func (h *helper) Set(value string) error {
	wanted, err := strconv.ParseBool(value)
	if err != nil || !wanted {
		return err
	}
	h.all = true
	return pflag.ErrHelp
}

func (h *helper) String() string { return "" }

// Type is that of pflag.Value; a bool has no value in the help.
func (h *helper) Type() string { return "bool" }

func (h *helper) help(w io.Writer, c *cobra.Command) {
	about := c.Long
	if about == "" {
		about = c.Short
	}
	fmt.Fprintf(w, "%s\n\n", text.Fold(about, helpWidth))
	if c.IsAdditionalHelpTopicCommand() {
		fmt.Fprintf(w, "Examples:\n%s\n", c.Example)
		return
	}
	h.usage(w, c)
}

func (h *helper) usage(w io.Writer, c *cobra.Command) {
	fmt.Fprintf(w, "Usage:\n%s\n", text.Hang("  ", c.UseLine(), helpWidth))
	if c.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", c.Example)
	}
	h.commands(w, c)
	groups, left := h.groups(c)
	for _, g := range groups {
		fmt.Fprintf(w, "\n%s:\n%s", g.Heading, g.Flags.FlagUsagesWrapped(helpWidth))
	}
	if left > 0 {
		fmt.Fprintf(w, "\n%s --help-all shows %d more flags, which are rarely needed.\n", c.CommandPath(), left)
	}
}

func (h *helper) commands(w io.Writer, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	fmt.Fprint(w, "\nCommands:\n")
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			name := fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name())
			fmt.Fprintln(w, text.Hang(name, sub.Short, helpWidth))
		}
	}
	if !c.HasHelpSubCommands() {
		return
	}
	fmt.Fprint(w, "\nTopics of help:\n")
	for _, sub := range c.Commands() {
		if sub.IsAdditionalHelpTopicCommand() {
			fmt.Fprintln(w, text.Hang(fmt.Sprintf("  %-*s ", sub.NamePadding(), sub.Name()), sub.Short, helpWidth))
		}
	}
}

// Group is what stands under a heading of the help.
type Group struct {
	Heading string
	Flags   *pflag.FlagSet
}

// Groups gives all flags of a command, rare ones too, under their headings.
func Groups(c *cobra.Command) []Group {
	all, _ := (&helper{all: true}).groups(c)
	return all
}

// groups sorts the flags of a command under their headings, and counts those that it leaves out.
func (h *helper) groups(c *cobra.Command) (all []Group, left int) {
	take := func(f *pflag.Flag) {
		if len(f.Annotations[isRare]) > 0 && !h.all {
			left++
			return
		}
		heading := headingOf(f)
		i := slices.IndexFunc(all, func(g Group) bool { return g.Heading == heading })
		if i < 0 {
			i = len(all)
			all = append(all, Group{heading, pflag.NewFlagSet(heading, pflag.ContinueOnError)})
			all[i].Flags.SortFlags = false
		}
		all[i].Flags.AddFlag(f)
	}
	own, shared := flagsOf(c)
	for _, f := range slices.Concat(own, shared) {
		take(f)
	}
	return all, left
}

// headingOf is the heading of a flag; cobra adds its own without one.
func headingOf(f *pflag.Flag) string {
	if h := f.Annotations[inHeading]; len(h) > 0 {
		return h[0]
	}
	return groupHelp
}

// flagsOf gives the flags that a command alone has, and those of all commands that it goes by.
func flagsOf(c *cobra.Command) (own, shared []*pflag.Flag) {
	all, root := c.Root().PersistentFlags(), c == c.Root()
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if all.Lookup(f.Name) == f || f.Hidden || !root && f.Name == "help" {
			return
		}
		own = append(own, f)
	})
	all.VisitAll(func(f *pflag.Flag) {
		switch opens := f.Annotations[inHeading]; {
		case f.Hidden, f.Name == "help-all" && !root:
		case len(opens) > 0 && slices.Contains([]string{groupOpen, groupLocked, groupOdd}, opens[0]) && c.Annotations[opensImages] == "":
		case c.Flags().Lookup(f.Name) != nil && c.Flags().Lookup(f.Name) != f: // hidden by one of the command
		default:
			shared = append(shared, f)
		}
	})
	return own, shared
}
