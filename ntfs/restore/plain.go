//go:build !linux

package restore

import "os"

// plain is what a target can do that knows nothing of NTFS.
type plain struct{}

func (plain) settles() bool { return false }

func (plain) settle(*os.File, *Meta) []string { return nil }

func (plain) makeLink(*os.Root, string, *Meta) (*os.File, error) { return nil, nil }

func (plain) hasLink(*os.Root, string, *Meta) bool { return false }

func (plain) dress(*os.Root, string, *Meta) ([]string, error) { return nil, errLink() }
