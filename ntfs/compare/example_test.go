package compare_test

import (
	"context"
	"fmt"

	"snapmount/mount/points"
	"snapmount/ntfs/compare"
)

// Two points of a volume are compared by where their bytes lie, and read only where that proves nothing.
func ExampleTrees() {
	ctx := context.Background()
	set, err := points.Open(ctx, []string{"../../testdata/demo.qcow2"}, points.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()
	old, err := set.Volumes[0].Points[1].Files()
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := set.Volumes[0].Points[2].Files()
	if err != nil {
		fmt.Println(err)
		return
	}
	changes, err := compare.Trees(ctx, old, now, compare.Options{Paths: []string{"Letters", "Projects"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for c, err := range changes {
		if c.Kind != compare.Metadata {
			fmt.Println(c.Kind, c.Path, c.OldSize, c.NewSize, err)
		}
	}
	// Output:
	// content Letters/offer.txt 52 67 <nil>
	// renamed Letters/thanks (sent).txt -1 -1 <nil>
	// content Projects/budget.csv 30 45 <nil>
}
