package ntfs

import "fmt"

// TagName gives the name of a reparse tag in winnt.h and [MS-FSCC] 2.1.2.1, "" for one that is not known.
func TagName(tag uint32) string {
	name := tagNames[tag]
	if n := tag >> 12 & 0xf; n != 0 && tag&tagCloudMask == tagCloud {
		name = fmt.Sprintf("CLOUD_%X", n)
	}
	if name == "" {
		return ""
	}
	return "IO_REPARSE_TAG_" + name
}

var tagNames = map[uint32]string{
	TagMountPoint: "MOUNT_POINT", tagHSM: "HSM", 0x80000005: "DRIVE_EXTENDER", tagHSM2: "HSM2", 0x80000007: "SIS",
	0x80000008: "WIM", 0x80000009: "CSV", tagDFS: "DFS", 0x8000000b: "FILTER_MANAGER", TagSymlink: "SYMLINK",
	0xa0000010: "IIS_CACHE", tagDFSR: "DFSR", TagDedup: "DEDUP", tagNFS: "NFS", 0xc0000014: "APPXSTRM",
	0x80000015: "FILE_PLACEHOLDER", 0x80000016: "DFM", TagWOF: "WOF", 0x80000018: "WCI", 0x90001018: "WCI_1",
	0xa0000019: "GLOBAL_REPARSE", tagCloud: "CLOUD", tagAppExecLink: "APPEXECLINK", 0x9000001c: "PROJFS",
	TagLXSymlink: "LX_SYMLINK", 0x8000001e: "STORAGE_SYNC", 0xa000001f: "WCI_TOMBSTONE", 0x80000020: "UNHANDLED",
	tagOneDrive: "ONEDRIVE", 0xa0000022: "PROJFS_TOMBSTONE", tagUnixSocket: "AF_UNIX", tagLXFifo: "LX_FIFO",
	tagLXChar: "LX_CHR", tagLXBlock: "LX_BLK", 0x90000027: "STORAGE_SYNC_FOLDER", 0xa0000027: "WCI_LINK",
	0xa0001027: "WCI_LINK_1",
}
