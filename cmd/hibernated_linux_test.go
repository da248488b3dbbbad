package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/ntfs/ntfstest"
)

// TestHibernated has volumes with a hiberfil.sys of each kind. That Windows sleeps is told, and is no damage.
func TestHibernated(t *testing.T) {
	testenv.Peer(t, "mkntfs")
	for content, sleeps := range map[string]bool{
		"": false, "hib": false, "hibr": true, "HIBR and more": true, "rstr": true, "RSTR": true, "wake": false, "HiBr": false, "\x00\x00\x00\x00": false, " hibr": false,
	} {
		image := filepath.Join(t.TempDir(), "disk.img")
		if err := os.WriteFile(image, make([]byte, 4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
		dir, unmount := ntfstest.MountNTFS3G(t, image, "streams_interface=none")
		if err := os.WriteFile(filepath.Join(dir, "hiberfil.sys"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		unmount()
		code, out, errs := run("info", image)
		if code != exitOK || strings.Contains(out, ", hibernated (hiberfil.sys") != sleeps {
			t.Errorf("%q: exit %d, want %v\n%s%s", content, code, sleeps, out, errs)
		}
	}
}
