package cmd

import (
	"fmt"
	"io"

	"snapmount/imagefmt/layer"
	"snapmount/mount"
)

func startDaemon(_, _ io.Writer, _ layer.Progress) error {
	return fmt.Errorf("%w: there is no FUSE on Windows", mount.ErrRefused)
}

func (m *mountFlags) serveChild(_ []string) error { return startDaemon(nil, nil, nil) }
