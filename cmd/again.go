package cmd

import (
	"slices"

	"github.com/spf13/pflag"
)

// oddFlags are those that few images need, of the flags that say how images are opened.
var oddFlags = []string{"carve-show", "carve-from", "diff-area", "reparse", "offset", "size", "layer", "image-snapshot", "bad-chunks", "part", "parent", "map",
	"force", "allow-backing-anywhere"}

// openingFlags change what there is to see of an image. What a command advises to type next has them, too: without
// --carve or --offset it would find nothing.
var openingFlags = slices.Concat([]string{"with", "carve", "unknown", "encrypted"}, oddFlags)

// again are the flags that open the same once more, as they were given, without secrets among them and without those that
// the caller has already.
func (o *openFlags) again(has ...string) (args []string) {
	o.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Changed || !slices.Contains(openingFlags, f.Name) || slices.Contains(has, f.Name) {
			return
		}
		list, several := f.Value.(pflag.SliceValue)
		switch value := f.Value.String(); {
		case several:
			for _, value := range list.GetSlice() {
				args = append(args, "--"+f.Name, value)
			}
		case value == f.NoOptDefVal:
			args = append(args, "--"+f.Name)
		case f.NoOptDefVal != "":
			args = append(args, "--"+f.Name+"="+value)
		default:
			args = append(args, "--"+f.Name, value)
		}
	})
	return append(args, o.keys.again()...)
}
