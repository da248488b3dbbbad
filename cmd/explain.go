package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

func newExplain(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "explain LOCATION...",
		Short: "Tell where each range of a file lies, down to the image, and why",
		Long: "explain tells of each range of a file at a point in time where its bytes lie: in the volume, in which store of a " +
			"snapshot, and at which offset of which image file, or why nobody can tell them.",
		Example: "  snapmount explain disk.vhdx@vss1:/Users/ann/report.txt",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			out := text.NewOut(c.OutOrStdout())
			tell := text.NewReporter(c.ErrOrStderr())
			err := o.one(c.Context(), tell, args, func(p *selection.Place) error { return explain(c.Context(), out, p, asJSON) })
			return tell.Done(out, err)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a range")
	inGroup(c.Flags(), groupOutput, "json")
	return c
}

func explain(ctx context.Context, out *text.Out, p *selection.Place, asJSON bool) error {
	n, stream, err := p.Node(true)
	if err != nil {
		return err
	}
	m, err := n.Stream(stream)
	if err != nil {
		return fmt.Errorf("%s: %w", p.Location, err)
	}
	if !asJSON {
		fmt.Fprintf(out, "%s@%s:%s: %d bytes, %s\n", p.Volume.Name, p.Point.Name, text.Printable(p.Path), m.Size(), points.Judge(n, stream))
	}
	for x := range p.Point.Explain(m) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if j := report.PieceOf(p.Point, p.FullPath(), x); asJSON {
			out.JSON(j)
		} else {
			fmt.Fprintln(out, " ", text.Printable(j.String()))
		}
	}
	return nil
}
