package imagefmt

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"snapmount/imagefmt/device"
	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// What users can do with files that cannot be read.
const (
	unpackFirst   = "unpack it first"
	restoreWith   = "restore the disk or partition to a raw file, then open that: what it left out as free is unknown, though, and snapshots may need it"
	convertFirst  = "convert it first: qemu-img convert -O raw"
	holdsFiles    = "it holds files and no volume"
	mountInVendor = "mount it, or restore the disk to VHD or raw, with the program that made it"
)

// atEnds are formats whose mark at the end of the file counts before any at its start, where the first block of a disk is,
// or packed data.
func atEnds() []format.Format {
	return []format.Format{
		{Name: "Macrium Reflect X backup", First: true, Advice: "mount it in Reflect, or convert it to VHD there",
			Match: func(_, tail string) bool { return strings.HasSuffix(tail, "MACRIUM_FILE") }},
		{Name: "Apple disk image (DMG)", First: true, Match: format.Ends("koly"), Advice: "convert it first: hdiutil convert -format UDTO, or dmg2img"},
	}
}

// refused are formats that are known by their mark and cannot be read.
func refused() []format.Format {
	return []format.Format{
		{Name: "EWF logical evidence (L01)", Match: format.Begins("LVF\x09\x0d\x0a\xff\x00", "LEF2\x0d\x0a\x81\x00"), Advice: holdsFiles},
		{Name: "AccessData logical evidence (AD1)", Match: format.Begins("ADSEGMENTEDFILE"), Advice: holdsFiles},
		{Name: "AD-encrypted image", Match: format.Begins("ADCRYPT\x00"), Advice: "decrypt it first, with FTK Imager"},
		{Name: "AFF4", Match: isAFF4, Advice: "export it to raw or E01, with pyaff4 or the program that made it"},
		{Name: "AFF4 or another zip archive", Match: format.Begins("PK\x03\x04", "PK\x05\x06", "PK\x07\x08PK"), Advice: unpackFirst},
		{Name: "AFF", Match: format.Begins("AFF10\x0d\x0a\x00"), Advice: "convert it first: affconvert -r"},
		{Name: "ntfsclone image", Match: format.Begins("\x00ntfsclone-image"), Advice: "ntfsclone --restore-image: " + restoreWith},
		{Name: "partclone image", Match: format.Begins("partclone-image"), Advice: "partclone.restore -W: " + restoreWith},
		{Name: "Partimage image", Match: format.Begins("PaRtImAgE-VoLuMe"), Advice: restoreWith},
		{Name: "FSArchiver archive", Match: format.Begins("FsArCh_"), Advice: holdsFiles},
		{Name: "Proxmox VMA backup", Match: format.Begins("VMA\x00\x00\x00\x00\x01"), Advice: "extract the disks first: vma extract"},
		{Name: "Veeam backup (VBK)", Match: isVeeam, Advice: "extract the disk first, with Veeam's free Extract utility"},
		{Name: "Acronis backup (TIB)", Match: format.Begins("\xce\x24\xb9\xa2\x20\x00\x00\x00", "\xb4\x6e\x68\x44"), Advice: mountInVendor},
		{Name: "Ghost image", Match: format.Begins("\xfe\xef\x01"), Advice: mountInVendor},
		{Name: "Parallels", Match: format.Begins("WithoutFreeSpace", "WithouFreSpacExt"), Advice: convertFirst},
		{Name: "QED", Match: format.Begins("QED\x00"), Advice: convertFirst},
		{Name: "Bochs image", Match: format.Begins("Bochs Virtual HD Image"), Advice: convertFirst},
		{Name: "cloop", Match: isCloop, Advice: convertFirst},
		{Name: "Apple sparse or encrypted image", Match: format.Begins("sprs", "encrcdsa"), Advice: "convert it first: hdiutil convert -format UDTO"},
		{Name: "WIM", Match: format.Begins("MSWIM\x00\x00\x00", "WLPWM\x00\x00\x00"), Advice: holdsFiles},
		{Name: "gzip, to be unpacked first", Match: format.Begins("\x1f\x8b\x08")},
		{Name: "zstd, to be unpacked first", Match: format.Begins("\x28\xb5\x2f\xfd")},
		{Name: "xz, to be unpacked first", Match: format.Begins("\xfd7zXZ\x00")},
		{Name: "7z, to be unpacked first", Match: format.Begins("7z\xbc\xaf\x27\x1c")},
		{Name: "RAR, to be unpacked first", Match: format.Begins("Rar!\x1a\x07")},
		{Name: "bzip2, to be unpacked first", Match: format.At(4, "1AY&SY")},
		{Name: "lzop, to be unpacked first", Match: format.Begins("\x89LZO\x00\x0d\x0a\x1a\x0a")},
		{Name: "lz4, to be unpacked first", Match: format.Begins("\x04\x22\x4d\x18")},
		{Name: "lzip, to be unpacked first", Match: format.Begins("LZIP\x01")},
		{Name: "tar archive", Match: format.At(257, "ustar"), Advice: unpackFirst},
	}
}

// isAFF4 knows the first member of the archive or, where others come first, its comment.
func isAFF4(head, tail string) bool {
	const zip, nameAt = "PK\x03\x04", 30
	if !strings.HasPrefix(head, zip) || len(head) < nameAt {
		return false
	}
	name := head[nameAt:]
	return strings.HasPrefix(name, "container.description") || strings.HasPrefix(name, "information.turtle") || strings.HasPrefix(name, "version.txt") ||
		strings.Contains(tail, "aff4://")
}

// isVeeam knows a storage header: the version of the format, whether it is ready, and the name of a digest with its length
// before it, all as little-endian words.
func isVeeam(head, _ string) bool {
	if len(head) < 16 {
		return false
	}
	word := func(at int, most byte) bool { return head[at] <= most && head[at+1:at+4] == "\x00\x00\x00" }
	return word(0, 64) && head[0] > 0 && word(4, 1) && word(8, 16) && slices.Contains([]string{"md5", "sha", "crc"}, strings.ToLower(head[12:15])) && head[8] > 2
}

// isCloop knows the script that begins the file.
func isCloop(head, _ string) bool {
	return strings.HasPrefix(head, "#!/bin/sh\n#V") && strings.Contains(head, "cloop")
}

// named are files that have no mark, or none that is published, by the endings of their names.
func named(ending string) (what, advice string) {
	switch ending {
	case ".mrimg", ".mrbak", ".mrimgx", ".mrbakx", ".mrex":
		return "Macrium Reflect backup", "mount it in Reflect, or convert it to VHD there"
	case ".vbk", ".vib", ".vrb":
		return "Veeam backup", "extract the disk first, with Veeam's free Extract utility"
	case ".tib", ".tibx":
		return "Acronis backup", mountInVendor
	case ".vhds":
		return "VHD set", "open the .avhdx or .vhdx beside it"
	case ".mrt", ".rct":
		return "change tracking of a virtual disk, which holds no data", "open the .vhdx or .avhdx beside it"
	case ".hrl":
		return "log of Hyper-V Replica", "open the .vhdx beside it"
	case ".pvs", ".spf", ".spi", ".v2i", ".iv2i", ".adi", ".afi", ".pfi", ".pbd", ".xva":
		return "backup of another program", mountInVendor
	}
	return "", ""
}

// refuse is the error of a format that is known and cannot be read.
func refuse(name, advice string) error {
	if advice != "" {
		advice = "; " + advice
	}
	return fmt.Errorf("%s: %w%s", name, layer.ErrUnsupported, advice)
}

// refuseNamed refuses a file without any mark whose name is that of a backup: what of it looks like a disk is part of one.
func refuseNamed(at place) error {
	ending := strings.ToLower(path.Ext(at.name))
	what, advice := named(ending)
	if what == "" {
		return nil
	}
	return refuse(what+" by its name ("+ending+")", advice+"; rename it if it is a raw disk")
}

// refuseFolder says what image a folder is, where it is one, of which err says that it is no file.
func refuseFolder(folder Folder, name string, err error) error {
	if !errors.Is(err, layer.ErrFormat) {
		return err
	}
	if volume := device.VolumeOf(folder.Path(name)); volume != "" {
		return fmt.Errorf("%w (the volume itself is %s)", err, volume)
	}
	names, listErr := folder.List(name)
	if listErr != nil {
		return err
	}
	has := func(name string) bool { return slices.Contains(names, name) }
	switch {
	case has("information.turtle") || has("container.description"):
		return refuse("AFF4 in a folder", "export it to raw or E01, with pyaff4 or the program that made it")
	case has("bands/") && has("Info.plist"):
		return refuse("Apple sparse bundle", "convert it first: hdiutil convert -format UDTO")
	case has("DiskDescriptor.xml"):
		return refuse("Parallels disk in a folder", "open none of its files alone; convert it first: qemu-img convert -O raw")
	case has("clonezilla-img") || has("parts") && has("disk"):
		return refuse("Clonezilla image in a folder", restoreWith)
	}
	return err
}
