package cmd

import (
	"testing"

	"snapmount/mount/tree/treetest"
)

func TestExitCodeTable(t *testing.T) {
	treetest.Answers(t, exitCode, map[string]int{
		"none": 0, "stale": 4, "no xattr": 1, "not there": 1, "no point": 6, "damaged": 4, "unknown": 4, "both": 4, "unsupported": 5,
		"no directory": 1, "a directory": 1, "no link": 1, "too many links": 1, "too big": 1, "cancelled": 1, "the disk went": 1, "the image went": 1,
		"what nobody knew": 1,
	})
}
