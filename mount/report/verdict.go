package report

import (
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Gap is a range of a verdict, whose content is not in the image.
type Gap struct {
	Offset int64        `json:"offset"`           // bytes, in the stream
	Length int64        `json:"length"`           // bytes
	Reason layer.Reason `json:"reason,omitempty"` // unprotected, carved, incomplete, not-acquired or missing
	Error  string       `json:"error,omitempty"`  // what is damaged
}

// GapsOf gives the ranges of a verdict.
func GapsOf(v points.Verdict) (list []Gap) {
	for _, r := range v.Ranges {
		list = append(list, Gap{Offset: r.Off, Length: r.Len, Reason: r.Why, Error: lineOf(r.Err)})
	}
	return list
}
