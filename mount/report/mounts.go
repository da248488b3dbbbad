package report

import "time"

// Mount is a line of "mounts --json". No field but Mountpoint and Images is known of a mount that does not answer, which
// Error says the reason of.
type Mount struct {
	Schema     int        `json:"schema"`          // the version of this JSON
	Mountpoint string     `json:"mountpoint"`      // absolute path
	Images     []string   `json:"images"`          // absolute paths
	UID        *int       `json:"uid"`             // of who mounted it
	Pid        *int       `json:"pid"`             // of the process that serves it
	Since      *time.Time `json:"since"`           // when it was mounted
	Error      string     `json:"error,omitempty"` // why the mount does not answer
}
