package report

// Progress is one line of "restore --progress json".
type Progress struct {
	Schema      int      `json:"schema"`
	Files       int64    `json:"files"` // done, directories and links among them
	Bytes       int64    `json:"bytes"` // read
	TotalFiles  *int64   `json:"total_files"`
	TotalBytes  *int64   `json:"total_bytes"` // null until they are counted
	Seconds     float64  `json:"seconds"`
	Rate        float64  `json:"bytes_per_second"`
	SecondsLeft *float64 `json:"seconds_left"`
	Done        bool     `json:"done"` // the last line
}
