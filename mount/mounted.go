package mount

import "time"

// Mounted is a mount of this program, as Mounts finds it.
type Mounted struct {
	Dir    string    // the mount point
	Images []string  // absolute; where the mount did not answer, the source that the system knows
	UID    int       // of who mounted it, or -1 where the system does not tell
	Pid    int       // of its server, 0 where the mount did not answer
	Since  time.Time // UTC, to the second; zero where the mount did not answer
	Err    error     // why the mount did not answer
}
