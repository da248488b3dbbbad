//go:build race

package ntfstest

// Race says that the race detector is on.
const Race = true
