//go:build !windows

package process

import (
	"fmt"

	"snapmount/imagefmt/layer"
)

// DriveBlocks says what has to change on Windows before a drive can be mapped.
func DriveBlocks() []string { return nil }

// DriveLimit is how large a file may be that a drive gives, in bytes.
func DriveLimit() int64 { return usualLimit }

// MapDrive is of Windows alone.
func MapDrive(_, _, _, _, _ string) (string, error) {
	return "", fmt.Errorf("drives with letters are %w here", layer.ErrUnsupported)
}

// UnmapDrive is of Windows alone.
func UnmapDrive(string) error { return layer.ErrUnsupported }
