package imagefmt_test

import (
	"fmt"

	"snapmount/imagefmt"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/partition"
)

// The disk in an image, whatever its format, is a layer.Mapper.
func ExampleOpen() {
	disk, err := imagefmt.Open("../testdata/demo.qcow2", imagefmt.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer disk.Close()
	fmt.Println(disk.Format(), disk.Size())
	table, err := partition.List(disk)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range table.Partitions {
		boot := make([]byte, 8)
		err := layer.ReadFull(disk, boot, p.Off)
		fmt.Printf("%s at 0x%x %q %v\n", table.Scheme, p.Off, boot[3:7], err)
	}
	// Output:
	// qcow2 60817408
	// gpt at 0x100000 "NTFS" <nil>
	// gpt at 0x2100000 "NTFS" <nil>
}
