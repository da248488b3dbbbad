// Package tree is what users see of a points.Set, whoever shows it: a FUSE mount, a web page, WebDAV, NFS. It knows none
// of these. A front end asks FS for nodes, by path or by number, and translates.
//
// # Map
//
//	fs.go         FS and its options; a node by its number
//	id.go         the numbers, and what they pack
//	identity.go   what they hold for
//	node.go       Node: what it is, its children, its path
//	stream.go     named streams, file:stream
//	snapshots.go  .snapshots in every directory of a point
//	listing.go    the entries of a directory, and those that are kept
//	attr.go       size, times, links; space of a volume
//	content.go    bytes of a file, text of a link, verdict
//	walk.go       a node by its path
//	xattr*.go     extended attributes: ntfs-3g's, snapmount's own, streams
//	errors.go     what a front end has to tell apart
//	layout.go     all that is above the points, named by view.go; readme.go is the text at the top
//	virtual.go    directories that several points make, and their list: versions.go, changes.go, deleted.go (pathtree.go)
//
// A new directory of several points is a file with its maker and a line in the list of virtual.go. A new front end passes
// package treetest.
//
// # Facts
//
// Sizes are in bytes, times in UTC with 100 ns. Names are WTF-8, as package points shows those of NTFS. Errors are those of
// io/fs, of package layer, of this package, of a context, and what the system says of an image file; none is a number.
//
// An FS, its nodes and its listings never change, and any number of goroutines may use them. Nothing is kept for a node:
// its number says what it is, also to a later program that opens the same images with the same options. Kept are the
// listings and contents used last, the differences of changes/ made last, what deleted/ found, and for each node below
// versions/, changes/ and deleted/ that was met what its number stands for.
//
// What the layout is, cmd/MANUAL.md tells; links and names are package points'. The attributes of ntfs-3g are
// from its manual, ntfs-3g(8), and its libntfs-3g/xattrs.c.
package tree
