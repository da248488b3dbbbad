// Package nbd serves the block images of a mount/tree, those below raw/, over the NBD protocol, for reading: programs that
// know disks, such as qemu, libguestfs and nbdcopy, then read a volume at any point in time without a copy of it.
//
// Sizes, numbers and the order of messages are those of the NBD project's document proto.md, fixed newstyle; all integers
// are big-endian.
//
//	server.go    connections: who is served, and how it ends
//	handshake.go options, up to the choice of an export
//	export.go    names and what they lead to
//	request.go   requests, and their answers
//	status.go    which ranges are holes
package nbd
