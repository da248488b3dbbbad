package mount

import (
	"os"
	"strconv"
	"strings"
)

// ourKind is the type that the system's table gives a mount of this program.
const ourKind = "fuse.snapmount"

func mayBeOurs(kind string) bool { return kind == ourKind }

// mountTable reads the mounts that this process sees, in the order in which they were made.
func mountTable() ([]entry, error) {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	return entries(string(table)), nil
}

// entries are the lines of a table as proc(5) has it. One blank parts two fields; any other white space is of a name, and
// a source may be empty.
func entries(table string) (all []entry) {
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(f) < 4 {
			continue
		}
		e := entry{dir: unescapeMount.Replace(f[1]), kind: f[2], source: unescapeMount.Replace(f[0]), uid: -1}
		if e.byNFS() {
			e.uid = 0 // nobody else may
		}
		for option := range strings.SplitSeq(f[3], ",") {
			if id, ok := strings.CutPrefix(option, "user_id="); ok {
				if n, err := strconv.Atoi(id); err == nil {
					e.uid = n
				}
			}
		}
		all = append(all, e)
	}
	return all
}

// unescapeMount undoes what the kernel escapes in its table of mounts.
var unescapeMount = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")
