//go:build !race

package compressed

// Raced says that the race detector is on.
const Raced = false
