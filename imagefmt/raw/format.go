package raw

import (
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// Format takes every file, and shows it as it is.
var Format = format.Format{
	Name:  "raw",
	Match: func(_, _ string) bool { return true },
	Open:  func(src layer.Source, _ format.Env) (format.Disk, error) { return format.Disk{Source: src}, nil },
}
