//go:build !linux && !darwin && !freebsd

package locate

import "errors"

// served is false: there are no mounts here.
func served(string) bool { return false }

func xattr(string, string) (string, error) { return "", errors.ErrUnsupported }
