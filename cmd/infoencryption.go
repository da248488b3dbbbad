package cmd

import (
	"fmt"
	"strings"

	"snapmount/cmd/text"
	"snapmount/mount/report"
)

// contents says what a volume is by its boot sector, and by that below its encryption.
func contents(v report.Volume) string {
	fs := strings.ToUpper(v.Filesystem)
	if fs == "" {
		fs = "no known file system"
	}
	switch {
	case v.Locked != nil && !strings.HasPrefix(v.Locked.Error, "BitLocker, locked"): // damaged, or not supported
		return "BitLocker, cannot be read"
	case v.Locked != nil:
		return "BitLocker, locked"
	case v.Encryption != nil:
		return "BitLocker, " + fs
	case v.Filesystem == "luks":
		return "LUKS (encryption of Linux, not searched)"
	}
	return fs
}

// encryption tells what encrypts a volume, and what opens it, or did.
func (t *infoText) encryption(v report.Volume) {
	switch {
	case v.Locked != nil:
		if v.Locked.Cipher != "" {
			t.bitLocker(v.Locked.BitLocker)
		}
		t.out.Hung(text.Fault, "  ", text.Printable(v.Locked.Error))
	case v.Encryption != nil:
		t.out.Hung(text.Plain, "  ", unlockedBy(v.Encryption.UnlockedBy))
		if t.verbose {
			t.bitLocker(v.Encryption.BitLocker)
		}
	}
}

// unlockedBy says what opened a volume.
func unlockedBy(u report.Unlocker) string {
	switch {
	case u.Kind == "clear key":
		return "BitLocker is suspended: a clear key on the volume opened it, as it does for whoever has the disk"
	case u.Kind == "none":
		return "BitLocker has decrypted it, and its metadata is left"
	case u.ID == "":
		return "unlocked by a " + u.Kind
	}
	return fmt.Sprintf("unlocked by %s %s", u.Kind, strings.ToUpper(u.ID[:8]))
}

// bitLocker prints what the metadata says, and its protectors in a table.
func (t *infoText) bitLocker(b report.BitLocker) {
	line := b.Cipher + ", " + b.State
	if b.Created != nil {
		line += ", since " + t.stamp(*b.Created)
	}
	t.out.Hung(text.Plain, "  ", text.Printable(line))
	if b.Description != "" {
		t.out.Hung(text.Plain, "  called when it was encrypted: ", text.Printable(string(b.Description)))
	}
	t.out.Table(func(row func(string, ...any)) {
		for _, p := range b.Protectors {
			made := ""
			if p.Created != nil {
				made = t.stamp(*p.Created)
			}
			row("  %s\t%s\t%s", p.Kind, strings.ToUpper(p.ID), made)
		}
	})
}
