package points

import (
	"strings"

	"snapmount/diffstore"
)

// Deleted says in a line what tells that the volume had snapshots which were deleted, "" where nothing does that is known
// without a search: its VSS header, whose catalog is gone, or names of store files that System Volume Information had. With
// Options.Carve they were looked for already.
func (v *Volume) Deleted() string {
	if v.set.opts.Carve != CarveOff || v.Filesystem != "ntfs" || v.Locked() != nil {
		return ""
	}
	if n := v.removedStores(); n > 0 {
		return "store files of deleted snapshots were listed here: --carve looks for them, --carve=scan everywhere"
	}
	if v.header != nil && v.header.Catalog == 0 && len(v.Snapshots()) == 0 {
		return "shadow copies were on, and none is left: --carve looks for deleted ones, --carve=scan everywhere"
	}
	return ""
}

// removedStores counts the names of store files that were taken out of their directory.
func (v *Volume) removedStores() (n int) {
	t, err := v.Current().Files()
	if err != nil {
		return 0
	}
	dir, err := t.Lookup(systemFolder)
	if err != nil {
		return 0
	}
	slack, _ := dir.Slack() // with an error, what could be read is there too
	for _, e := range slack {
		if !e.Live && strings.HasSuffix(strings.ToLower(e.Name), vssSuffix) && !diffstore.StoreOf(e.Name).IsZero() {
			n++
		}
	}
	return n
}
