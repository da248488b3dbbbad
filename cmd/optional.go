package cmd

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// valueWordsOf is the annotation of a flag with the values that it may have behind a space.
const valueWordsOf = "words"

// optional lets a flag stand without its value, for which without stands then. A value of words may follow a space all the
// same, as pflag has it for no other flag of this kind.
func optional(f *pflag.FlagSet, name, without string, words ...string) {
	f.Lookup(name).NoOptDefVal = without
	annotate(f, name, valueWordsOf, words...)
}

// joined puts the values of optional flags behind "=".
func joined(root *cobra.Command, args []string) (out []string) {
	c, _, err := root.Find(args)
	if err != nil {
		return args // executing it tells
	}
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
		}
		if len(arg) > 2 && arg[:2] == "--" && i+1 < len(args) {
			if f := c.Flag(arg[2:]); f != nil && slices.Contains(f.Annotations[valueWordsOf], args[i+1]) {
				i++
				arg += "=" + args[i]
			}
		}
		out = append(out, arg)
	}
	return out
}
