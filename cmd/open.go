package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/mount/when"
	"snapmount/ntfs"
)

// openFlags say how images are opened; all commands share them.
type openFlags struct {
	keys      keyFlags
	flags     *pflag.FlagSet // all of these
	with      []string
	diffArea  []string
	unknown   string
	encrypted string
	reparse   string
	cache     text.Size
	offset    text.Offset
	size      text.Size
	force     bool
	layer     string
	snapshot  string
	badChunks string
	parts     []string
	parents   []string
	rescueMap string
	anywhere  bool
	carve     carveFlag
	carveShow string
	carveFrom string
	warn      func(error) // told warnings as they come, or nil
	progress  layer.Progress
	tz        string
	color     string
	clock     when.Clock // what times are read against
}

func (o *openFlags) add(c *cobra.Command) {
	o.keys.add(c)
	f := c.PersistentFlags()
	o.flags = f
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
	f.Var(&o.carve, "carve", "deleted snapshots too: those that file records tell of; --carve=scan: all that one pass over the volumes finds")
	f.Lookup("carve").NoOptDefVal = "true"
	f.StringVar(&o.carveShow, "carve-show", "agreed", "what is shown of them: proved, agreed (by times too), or doubtful (free clusters that may have been used since)")
	f.StringVar(&o.carveFrom, "carve-from", "", "keep what the pass finds in this `FILE`, and take it from there the next time")
	f.StringVar(&o.tz, "tz", "", "zone of times without one, given and shown: local, utc, image, +01:00 or Area/City (default local; shown in UTC where the output is no terminal)")
	f.StringVar(&o.color, "color", "auto", "colours on standard output: auto (on a terminal, unless NO_COLOR is set), always or never")
	o.cache = ntfs.DefaultCache
	f.Var(&o.cache, "cache", "memory for what was read of file systems, in bytes or with K, M or G")
	inGroup(f, groupOpen, "with", "carve", "unknown", "encrypted", "tz", "cache")
	inGroup(f, groupOutput, "color")
	inGroup(f, groupOdd, oddFlags...)
	rare(f, oddFlags...)
}

// opener opens what commands name.
func (o *openFlags) opener() selection.Opener { return o.open }

func (o *openFlags) open(ctx context.Context, images []string) (*points.Set, error) {
	opts := points.Options{DiffArea: o.diffArea, CacheBytes: int64(o.cache), Ciphertext: o.encrypted == "raw", ForeignReparse: o.reparse == "raw", ZeroBad: o.badChunks == "zero",
		Offset: int64(o.offset.Size), Size: int64(o.size), Force: o.force, Layer: o.layer, Snapshot: o.snapshot, Anywhere: o.anywhere, Warn: o.warn, Clock: o.clock,
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
	if err := o.carving(&opts); err != nil {
		return nil, err
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
	if err := o.keys.read(ctx); err != nil {
		return nil, err
	}
	opts.Keys, opts.AskKey = o.keys.ring, o.keys.asks(ctx, func() { o.progress("", 0, 0) })
	images = slices.Concat(images, o.with)
	for i, name := range images {
		if strings.EqualFold(filepath.Ext(name), ".bek") && isFile(name) {
			return nil, usagef("%s: a startup key is no image", name)
		}
		images[i] = selection.Spelt(name)
	}
	s, err := points.Open(ctx, images, opts)
	o.progress("", 0, 0) // an error comes in the midst of something
	if err == nil {
		o.keys.note(s)
	}
	if ended := o.keys.interrupted(); ended != nil && err == nil {
		return nil, errors.Join(ended, s.Close())
	}
	return s, err
}

// carveFlag is how deleted snapshots are looked for. To the help it is a flag without a value.
type carveFlag points.Carve

func (f *carveFlag) Type() string { return "bool" }

// String is what Set takes.
func (f *carveFlag) String() string {
	return [...]string{points.CarveOff: "false", points.CarveRemnants: "true", points.CarveScan: "scan"}[*f]
}

// Set takes "scan", or what stands for the flag alone.
func (f *carveFlag) Set(s string) error {
	switch s {
	case "false":
		*f = carveFlag(points.CarveOff)
	case "true", "remnants":
		*f = carveFlag(points.CarveRemnants)
	case "scan":
		*f = carveFlag(points.CarveScan)
	default:
		return errors.New("want --carve or --carve=scan")
	}
	return nil
}

// concluding is for commands that say what is equal: they take nothing from doubtful bytes.
func (o *openFlags) concluding(tell *text.Reporter) {
	if o.carveShow == "doubtful" {
		o.carveShow = "agreed"
		tell.Note("nothing is called equal by doubtful bytes: this command shows deleted snapshots as with --carve-show agreed")
	}
}

// carving reads what is wanted of deleted snapshots.
func (o *openFlags) carving(opts *points.Options) (err error) {
	opts.Carve = points.Carve(o.carve)
	switch opts.CarveShow, err = points.ParseTrust(o.carveShow); o.carveShow {
	case "proved", "agreed", "doubtful":
	default:
		return usagef("--carve-show %q: want proved, agreed or doubtful", o.carveShow)
	}
	if opts.CarveFrom = o.carveFrom; o.carveFrom != "" {
		opts.Carve = points.CarveScan
	}
	return err
}

// begin makes the clock, by which times are read, from that of the machine.
func (o *openFlags) begin(here when.Clock, stderr io.Writer) error {
	o.clock = here
	o.clock.Here, o.clock.Note = o.tz == "", text.NewReporter(stderr).Note
	if _, err := text.Colours(o.color, nil); err != nil {
		return usagef("--color %w", err)
	}
	switch strings.ToLower(o.tz) {
	case "", "local":
		return nil
	case "image":
		return fmt.Errorf("--tz image: the zone that Windows was set to cannot be read from an image yet, want local, utc or Area/City: %w", layer.ErrUnsupported)
	}
	loc, err := when.Zone(o.tz)
	if err != nil {
		return usagef("--tz: %w", err)
	}
	o.clock.Zone = loc
	return nil
}

// out is standard output: times on it are in the zone of --tz; without it, in that of the machine on a terminal, and else
// in UTC.
func (o *openFlags) out(w io.Writer) *text.Out {
	out := text.NewOut(w)
	out.Colour, _ = text.Colours(o.color, w) // begin told what is wrong
	if o.tz != "" || out.Terminal {
		out.Zone = o.clock.Zone
	}
	return out
}

// each opens locations one after the other, and does something with all that each of them names.
func (o *openFlags) each(ctx context.Context, tell *text.Reporter, locations []string, has points.Has, do func(*selection.Places) error) error {
	for _, l := range locations {
		all, err := o.opener().Places(ctx, l, has)
		if err != nil {
			return err
		}
		for _, p := range all.List {
			if tell.Searched(p.Target.Lost, nil); p.Note != "" {
				tell.Note(p.Note)
			}
			if p.Doubt != nil {
				tell.Note(fmt.Sprintf("%s is taken as %s, but %s", p.Location, p.Point.Name, report.OneLine(p.Doubt)))
			}
		}
		err = do(all)
		all.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// one is each for what has to be one thing.
func (o *openFlags) one(ctx context.Context, tell *text.Reporter, locations []string, do func(*selection.Place) error) error {
	return o.each(ctx, tell, locations, points.AtPoint, func(all *selection.Places) error {
		p, err := all.One()
		if err != nil {
			return err
		}
		for _, err := range p.Apart() {
			tell.Note(report.OneLine(fmt.Errorf("not searched: %w", err)))
		}
		return do(p)
	})
}
