package nfs

import "errors"

// A procedure decodes the arguments of a call, and appends its result.
type procedure struct {
	name   string
	do     func(*request) error
	status bool   // the result begins with a status, which is 0 unless do fails
	omits  int    // attributes that may be left out of a result that is a failure: a zero each
	heavy  bool   // the result may be as long as maxRead
	early  bool   // of the top it is answered before a Mount stands
	space  bool   // it tells of the volume, which anybody may know
	needs  uint32 // permissions that it takes, as the lowest bits of a mode
}

// Permissions, as a mode has them for others.
const (
	toRead  = 4
	toEnter = 1
)

var programs map[uint32][]procedure

func init() { // which the table of procedures needs to be used by one
	programs = map[uint32][]procedure{programNFS: nfsProcedures, programMount: mountProcedures}
}

// nfsProcedures are those of RFC 1813 section 3.3, by number.
var nfsProcedures = []procedure{
	{name: "NULL", do: null},
	{name: "GETATTR", do: getAttr, status: true, early: true},
	{name: "SETATTR", do: refuse, status: true, omits: 2},
	{name: "LOOKUP", do: lookup, status: true, omits: 1, needs: toEnter},
	{name: "ACCESS", do: access, status: true, omits: 1, early: true},
	{name: "READLINK", do: readLink, status: true, omits: 1},
	{name: "READ", do: read, status: true, omits: 1, heavy: true, needs: toRead},
	{name: "WRITE", do: refuse, status: true, omits: 2},
	{name: "CREATE", do: refuse, status: true, omits: 2},
	{name: "MKDIR", do: refuse, status: true, omits: 2},
	{name: "SYMLINK", do: refuse, status: true, omits: 2},
	{name: "MKNOD", do: refuse, status: true, omits: 2},
	{name: "REMOVE", do: refuse, status: true, omits: 2},
	{name: "RMDIR", do: refuse, status: true, omits: 2},
	{name: "RENAME", do: refuse, status: true, omits: 4},
	{name: "LINK", do: refuse, status: true, omits: 3},
	{name: "READDIR", do: readDir, status: true, omits: 1, heavy: true, needs: toRead},
	{name: "READDIRPLUS", do: readDirPlus, status: true, omits: 1, heavy: true, needs: toRead | toEnter},
	{name: "FSSTAT", do: fsStat, status: true, omits: 1, early: true, space: true},
	{name: "FSINFO", do: fsInfo, status: true, omits: 1, early: true, space: true},
	{name: "PATHCONF", do: pathConf, status: true, omits: 1, early: true, space: true},
	{name: "COMMIT", do: commit, status: true, omits: 2},
}

// errReadOnly answers every procedure that would change something.
var errReadOnly = errors.New("read-only")

func null(*request) error { return nil }

// refuse takes the handle that comes first in the arguments of all procedures that write.
func refuse(r *request) error {
	if _, err := r.node(); err != nil {
		return err
	}
	return errReadOnly
}

// commit has nothing to write: the attributes before and after are left out, and the verifier is any that stays.
func commit(r *request) error {
	if _, err := r.node(); err != nil {
		return err
	}
	r.out.u64(0)
	r.out.b = append(r.out.b, r.server.tag[:]...)
	return nil
}
