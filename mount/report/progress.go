package report

import (
	"time"

	"snapmount/ntfs/restore"
)

// Progress is one line of "restore --progress json".
type Progress struct {
	Schema      int      `json:"schema"`           // the version of this JSON
	Files       int64    `json:"files"`            // done, directories and links among them
	Bytes       int64    `json:"bytes"`            // read
	TotalFiles  *int64   `json:"total_files"`      // null until they are counted
	TotalBytes  *int64   `json:"total_bytes"`      // null until they are counted
	Seconds     float64  `json:"seconds"`          // since it began
	Rate        float64  `json:"bytes_per_second"` // bytes a second, so far
	SecondsLeft *float64 `json:"seconds_left"`     // as far as can be told
	Done        bool     `json:"done"`             // the last line
}

// ProgressOf is how far a restore is after some time. plan is nil until it is made. What is left is told by bytes or
// files, whichever is behind.
func ProgressOf(files, bytes int64, took time.Duration, plan *restore.Plan) Progress {
	s := Progress{Schema: Schema, Files: files, Bytes: bytes, Seconds: took.Seconds()}
	s.Rate = float64(bytes) / max(s.Seconds, 1e-3)
	if plan == nil {
		return s
	}
	totalFiles := plan.Files + plan.Dirs + plan.Links + plan.Failed
	totalBytes := max(plan.Bytes, bytes) // a zip has some twice
	s.TotalFiles, s.TotalBytes = &totalFiles, &totalBytes
	part := 1.0
	if totalFiles > 0 {
		part = min(part, float64(files)/float64(totalFiles))
	}
	if totalBytes > 0 {
		part = min(part, float64(bytes)/float64(totalBytes))
	}
	if part > 0 {
		left := s.Seconds * (1 - part) / part
		s.SecondsLeft = &left
	}
	return s
}
