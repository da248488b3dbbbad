package mount

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Owner is whom stat says the files belong to. The zero value is the user who mounts.
type Owner struct {
	Fixed    bool // it is UID and GID
	UID, GID uint32
}

// ParseOwner reads "caller", "root" or "UID:GID".
func ParseOwner(text string) (Owner, error) {
	switch text {
	case "caller":
		return Owner{}, nil
	case "root":
		return Owner{Fixed: true}, nil
	}
	u, g, _ := strings.Cut(text, ":")
	uid, err := strconv.ParseUint(u, 10, 32)
	gid, err2 := strconv.ParseUint(g, 10, 32)
	if err != nil || err2 != nil || uid == math.MaxUint32 || gid == math.MaxUint32 { // the last one is none at all
		return Owner{}, fmt.Errorf("owner %q, want caller, root or UID:GID", text)
	}
	return Owner{Fixed: true, UID: uint32(uid), GID: uint32(gid)}, nil
}

// String gives what ParseOwner reads.
func (o Owner) String() string {
	if !o.Fixed {
		return "caller"
	}
	return fmt.Sprintf("%d:%d", o.UID, o.GID)
}
