package points_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"snapmount/diffstore/carve"
	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
)

// mutations harm a metadata block, given another one; most leave the beginning of the block alone.
var mutations = []func(r *rand.Rand, block, other []byte){
	func(_ *rand.Rand, block, _ []byte) { clear(block) },
	func(r *rand.Rand, block, _ []byte) { clear(block[512*(1+r.IntN(31)):]) },
	func(r *rand.Rand, block, _ []byte) { clear(block[4096*r.IntN(4):][:4096]) },
	func(_ *rand.Rand, block, other []byte) { copy(block[0x28:0x30], other[0x20:0x28]) }, // it leads there
	func(_ *rand.Rand, block, other []byte) { copy(block[0x28:], other[0x28:]) },
	func(_ *rand.Rand, block, other []byte) { copy(block, other) },
	func(_ *rand.Rand, block, _ []byte) { clear(block[0x28:0x30]) },
}

// TestCarvedMutated harms the stores of real file systems at random, from fixed seeds: nothing of what comes back is wrong.
func TestCarvedMutated(t *testing.T) {
	testenv.NotUnderRace(t)
	for _, c := range carveCases {
		dir := t.TempDir()
		for _, name := range []string{c.name + ".tar.gz", c.name + ".truth.tar.gz"} {
			testenv.Run(t, "tar", "-xSzf", testenv.Shared(t, "data", "carve", name), "-C", dir)
		}
		truth := readTruth(t, filepath.Join(dir, c.name, "truth.json"))
		whole, err := os.ReadFile(filepath.Join(dir, c.name, c.name+".raw"))
		if err != nil {
			t.Fatal(err)
		}
		var heads []int
		for off := 0; off+vsstest.BlockSize <= len(whole); off += 512 {
			if kind := whole[off+0x14]; bytes.HasPrefix(whole[off:], vsstest.Identifier[:]) && kind >= vsstest.TypeList && kind <= vsstest.TypeBitmap {
				heads = append(heads, off)
			}
		}
		for _, seed := range []uint64{4, 104} {
			t.Run(c.name+"-"+strconv.FormatUint(seed, 10), func(t *testing.T) {
				r, b := rand.New(rand.NewPCG(seed, 7)), bytes.Clone(whole)
				for range 1 + r.IntN(4) {
					at, from := heads[r.IntN(len(heads))], heads[r.IntN(len(heads))]
					mutations[r.IntN(len(mutations))](r, b[at:at+vsstest.BlockSize], bytes.Clone(b[from:from+vsstest.BlockSize]))
				}
				image := filepath.Join(t.TempDir(), "m.raw")
				if err := os.WriteFile(image, b, 0o600); err != nil {
					t.Fatal(err)
				}
				if sum := tallyCarved(t, image, truth, carve.Agreed, 0); sum.wrong > 0 {
					t.Errorf("%+v", sum)
				}
			})
		}
	}
}
