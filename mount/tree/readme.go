package tree

import (
	"fmt"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
)

// readme is the text of README.txt at the top of the mount, with the names that the layout gives.
func (l *layout) readme(s *points.Set, names map[*points.Volume]string, shown map[*points.Volume][]*points.Point) string {
	var b strings.Builder
	b.WriteString("This is a read-only view of a Windows disk image at every point in time that it keeps.\n" +
		"Copy from it what you need; nothing here can be changed, and nothing in the image is.\n\n")
	say := func(path, text string) { fmt.Fprintf(&b, "  %-27s %s\n", path, text) }
	say("VOLUME/current", "the volume as imaged")
	say("VOLUME/snapshots/TIME", "the volume at that time (UTC); latest and oldest are links")
	say("VOLUME/vssN, VOLUME/ids/ID", "the same snapshots by number (1 = oldest) and by shadow copy id")
	for _, k := range virtuals {
		say("VOLUME/"+k.path, k.text)
	}
	say("raw/VOLUME/*.img", "the same as block images, for other tools")
	say("any directory/.snapshots", "the same directory at the other times; not listed, but there")
	b.WriteString("\nUnmount with: snapmount umount DIRECTORY\n")
	for _, img := range s.Images {
		fmt.Fprintf(&b, "\nImage %s (%s, %d bytes)\n", wintype.Printable(img.Path), img.Disk.Format(), img.Disk.Size())
	}
	for _, v := range s.Volumes {
		fmt.Fprintf(&b, "\nVolume %s: %s, %d bytes at %d\n", wintype.Printable(names[v]), wintype.Printable(holds(v)), v.Partition.Len, v.Partition.Off)
		for _, p := range shown[v] {
			snap, name := p.Snapshot, p.Name
			if root := l.roots[p]; root != nil {
				name = root.name
			}
			taken := "at an unknown time"
			if !snap.Created.IsZero() {
				taken = snap.Created.UTC().Format(wintype.Layout7)
			}
			fmt.Fprintf(&b, "  vss%-3d %-28s taken %s, shadow copy {%s}\n", snap.Index, name, taken, snap.CopyID)
			if snap.Damage != nil {
				fmt.Fprintf(&b, "         DAMAGED: %s\n", wintype.Printable(snap.Damage.Error()))
			}
		}
		if v.Locked() != nil {
			b.WriteString("  LOCKED.txt in it says what opens it\n")
			continue
		}
		switch hidden := len(v.Snapshots()) - len(shown[v]); {
		case len(v.Snapshots()) == 0:
			b.WriteString("  no snapshots\n")
		case hidden > 0:
			fmt.Fprintf(&b, "  %d more snapshots were not asked for\n", hidden)
		}
	}
	if w := s.Warnings(); len(w) > 0 {
		b.WriteString("\nWarnings\n")
		for _, line := range w {
			fmt.Fprintf(&b, "  %s\n", wintype.Printable(line))
		}
	}
	return b.String()
}
