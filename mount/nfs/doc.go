// Package nfs serves a mount/tree over NFS version 3, for reading, together with the MOUNT protocol on the same port: the
// kernels of Linux, macOS and FreeBSD, VLC and Kodi then see it without FUSE.
//
// Numbers, records and the order of fields are those of RFC 5531 (RPC), RFC 4506 (XDR) and RFC 1813 (NFS and MOUNT); all
// integers are big-endian.
//
//	server.go    connections, requests of one at the same time
//	record.go    the records that TCP is cut into
//	xdr.go       integers and strings, each within limits
//	rpc.go       calls and replies, who calls
//	mountd.go    the MOUNT protocol
//	procedures.go what NFS procedures there are, and what each answers that fails
//	handle.go    file handles
//	attr.go      attributes, permissions, limits of the file system
//	names.go     names, links
//	read.go      bytes
//	readdir.go   listings
//	status.go    the one table from errors to what is answered
//
// Nothing is kept of a client. A handle is the identity of what is served and the number of a node, so it outlives the
// server, and leads to nothing where another image, or another view of it, is served. Cookies are places in the tree's own
// listings, which never change.
//
// NFS has no password: a client says who it is, and is believed. What the modes show holds for the users of a machine whose
// kernel has mounted it; a program that reaches the port reads everything.
//
// A file that is damaged gives what is before the damage, and an error from there on. A directory gives its healthy entries,
// and the error in place of its end; libnfs, of VLC and Kodi, then shows none of them. The log tells why, in both cases.
// Times before 1970 and after 2106 have no numbers in this protocol: the nearest that there is stands for them.
package nfs
