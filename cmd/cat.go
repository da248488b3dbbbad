package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// copyChunk is how much is read at once.
const copyChunk = 1 << 20

func newCat(o *openFlags) *cobra.Command {
	var raw, sparse bool
	c := &cobra.Command{
		Use:   "cat LOCATION...",
		Short: "Write files, streams (FILE:STREAM) or, with --raw, block images to standard output",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if sparse && len(args) > 1 {
				return usageError{errors.New("--sparse writes one image: give one location")}
			}
			for _, a := range args {
				if err := catOne(c, o, a, raw, sparse); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&raw, "raw", false, "the block image that the location names: disk, volume, or volume at a point")
	c.Flags().BoolVar(&sparse, "sparse", false, "leave holes in the output, which must be an empty file")
	return c
}

func catOne(c *cobra.Command, o *openFlags, location string, raw, sparse bool) error {
	var src layer.Source
	var point *points.Point // whose block image it is
	if raw {
		s, t, err := o.locate(c.Context(), location)
		if err != nil {
			return err
		}
		defer s.Close()
		switch {
		case t.HasPath && t.Path != "":
			return usageError{fmt.Errorf("%s: --raw writes disks and volumes: leave the path out", location)}
		case t.NamesDisk():
			src = s.Images[0].Disk
		default:
			if src, err = t.Point.Image(); err != nil {
				return err
			}
			point = t.Point
		}
	} else {
		s, _, n, stream, err := o.locateFile(c.Context(), location, true)
		if err != nil {
			return err
		}
		defer s.Close()
		if n.Kind == ntfs.KindDir && stream == "" {
			return fmt.Errorf("%s: is a directory", location)
		}
		m, err := n.Stream(stream)
		if err != nil {
			return fmt.Errorf("%s: %w", location, err)
		}
		if src = m; ntfs.IsCiphertext(m) {
			fmt.Fprintf(c.ErrOrStderr(), "%s: encrypted (EFS): what follows is ciphertext\n", location)
		}
	}
	err := copyOut(c.Context(), c.OutOrStdout(), src, sparse)
	if point != nil {
		err = cmp.Or(point.Because(err), point.Truncated())
	}
	if err != nil {
		return fmt.Errorf("%s: %w", location, err)
	}
	return nil
}

func copyOut(ctx context.Context, w io.Writer, src layer.Source, sparse bool) error {
	if !sparse {
		return copyAll(ctx, w, src)
	}
	f, ok := fileOf(w)
	if !ok {
		return usageError{errors.New("--sparse: the output is no file")}
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		return usageError{errors.New("--sparse: the output is not an empty file")}
	}
	return copySparse(ctx, f, src)
}

// copyAll writes all of src.
func copyAll(ctx context.Context, w io.Writer, src layer.Source) error {
	buf := make([]byte, min(copyChunk, src.Size()))
	for off := int64(0); off < src.Size(); off += copyChunk {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		b := buf[:layer.Clip(src.Size(), off, copyChunk)]
		n, err := src.ReadAt(b, off)
		if n == len(b) {
			err = nil
		} else if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if _, err2 := w.Write(b[:n]); err2 != nil {
			return err2
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copySparse writes what is not known to be zero, by seeking over the rest.
func copySparse(ctx context.Context, f *os.File, src layer.Source) error {
	buf := make([]byte, copyChunk)
	for e, err := range layer.Resolve(src, 0, src.Size()) {
		if err != nil {
			return err
		}
		if e.Base == nil {
			continue
		}
		if _, err := f.Seek(e.Off, io.SeekStart); err != nil {
			return err
		}
		for done := int64(0); done < e.Len; {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			b := buf[:min(e.Len-done, copyChunk)]
			if err := layer.ReadFull(src, b, e.Off+done); err != nil {
				return err
			}
			if _, err := f.Write(b); err != nil {
				return err
			}
			done += int64(len(b))
		}
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if at != e.Off+e.Len { // a file opened for appending ignores seeks
			return usageError{errors.New("--sparse: the output cannot seek: use > and not >>")}
		}
	}
	return f.Truncate(src.Size())
}
