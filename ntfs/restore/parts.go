package restore

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
)

// What a file is called until it is complete: the start, random letters of base 32, and the end.
const (
	partStart  = ".snapmount-"
	partRandom = 16 // letters
	partEnd    = ".part"
)

func partName() string { return newPart(partStart) }

// newPart makes a name for what is not complete.
func newPart(start string) string { return start + rand.Text()[:partRandom] + partEnd }

// isPart reports whether name is start, random letters of base 32 and the end of a part.
func isPart(name, start string) bool {
	rest, ok := strings.CutPrefix(name, start)
	random, ok2 := strings.CutSuffix(rest, partEnd)
	return ok && ok2 && len(random) == partRandom && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// removeOwnParts removes parts in the directory of the target itself, and in that of streams. The error is of what stays.
func removeOwnParts(root *os.Root) error {
	err := removeParts(root)
	if d, err2 := openDir(root, StreamsName); err2 == nil {
		defer d.Close()
		err = errors.Join(err, removeParts(d))
	}
	return err
}

// removeParts removes what an earlier run left unfinished in a directory. The error is of what stays.
func removeParts(root *os.Root) (err error) {
	eachName(root, func(name string) {
		if isPart(name, partStart) {
			err = errors.Join(err, leftover(name, root.RemoveAll(name)))
		}
	})
	return err
}

// eachName goes through the names in a directory, as far as they can be read.
func eachName(root *os.Root, each func(name string)) {
	d, err := root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	for err == nil {
		var names []string
		names, err = d.Readdirnames(1000)
		for _, name := range names {
			each(name)
		}
	}
}
