package points_test

import (
	"context"
	"fmt"

	"snapmount/mount/points"
)

// A Set has volumes, a volume has points, and a point the files as they were.
func Example() {
	set, err := points.Open(context.Background(), []string{"../../testdata/demo.qcow2"}, points.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()
	v := set.Volumes[0]
	fmt.Println(v.Name, v.Filesystem, len(v.Snapshots()))
	p, err := v.PointNamed("before:2026-03-03")
	if err != nil {
		fmt.Println(err)
		return
	}
	n, stream, err := p.Lookup("/letters/OFFER.txt", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name, n.Ref, n.Size, points.Judge(n, stream))
	// Output:
	// p1-Documents ntfs 3
	// 2026-03-02T180000Z 68-1 52 intact
}
