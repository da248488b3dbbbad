package cmd

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/when"
)

// aroundNear is how many points are listed on each side of the one that is nearest to what was asked for.
const aroundNear = 7

// printThere lists the points that there are, below an error that says that one is not: number, time and age of each, the
// nearest to what was asked for marked.
func printThere(w io.Writer, c when.Clock, err error) {
	var none *points.NoPointError
	var name *when.Error
	if !errors.As(err, &none) || errors.As(err, &name) && name.Form || len(none.Volume.Snapshots()) == 0 {
		return
	}
	all := none.Volume.Snapshots()
	at := len(all) - 1
	if none.Near != nil {
		at = slices.Index(all, none.Near)
	}
	from := max(0, min(at-aroundNear, len(all)-2*aroundNear-1))
	to := min(len(all), from+2*aroundNear+1)
	fmt.Fprintf(w, "points of %s, in time of %s:\n", text.Printable(none.Volume.Name), c.ZoneName())
	if from > 0 {
		printPoint(w, c, all[0], none.Near)
		if from > 1 {
			fmt.Fprintf(w, "  ... %d more\n", from-1)
		}
	}
	for _, p := range all[from:to] {
		printPoint(w, c, p, none.Near)
	}
	if to < len(all) {
		if to < len(all)-1 {
			fmt.Fprintf(w, "  ... %d more\n", len(all)-1-to)
		}
		printPoint(w, c, all[len(all)-1], none.Near)
	}
	fmt.Fprintln(w, "  current  as imaged")
}

func printPoint(w io.Writer, c when.Clock, p, near *points.Point) {
	mark, created, age := " ", "time unknown", ""
	if t := p.Created(); !t.IsZero() {
		created, age = c.Show(t), c.Since(t)
	}
	if p == near {
		mark = ">"
	}
	fmt.Fprintf(w, "%s vss%-4d  %-26s  %s\n", mark, p.Snapshot.Index, created, age)
}
