package tree_test

import (
	"context"
	"fmt"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// A front end finds nodes by path or by number, lists directories, and reads.
func Example() {
	set, err := points.Open(context.Background(), []string{demo}, points.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer set.Close()
	files, err := tree.New(set, tree.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := files.Walk("/p1-Documents/vss1/Letters", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range dir.Entries() {
		fmt.Println(e.Name, err)
	}
	file, err := dir.Child("thanks.txt")
	if err != nil {
		fmt.Println(err)
		return
	}
	src, err := file.Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	text := make([]byte, src.Size())
	err = layer.ReadFull(src, text, 0)
	fmt.Printf("%q %v\n", text, err)
	again, err := files.Node(file.ID)
	fmt.Println(again.Kind == tree.KindFile, err)
	// Output:
	// offer.txt <nil>
	// thanks.txt <nil>
	// "Thank you for the crates.\n" <nil>
	// true <nil>
}
