package compare

import (
	"iter"
	"runtime"
	"slices"
	"sync"
)

// aheadItems is how many items are made ready at once: enough that processors seldom wait, few enough to forget.
const aheadItems = 1024

// ahead yields what open makes of each item, in order. open is called on all processors, for some items at a time and
// neighbours in turn, which mostly lie side by side on the volume.
func ahead[T any](items []T, open func(T) *pair) iter.Seq2[int, *pair] {
	return func(yield func(int, *pair) bool) {
		ready := make([]*pair, min(len(items), aheadItems))
		for done := 0; done < len(items); {
			some := items[done:min(done+aheadItems, len(items))]
			each := (len(some)-1)/runtime.GOMAXPROCS(0) + 1
			var wg sync.WaitGroup
			at := 0
			for share := range slices.Chunk(some, each) {
				out := ready[at:]
				at += len(share)
				wg.Go(func() {
					for i := range share {
						out[i] = open(share[i])
					}
				})
			}
			wg.Wait()
			for i := range some {
				if !yield(done+i, ready[i]) {
					return
				}
			}
			done += len(some)
		}
	}
}
