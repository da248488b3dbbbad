package points

import (
	"errors"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

// Verdict says in words whether all of a stream's content is in the image: "intact", or which ranges are not and why.
// It reads tables, no data.
func Verdict(n *ntfs.Node, stream string) string {
	m, err := n.Stream(stream)
	if err != nil {
		return oneLine(err)
	}
	const most = 20
	var lines []string
	if ntfs.IsCiphertext(m) {
		lines = append(lines, "encrypted (EFS): these bytes are ciphertext")
	}
	for e, err := range ntfs.Unkept(m) {
		if len(lines) >= most {
			lines = append(lines, "and more")
			break
		}
		what := "unknown"
		if !errors.Is(err, layer.ErrUnknown) {
			what = oneLine(err)
		}
		lines = append(lines, fmt.Sprintf("%d bytes at %d: %s", e.Len, e.Off, what))
	}
	if len(lines) == 0 {
		return "intact"
	}
	return strings.Join(lines, "; ")
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
