package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"snapmount/cmd/browse"
	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/selection"
)

// A browser is the command "browse".
type browser struct {
	open   *openFlags
	images []string
	sets   []*points.Set // all that were opened
}

func newBrowse(o *openFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "browse IMAGE...",
		Short: "Look through folders and time on the terminal, and restore",
		Long: "browse shows folders and files at every point in time on the terminal, by keys alone, so through ssh too: what changed " +
			"here and when, what is deleted, the versions of a file with their differences, a search over all points, and restores " +
			"that show first what they would do. ? lists the keys, q leaves.\n\n" +
			"A volume that BitLocker locks is shown as such; U, or Enter, asks for its key.",
		Example: "  snapmount browse disk.vhdx\n" +
			"  snapmount browse --key-file keys.txt disk.vhdx",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, images []string) error { return (&browser{open: o, images: images}).run(c) },
	}
}

func (b *browser) run(c *cobra.Command) (err error) {
	if !text.IsTerminal(c.OutOrStdout()) {
		return fmt.Errorf("%w on standard output; ls, find and restore need none", browse.ErrTerminal)
	}
	if _, ok := text.CanAsk(c.InOrStdin(), c.OutOrStdout()); !ok {
		return fmt.Errorf("%w on standard input; ls, find and restore need none", browse.ErrTerminal)
	}
	b.open.keys.ask = nil // the browser asks, once one wants to see the volume
	b.open.keys.warnSeen(c.ErrOrStderr())
	b.open.concluding(text.NewReporter(c.ErrOrStderr()))
	defer func() {
		for _, s := range b.sets {
			err = errors.Join(err, s.Close())
		}
	}()
	s, err := b.set(c.Context())
	if err != nil {
		return err
	}
	b.open.progress = func(string, int64, int64) {} // the screen is the browser's
	return browse.Run(c.Context(), browse.Config{Set: s, Out: b.open.out(c.OutOrStdout()), Details: b.details, Restore: b.restore,
		Unlock: func(ctx context.Context, v *points.Volume, secret string) (*points.Set, error) {
			if err := b.addKey(ctx, v, secret); err != nil {
				return nil, err
			}
			return b.set(c.Context()) // it lasts longer than the question
		}})
}

// set opens the images.
func (b *browser) set(ctx context.Context) (*points.Set, error) {
	s, err := b.open.open(ctx, slices.Clone(b.images))
	if err != nil {
		return nil, err
	}
	b.sets = append(b.sets, s)
	if len(s.Volumes) == 0 {
		return nil, fmt.Errorf("%s: %w%s", b.images[0], points.ErrNoNTFS, because(s))
	}
	return s, nil
}

// details is what stat and explain tell.
func (b *browser) details(ctx context.Context, p *selection.Place, w io.Writer) error {
	out := text.NewOut(w)
	out.Zone = b.open.clock.Zone
	tell := text.NewReporter(io.Discard) // stat has a row of what it could not read
	err := stat(out, tell, p, false)
	if n, stream, bad := p.Node(true); bad == nil && (stream != "" || n.HasData) {
		fmt.Fprintln(out)
		err = errors.Join(err, explain(ctx, out, p, false))
	}
	return errors.Join(err, out.Flush())
}

// restore is the command of that name, for what was chosen on the screen.
func (b *browser) restore(ctx context.Context, o browse.Order, w io.Writer) error {
	r := &restoreFlags{open: b.open, overwrite: o.Overwrite, receipt: o.Receipt, dryRun: o.DryRun, progress: "none"}
	r.opts.Partial = o.Partial
	if err := r.check(o.Dest); err != nil {
		return err
	}
	tell := text.NewReporter(w)
	s, err := selection.Targets(ctx, o.Set, o.Targets, selection.Hooks{Note: tell.Note})
	if err != nil {
		return err
	}
	locations := make([]string, len(o.Targets))
	for i, t := range o.Targets {
		locations[i] = t.Location()
	}
	c := &cobra.Command{}
	c.SetContext(ctx)
	c.SetOut(w)
	c.SetErr(w)
	return r.selected(c, s, tell, locations, o.Dest)
}

// addKey takes a secret that was typed, if it opens a volume.
func (b *browser) addKey(ctx context.Context, v *points.Volume, secret string) error {
	if v.Encryption == nil || v.Encryption.Volume == nil {
		return fmt.Errorf("%s: no key opens it", v.Name)
	}
	list, err := secretTyped(ctx, secret, v.Encryption.Volume)
	if err != nil {
		return err
	}
	for _, one := range list { // whether it fits is known without opening the images
		ring := bitlocker.NewKeyring()
		ring.Add(one)
		if _, err = v.Encryption.Volume.Unlock(ctx, ring); err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	b.open.keys.ring.Add(list...)
	return nil
}
