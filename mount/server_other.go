//go:build !linux && !darwin && !freebsd

package mount

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

var errStale = errors.New("stale mount") // never met here

func isMountPoint(_, _ os.FileInfo) bool { return false }

type nfsCall struct{}

// Server is a running mount; this system has none.
type Server struct{}

// Mount answers ErrRefused: there is no FUSE here.
func Mount(dir string, _ *points.Set, _ Options) (*Server, error) { return nil, noFUSE(dir) }

// Unmount answers ErrRefused.
func Unmount(dir string, _ bool) error { return noFUSE(dir) }

// Mounts lists nothing: there can be none here.
func Mounts() ([]Mounted, error) { return nil, nil }

// Wait returns at once.
func (m *Server) Wait() error { return nil }

// Unmount does nothing.
func (m *Server) Unmount() error { return nil }

// Detach does nothing.
func (m *Server) Detach() error { return nil }

func noFUSE(dir string) error {
	return fmt.Errorf("%w: %s: mounting on %s is %w; \"snapmount serve\" shows the same in a browser, \"snapmount map\" as a drive, and all other commands work here", ErrRefused, dir, runtime.GOOS, layer.ErrUnsupported)
}
