package restore

import (
	"os"
	"strings"
)

// removeOwnParts removes parts in the directory of the target itself, and in that of streams.
func removeOwnParts(root *os.Root) {
	removeParts(root)
	if d, err := openDir(root, StreamsName); err == nil {
		defer d.Close()
		removeParts(d)
	}
}

// removeParts removes what an earlier run left unfinished in a directory.
func removeParts(root *os.Root) {
	d, err := root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(1000)
		for _, name := range names {
			if strings.HasPrefix(name, partStart) && strings.HasSuffix(name, partEnd) {
				root.RemoveAll(name) // what stays is seen by the user only
			}
		}
		if err != nil {
			return
		}
	}
}
