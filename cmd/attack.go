package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
)

// An attackCommand is the command "attack".
type attackCommand struct {
	json, quick bool

	out      *text.Out
	tell     *text.Reporter
	progress layer.Progress
	again    []string
	lost     []string
}

const attackLong = `attack looks for what ransomware leaves, over all points in time of a volume: many files of a folder that got the same
new extension between two neighbouring points, that were rewritten in place, or that are gone; small texts that are new in many folders;
and when it began and ended, by the change journal and the times of file records. It tells what happened, how many files by folder, and how to
get them back.

A user who renames photos, an update, an archive that is unpacked and logs that rotate change many files too. So the content of
every file that changed is read, and held against what it was: checksums and structure, signatures, text that is none any more, places that became
random. Only where most of what changed together is spoiled is it called an attack; all else is told as what it is.

Who encrypts files of their own leaves the same traces. What an attack did before the oldest point does not show, and a file that is
the same at all points is not read.`

func newAttack(o *openFlags) *cobra.Command {
	a := &attackCommand{}
	c := &cobra.Command{
		Use:   "attack IMAGE[:VOLUME]",
		Short: "Tell whether files were encrypted or destroyed, when, and which",
		Long:  attackLong,
		Example: "  snapmount attack disk.vhdx\n" +
			"  snapmount attack --json disk.vhdx:p2\n" +
			"  snapmount restore --last-good disk.vhdx:p2 DEST",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			a.out, a.tell, a.progress = o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr()), o.progress
			a.tell.Capped = true
			o.concluding(a.tell)
			a.again = o.again()
			return a.tell.Done(a.out, a.run(c.Context(), o, args[0]))
		},
	}
	f := c.Flags()
	f.BoolVar(&a.quick, "quick", false, "look at file records alone and read no content: what changed, and not whether it is spoiled")
	f.BoolVar(&a.json, "json", false, "one JSON document, with each file that is damaged")
	inGroup(f, groupWhich, "quick")
	inGroup(f, groupOutput, "json")
	return c
}

func (a *attackCommand) run(ctx context.Context, o *openFlags, location string) error {
	s, err := o.opener().Scopes(ctx, []string{location})
	if err != nil {
		return err
	}
	defer s.Close()
	for _, sc := range s.List {
		if sc.Below != "" || len(sc.Points) == 1 && sc.Points[0].Snapshot != nil {
			return usagef("%s: attack looks at all of a volume, at all points: want IMAGE or IMAGE:VOLUME", location)
		}
	}
	a.tell.Searched(s.Lost, s.Others)
	for _, err := range s.Lost {
		a.lost = append(a.lost, report.OneLine(err))
	}
	doc := report.Attack{Schema: report.Schema, Volumes: []report.AttackVolume{}, Lost: a.lost}
	var none error
	for _, sc := range s.List {
		v, err := a.volume(ctx, sc)
		switch {
		case errors.Is(err, points.ErrNoPoint) && len(s.List) > 1:
			a.tell.Note(report.OneLine(err))
			none = err
			continue
		case err != nil:
			return err
		}
		one := report.AttackOf(v.Volume, v.Points, v.Closed, !a.quick, v.Survey)
		if doc.Volumes = append(doc.Volumes, one); !a.json {
			(&attackText{out: a.out, again: a.again, first: len(doc.Volumes) == 1, noSign: v.NoSign()}).print(one)
		}
		doc.Attack = doc.Attack || v.Attacked()
	}
	if len(doc.Volumes) == 0 && none != nil {
		return none
	}
	if doc.Lost, doc.Complete = append([]string{}, a.lost...), len(a.lost) == 0; a.json {
		a.out.Document(doc)
	}
	return nil
}

// volume looks at one volume.
func (a *attackCommand) volume(ctx context.Context, sc *selection.Scope) (*selection.Surveyed, error) {
	defer a.progress("", 0, 0)
	v, err := sc.Survey(ctx, a.quick, a.progress.Of(sc.Volume.Name), func(err error) {
		a.tell.Fail("", err)
		a.lost = append(a.lost, report.OneLine(fmt.Errorf("%s: %w", sc.Volume.Image.Path, err)))
	})
	if err != nil {
		return nil, err
	}
	for i := range v.Files {
		if f := &v.Files[i]; f.Outcome.String() == "unread" {
			err := fmt.Errorf("%s: %s: cannot be judged: %s", sc.Volume.Name, f.Path, f.Verdict.Why)
			a.tell.Fail("", err)
			a.lost = append(a.lost, report.OneLine(err))
		}
	}
	return v, nil
}
