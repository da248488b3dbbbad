package imagefmt

import "testing"

// TestWrittenAt looks up where a device is mounted for writing.
func TestWrittenAt(t *testing.T) {
	const table = "22 1 7001:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard\n" +
		"23 22 7001:2 / /mnt/read ro - ext4 /dev/sda2 ro\n" +
		"24 22 7001:3 / /mnt/both ro,relatime - ext4 /dev/sda3 rw\n" + // this place is read-only, the file system is not
		"25 22 7001:4 / /mnt/none rw - ext4  rw\n" +
		"26 22 7001:5 / /mnt/a\u00a0b\rc rw - ext4 /dev/\x0bd rw\n" +
		"27 22\n\n"
	for device, want := range map[string]string{
		"7001:1": "/", "7001:2": "", "7001:3": "/mnt/both", "7001:4": "/mnt/none", "7001:5": "/mnt/a\u00a0b\rc", "7001:6": "", "": "",
	} {
		if got := writtenAt(table, device); got != want {
			t.Errorf("%s: %q, want %q", device, got, want)
		}
	}
}
