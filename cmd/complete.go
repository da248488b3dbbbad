package cmd

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/mount/complete"
	"snapmount/mount/selection"
	"snapmount/ntfs/compare"
)

// waitVariable says how long completion looks into images, for disks that are slow to answer.
const waitVariable = "SNAPMOUNT_COMPLETION_WAIT"

// completionWait is how long it looks without: with the start of the program less than what people take for a delay.
const completionWait = 150 * time.Millisecond

// A search finds what a word may become.
type search func(ctx context.Context, open selection.Opener, words []string, word string) []complete.Candidate

// completes makes what cobra asks of a search. It is silent, and gives nothing once its time is over, whatever it waits for.
func (o *openFlags) completes(find search) cobra.CompletionFunc {
	return func(c *cobra.Command, words []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		wait, err := time.ParseDuration(os.Getenv(waitVariable))
		if err != nil || wait <= 0 {
			wait = completionWait
		}
		ctx, cancel := context.WithTimeout(c.Context(), wait)
		defer cancel()
		o.progress, o.warn = func(string, int64, int64) {}, nil
		o.keys.silent()
		found := make(chan []complete.Candidate, 1)
		go func() { found <- find(ctx, o.opener(), words, word) }()
		select {
		case <-ctx.Done():
			return nil, cobra.ShellCompDirectiveNoFileComp
		case list := <-found:
			return completions(list)
		}
	}
}

// completions gives candidates as cobra has them.
func completions(list []complete.Candidate) ([]cobra.Completion, cobra.ShellCompDirective) {
	out, how := []cobra.Completion{}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder
	for _, c := range list {
		if c.Open {
			how |= cobra.ShellCompDirectiveNoSpace
		}
		out = append(out, cobra.CompletionWithDesc(c.Text, text.Printable(c.About)))
	}
	return out, how
}

// completeArgs says how the arguments and the flags of all commands are completed.
func completeArgs(root *cobra.Command, o *openFlags) {
	location := o.completes(func(ctx context.Context, open selection.Opener, _ []string, word string) []complete.Candidate {
		return complete.Location(ctx, open, word)
	})
	images := func(more ...string) cobra.CompletionFunc {
		return o.completes(func(ctx context.Context, _ selection.Opener, _ []string, word string) []complete.Candidate {
			return complete.Files(ctx, word, more...)
		})
	}
	volume := o.completes(func(ctx context.Context, open selection.Opener, _ []string, word string) []complete.Candidate {
		return complete.Volume(ctx, open, word)
	})
	kinds := map[string]cobra.CompletionFunc{
		"snapmount": images(), "mount": images(), "serve": images(), "map": images(), "scan": images(), helperName: images(), "verify": images(".json", ".jsonl"), "diff": o.completes(diffWord),
		"info": volume, "attack": volume,
	}
	completeFlags(root, images())
	for _, c := range root.Commands() {
		completeFlags(c, images())
	}
	for _, c := range append(root.Commands(), root) {
		if c.ValidArgsFunction == nil && c.Annotations[opensImages] != "" {
			if c.ValidArgsFunction = kinds[c.Name()]; c.ValidArgsFunction == nil {
				c.ValidArgsFunction = location
			}
		}
	}
}

// diffWord completes a word of diff: behind a location @POINT alone too.
func diffWord(ctx context.Context, open selection.Opener, words []string, word string) []complete.Candidate {
	if len(words) > 0 && strings.HasPrefix(word, "@") {
		return complete.Point(ctx, open, words[0], word)
	}
	return complete.Location(ctx, open, word)
}

// flagWords are the values of flags that have a few, by name.
var flagWords = map[string]string{
	"unknown": "error zero live", "encrypted": "error raw", "reparse": "error raw", "bad-chunks": "error zero", "tz": "local utc image",
	"log-level": "error warn info debug", "modes": "usable faithful", "points": "all",
	"overwrite": "never always if-changed if-newer", "to": "dir tar zip -", "progress": "plain json none",
	"color": "auto always never", "state": "spoiled torn incomplete whole open recoverable undecided unknown", "encoding": "both utf-8 utf-16", "format": "bodyfile csv jsonl parquet",
}

// completeFlags says how the values of a command's own flags are completed. What is not said is completed as a file.
func completeFlags(c *cobra.Command, images cobra.CompletionFunc) {
	some := map[string]cobra.CompletionFunc{"with": images, "parent": images, "recovery-key": words(false), "only": words(true, kindNames()...), "type": words(true, "f", "d", "l")}
	for name, list := range flagWords {
		some[name] = words(false, strings.Fields(list)...)
	}
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		find := some[f.Name]
		if find == nil || f.Value.Type() == "bool" || c.HasParent() && c.Root().PersistentFlags().Lookup(f.Name) == f {
			return
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, find); err != nil {
			panic(err) // twice: every start of the program would tell
		}
	})
}

func kindNames() (list []string) {
	for _, k := range compare.Kinds() {
		list = append(list, k.String())
	}
	return list
}

// words completes one of a few, or several between commas.
func words(commas bool, list ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return completions(complete.Words(list, commas, word))
	}
}
