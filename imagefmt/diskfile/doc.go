// Package diskfile writes disks as files that other programs open: raw, fixed VHD and qcow2; a qcow2 may stand on the image
// that the disk comes from, and then has only what differs.
//
//	diskfile.go  Write: formats, options, and what was written
//	clusters.go  which parts of a disk have to be written
//	reader.go    reading them, with what is not known
//	qcow2.go     header, tables and data of a qcow2
//	vhd.go       the footer of a fixed VHD
package diskfile
