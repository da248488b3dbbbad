// Package restore writes files and directories of NTFS volumes below a directory of this machine, with all metadata
// that the target can hold; what it cannot goes to a sidecar, from which it can be applied later. It is the only package
// that opens anything for writing.
//
// Nothing is trusted: everything goes through an os.Root, so that no name and no link leads out of the target. A file
// gets its name when it is complete. What cannot be had is an error of its own file and ends nothing else.
package restore
