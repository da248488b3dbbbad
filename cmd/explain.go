package cmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// pieceJSON is one object of "explain --json".
type pieceJSON struct {
	Offset      int64        `json:"offset"` // bytes, in the file
	Length      int64        `json:"length"`
	Volume      *int64       `json:"volume_offset"`
	Why         string       `json:"why"`
	Image       string       `json:"image"`
	ImageOffset *int64       `json:"image_offset"`
	Reason      layer.Reason `json:"reason,omitempty"` // why the content is unknown: unprotected, incomplete, ...
	Error       string       `json:"error,omitempty"`
}

func newExplain(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "explain LOCATION...",
		Short: "Tell where each range of a file lies, down to the image, and why",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			for _, a := range args {
				if err := explainOne(c.Context(), c.OutOrStdout(), o, a, asJSON); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a range")
	return c
}

func explainOne(ctx context.Context, w io.Writer, o *openFlags, location string, asJSON bool) error {
	s, t, n, stream, err := o.locateFile(ctx, location, true)
	if err != nil {
		return err
	}
	defer s.Close()
	m, err := n.Stream(stream)
	if err != nil {
		return fmt.Errorf("%s: %w", location, err)
	}
	if !asJSON {
		fmt.Fprintf(w, "%s@%s:%s: %d bytes, %s\n", t.Volume.Name, t.Point.Name, printable(t.Path), m.Size(), points.Judge(n, stream))
	}
	for p := range t.Point.Explain(m) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := printPiece(w, p, asJSON); err != nil {
			return err
		}
	}
	return nil
}

func printPiece(w io.Writer, p points.Piece, asJSON bool) error {
	if asJSON {
		j := pieceJSON{Offset: p.Off, Length: p.Len, Why: p.Why, Image: p.Image, Reason: p.Reason}
		if p.Volume >= 0 {
			j.Volume = &p.Volume
		}
		if p.Image != "" && p.ImageOff >= 0 {
			j.ImageOffset = &p.ImageOff
		}
		if p.Err != nil {
			j.Error = oneLine(p.Err)
		}
		return json.NewEncoder(w).Encode(j)
	}
	line := fmt.Sprintf("  0x%x + 0x%x", p.Off, p.Len)
	if p.Volume >= 0 {
		line += fmt.Sprintf(", volume 0x%x", p.Volume)
	}
	if p.Why != "" {
		line += ": " + p.Why
	}
	switch {
	case p.Image != "" && p.ImageOff >= 0:
		line += fmt.Sprintf("; %s at 0x%x", p.Image, p.ImageOff)
	case p.Image != "":
		line += "; " + p.Image
	}
	if p.Err != nil {
		line += "; NOT READABLE: " + oneLine(p.Err)
	}
	_, err := fmt.Fprintln(w, printable(line))
	return err
}
