//go:build !race

package packed

// Raced says that the race detector is on.
const Raced = false
