package cmd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs"
)

// openFlags say how images are opened; all commands share them.
type openFlags struct {
	with      []string
	diffArea  []string
	unknown   string
	encrypted string
	reparse   string
	cache     byteSize
	offset    byteSize
	size      byteSize
	force     bool
	layer     string
	snapshot  string
	badChunks string
	anywhere  bool
	warn      func(error) // told warnings as they come, or nil
	progress  layer.Progress
}

func (o *openFlags) add(c *cobra.Command) {
	f := c.PersistentFlags()
	f.StringArrayVar(&o.with, "with", nil, "another image, searched for the diff areas of the first (may be repeated)")
	f.StringArrayVar(&o.diffArea, "diff-area", nil, "store files copied out of System Volume Information, or a directory of them (may be repeated)")
	f.StringVar(&o.unknown, "unknown", "error", "file ranges that a snapshot did not keep: error, zero, or live (the current content)")
	f.StringVar(&o.encrypted, "encrypted", "error", "files encrypted by EFS: error, or raw (the bytes as they are on the disk)")
	f.StringVar(&o.reparse, "reparse", "error", "files left to another program by a reparse tag that is not known: error, or raw (what the volume keeps)")
	f.Var(&o.offset, "offset", "where the disk or volume begins in the first image, in bytes or with K, M or G")
	f.Var(&o.size, "size", "how long it is; without, it goes to the end")
	f.StringVar(&o.layer, "layer", "", "an earlier state of the first image, as info numbers and names them: a file below it, or an internal snapshot")
	f.StringVar(&o.snapshot, "image-snapshot", "", "an internal snapshot of the first image, by ID or name")
	f.StringVar(&o.badChunks, "bad-chunks", "error", "damaged chunks of E01 images: error, or zero")
	f.BoolVar(&o.force, "force", false, "read a block device although it is mounted for writing")
	f.BoolVar(&o.anywhere, "allow-backing-anywhere", false, "open files that an image names wherever they lie, not in its own folder only")
	o.cache = ntfs.DefaultCache
	f.Var(&o.cache, "cache", "memory for what was read of file systems, in bytes or with K, M or G")
}

func (o *openFlags) open(ctx context.Context, images []string) (*points.Set, error) {
	opts := points.Options{DiffArea: o.diffArea, CacheBytes: int64(o.cache), Ciphertext: o.encrypted == "raw", ForeignReparse: o.reparse == "raw",
		Offset: int64(o.offset), Size: int64(o.size), Force: o.force, Layer: o.layer, Snapshot: o.snapshot, Anywhere: o.anywhere}
	switch o.unknown {
	case "error":
	case "zero":
		opts.Unknown = layer.Zeros
	case "live":
		opts.Unknown = layer.Live
	default:
		return nil, usageError{fmt.Errorf("--unknown %q: want error, zero or live", o.unknown)}
	}
	if o.encrypted != "error" && o.encrypted != "raw" {
		return nil, usageError{fmt.Errorf("--encrypted %q: want error or raw", o.encrypted)}
	}
	if o.reparse != "error" && o.reparse != "raw" {
		return nil, usageError{fmt.Errorf("--reparse %q: want error or raw", o.reparse)}
	}
	if o.badChunks != "error" && o.badChunks != "zero" {
		return nil, usageError{fmt.Errorf("--bad-chunks %q: want error or zero", o.badChunks)}
	}
	opts.ZeroBad = o.badChunks == "zero"
	opts.Warn = o.warn
	opts.Progress = func(what string, done, total int64) { o.progress(what, done, total) } // it changes when a mount answers
	s, err := points.Open(ctx, append(images, o.with...), opts)
	o.progress("", 0, 0) // an error comes in the midst of something
	return s, err
}

// locate opens the image of a location and resolves the rest. The caller closes the set.
func (o *openFlags) locate(ctx context.Context, location string) (*points.Set, points.Target, error) {
	loc, err := points.SplitLocation(location, func(p string) bool { _, err := os.Stat(p); return err == nil })
	if err != nil {
		return nil, points.Target{}, err
	}
	loc = loc.WithLayer()
	s, err := o.open(ctx, []string{loc.Image})
	if err != nil {
		return nil, points.Target{}, err
	}
	t, err := s.Resolve(s.Images[0], loc.Rest)
	if err == nil {
		s, t, err = s.Enter(t)
	}
	if err != nil {
		s.Close()
		return nil, t, err
	}
	return s, t, nil
}

// locateFile is locate for commands on files: it fails without a volume. It returns the node and the stream named.
func (o *openFlags) locateFile(ctx context.Context, location string, follow bool) (*points.Set, points.Target, *ntfs.Node, string, error) {
	s, t, err := o.locate(ctx, location)
	if err != nil {
		return nil, t, nil, "", err
	}
	if t.Point == nil {
		err = noVolume(s, location)
		s.Close()
		return nil, t, nil, "", err
	}
	n, stream, err := t.Point.Lookup(t.Path, follow)
	if err != nil {
		s.Close()
		return nil, t, nil, "", err
	}
	return s, t, n, stream, nil
}

// noVolume says why a location names no volume.
func noVolume(s *points.Set, location string) error {
	_, err := s.NTFS()
	if err == nil {
		_, err = s.Resolve(s.Images[0], "@current")
	}
	return fmt.Errorf("%s: %w", location, err)
}

// byteSize is a flag of a number of bytes.
type byteSize int64

// Set takes a number of bytes, or one with K, M, G or T behind it.
func (b *byteSize) Set(text string) error {
	digits := strings.TrimRight(text, "KMGTkmgt")
	n, err := strconv.ParseUint(digits, 10, 63)
	shift := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
	by, ok := shift[strings.ToUpper(text[len(digits):])]
	if err != nil || !ok || n == 0 || n > math.MaxInt64>>by {
		return errors.New("want a number of bytes, such as 500000, 64M or 1G")
	}
	*b = byteSize(n << by)
	return nil
}

// String gives the largest unit that keeps the number whole.
func (b *byteSize) String() string {
	for i, unit := range []string{"T", "G", "M", "K"} {
		if by := uint(40 - 10*i); *b != 0 && *b&(1<<by-1) == 0 {
			return fmt.Sprintf("%d%s", int64(*b>>by), unit)
		}
	}
	return fmt.Sprint(int64(*b))
}

// Type names the values of the flag.
func (b *byteSize) Type() string { return "size" }
