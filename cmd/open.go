package cmd

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

// openFlags say how images are opened; all commands share them.
type openFlags struct {
	with      []string
	diffArea  []string
	unknown   string
	encrypted string
	reparse   string
	cache     text.Size
	offset    text.Size
	size      text.Size
	force     bool
	layer     string
	snapshot  string
	badChunks string
	parts     []string
	parents   []string
	rescueMap string
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
	f.Var(&o.size, "size", "how long the disk or volume is; without, it goes to the end")
	f.StringVar(&o.layer, "layer", "", "an earlier state of the first image, as info numbers and names them: a file below it, or an internal snapshot")
	f.StringVar(&o.snapshot, "image-snapshot", "", "an internal snapshot of the first image, by ID or name")
	f.StringVar(&o.badChunks, "bad-chunks", "error", "damaged chunks of E01 images: error, or zero")
	f.StringArrayVar(&o.parts, "part", nil, "the next file of the first image, where names do not tell (may be repeated, in order)")
	f.StringArrayVar(&o.parents, "parent", nil, "a file that an image stands on, wherever it lies (may be repeated)")
	f.StringVar(&o.rescueMap, "map", "", "the map of GNU ddrescue for the first image, which is raw; without, it is looked for beside it")
	f.BoolVar(&o.force, "force", false, "read a block device although it is mounted for writing")
	f.BoolVar(&o.anywhere, "allow-backing-anywhere", false, "open files that an image names wherever they lie, not in its own folder only")
	o.cache = ntfs.DefaultCache
	f.Var(&o.cache, "cache", "memory for what was read of file systems, in bytes or with K, M or G")
}

// opener opens what commands name.
func (o *openFlags) opener() selection.Opener { return o.open }

func (o *openFlags) open(ctx context.Context, images []string) (*points.Set, error) {
	opts := points.Options{DiffArea: o.diffArea, CacheBytes: int64(o.cache), Ciphertext: o.encrypted == "raw", ForeignReparse: o.reparse == "raw", ZeroBad: o.badChunks == "zero",
		Offset: int64(o.offset), Size: int64(o.size), Force: o.force, Layer: o.layer, Snapshot: o.snapshot, Anywhere: o.anywhere, Warn: o.warn,
		Parts: o.parts, Parents: o.parents, Map: o.rescueMap,
		Progress: func(what string, done, total int64) { o.progress(what, done, total) }} // it changes when a mount answers
	switch o.unknown {
	case "error":
	case "zero":
		opts.Unknown = layer.Zeros
	case "live":
		opts.Unknown = layer.Live
	default:
		return nil, usagef("--unknown %q: want error, zero or live", o.unknown)
	}
	if o.encrypted != "error" && o.encrypted != "raw" {
		return nil, usagef("--encrypted %q: want error or raw", o.encrypted)
	}
	if o.reparse != "error" && o.reparse != "raw" {
		return nil, usagef("--reparse %q: want error or raw", o.reparse)
	}
	if o.badChunks != "error" && o.badChunks != "zero" {
		return nil, usagef("--bad-chunks %q: want error or zero", o.badChunks)
	}
	s, err := points.Open(ctx, slices.Concat(images, o.with), opts)
	o.progress("", 0, 0) // an error comes in the midst of something
	return s, err
}

// each opens locations one after the other.
func (o *openFlags) each(ctx context.Context, locations []string, do func(*selection.Place) error) error {
	for _, l := range locations {
		p, err := o.opener().Place(ctx, l)
		if err != nil {
			return err
		}
		err = do(p)
		p.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
