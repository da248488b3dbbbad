// Package points joins the layers: images, their volumes, each volume's points in time, and the files of each point,
// named and found as users see them: LOCATIONs, lookup by path, links, verdicts. Every command and the tree work on a Set.
//
// # Map
//
//	set.go         Open: images, partitions, volumes, warnings; what ends with the context
//	encryption.go  volumes of BitLocker, unlocked with the keys that were given
//	volume.go      Volume and Point; their VSS, opened with what is given beside it: storefiles.go (files copied out of
//	               System Volume Information, or still listed there), unchanged.go (clusters that a journal shows untouched)
//	location.go    IMAGE[@layer:NAME][:VOLUME][@POINT][:PATH] taken apart and resolved; resolveall.go where it may mean
//	               several; nested.go where the path leads into another image
//	pointname.go   names of points: current, latest, vssN, ids, times; matching.go for lists of them
//	copysets.go    points that were taken together
//	lookup.go      a path of a point, streams and file::stream, #RECORD; link.go where links lead; same.go the same
//	               directory at another point
//	names.go       names of NTFS as those of files here
//	gone.go        what the current state lacks; lost.go what no directory leads to
//	image.go       the block image of a point
//	verdict.go     whether all of a stream can be told, and if not, which ranges and why
//	explain.go     where each range of a stream lies, all the way down, and why there
//
// # Facts
//
// A Set is immutable after Open and safe for concurrent use. Opening reads partition tables, boot sectors and VSS
// catalogs; block lists and file systems are read when a point is first entered, and end with the context of Open. Offsets
// and sizes are bytes, of the volume or the disk as the comment says; times are UTC. Paths have slashes, and names are
// WTF-8. Errors are those of package layer, fs.ErrNotExist, ErrNoPoint, and a DamagedError where the damage of a snapshot
// may be why.
//
// What drive letters and the texts of links mean is from [MS-FSCC] and the documentation of Windows' naming of files; how
// far the files around VSS may be trusted is said in package diffstore.
package points
