package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/selection"
	"snapmount/ntfs"
	"snapmount/ntfs/restore"
)

func newCat(o *openFlags) *cobra.Command {
	var raw, sparse bool
	c := &cobra.Command{
		Use:   "cat LOCATION...",
		Short: "Write files, streams (FILE:STREAM) or, with --raw, block images to standard output",
		Long: "cat writes the content of a file as it was at a point in time. FILE:STREAM is a named stream of it. With --raw a " +
			"LOCATION without a path is written as a block image, for other tools. What cannot be known is an error, before " +
			"which nothing wrong is written. On Windows, redirect it in cmd: PowerShell before 7.4 changes bytes behind > and |.",
		Example: "  snapmount cat disk.vhdx@vss1:/Users/ann/report.txt >report.txt\n" +
			"  snapmount cat disk.vhdx:/download.exe:Zone.Identifier\n" +
			"  snapmount cat --raw --sparse disk.vhdx:p2@vss1 >p2.img",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if sparse && len(args) > 1 {
				return usagef("--sparse writes one image: give one location")
			}
			tell := text.NewReporter(c.ErrOrStderr())
			err := o.one(c.Context(), tell, args, func(p *selection.Place) error { return catOne(c, p, raw, sparse) })
			return cmp.Or(err, tell.Err("could not be read"))
		},
	}
	c.Flags().BoolVar(&raw, "raw", false, "the block image that the location names: disk, volume, or volume at a point")
	c.Flags().BoolVar(&sparse, "sparse", false, "leave holes in the output, which must be an empty file")
	inGroup(c.Flags(), groupOutput, "raw", "sparse")
	return c
}

// catOne writes what a place names.
func catOne(c *cobra.Command, p *selection.Place, raw, sparse bool) error {
	var src layer.Source
	var err error
	if raw {
		src, err = blockImage(p)
	} else {
		src, err = content(c, p)
	}
	if err != nil {
		return err
	}
	err = copyOut(c.Context(), text.Raw(c.OutOrStdout()), src, sparse)
	if raw && !p.NamesDisk() {
		err = cmp.Or(p.Point.Because(err), p.Point.Truncated())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.Location, err)
	}
	return nil
}

// blockImage opens the disk, or the volume at a point, that a place names.
func blockImage(p *selection.Place) (layer.Source, error) {
	switch {
	case p.HasPath && p.Path != "":
		return nil, usagef("%s: --raw writes disks and volumes: leave the path out", p.Location)
	case p.NamesDisk():
		return p.Set.Block(p.Set.Images[0]), nil
	}
	return p.Point.Image()
}

// content opens the stream that a place names.
func content(c *cobra.Command, p *selection.Place) (layer.Source, error) {
	n, stream, err := p.Node(true)
	if err != nil {
		return nil, err
	}
	if n.Kind == ntfs.KindDir && stream == "" {
		return nil, fmt.Errorf("%s: %w", p.Location, syscall.EISDIR)
	}
	m, err := n.Stream(stream)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Location, err)
	}
	if ntfs.IsCiphertext(m) {
		text.NewReporter(c.ErrOrStderr()).Line("%s: encrypted (EFS): what follows is ciphertext", p.Location)
	}
	return m, nil
}

func copyOut(ctx context.Context, w io.Writer, src layer.Source, sparse bool) error {
	if !sparse {
		return restore.Copy(ctx, w, src)
	}
	f, ok := text.FileOf(w)
	if !ok {
		return usagef("--sparse: the output is no file")
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		return usagef("--sparse: the output is not an empty file")
	}
	err := restore.CopySparse(ctx, f, src)
	if errors.Is(err, restore.ErrNoSeek) {
		return usagef("--sparse: %w: use > and not >>", err)
	}
	return err
}
