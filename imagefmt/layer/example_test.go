package layer_test

import (
	"bytes"
	"fmt"

	"snapmount/imagefmt/layer"
)

// reversed is a layer whose two halves lie in the layer below in the other order.
type reversed struct{ below layer.Source }

func (r reversed) Size() int64 { return r.below.Size() }

func (r reversed) At(off, n int64) (layer.Extent, error) {
	half := r.Size() / 2
	if off < half {
		return layer.Extent{Off: off, Len: min(n, half-off), Base: r.below, BaseOff: off + half}, nil
	}
	return layer.Extent{Off: off, Len: n, Base: r.below, BaseOff: off - half}, nil
}

func (r reversed) ReadAt(p []byte, off int64) (int, error) { return layer.Read(r, p, off, layer.Fail) }

// A layer answers one question, At; reading and resolving follow from it.
func Example() {
	disk := reversed{bytes.NewReader([]byte("worldhello"))}
	p := make([]byte, 10)
	n, err := disk.ReadAt(p, 0)
	fmt.Printf("%d %v %s\n", n, err, p)
	part, _ := layer.Section(disk, 3, 4)
	for e, err := range layer.Resolve(part, 0, part.Size()) {
		fmt.Println(e.Off, e.Len, e.Kind, "at", e.BaseOff, err)
	}
	// Output:
	// 10 <nil> helloworld
	// 0 2 data at 8 <nil>
	// 2 2 data at 0 <nil>
}
