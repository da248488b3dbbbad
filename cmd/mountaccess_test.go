package cmd

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/spf13/cobra"

	"snapmount/mount"
)

func TestAccessFlags(t *testing.T) {
	t.Setenv("SUDO_UID", "")
	for _, c := range []struct {
		flags       []string
		dirs, files fs.FileMode // of the options; 0 is what there is without
		uid, gid    uint32
		bad         bool
	}{
		{flags: nil},
		{flags: []string{"--umask", "022"}, dirs: 0o755, files: 0o644},
		{flags: []string{"--umask", "0", "--fmask", "0137"}, dirs: 0o777, files: 0o640},
		{flags: []string{"--dmask", "027"}, dirs: 0o750},
		{flags: []string{"--mode", "0750"}, dirs: 0o750, files: 0o640},
		{flags: []string{"--owner", "5:6"}, uid: 5, gid: 6},
		{flags: []string{"--uid", "987654", "--gid", "7"}, uid: 987654, gid: 7},
		{flags: []string{"--uid", "987654", "--group", "7"}, dirs: 0o750, files: 0o640, uid: 987654, gid: 7},
		{flags: []string{"--uid", "987654", "--group", "7", "--umask", "0007"}, dirs: 0o770, files: 0o660, uid: 987654, gid: 7},
		{flags: []string{"--umask", "0777"}, bad: true}, {flags: []string{"--umask", "8"}, bad: true}, {flags: []string{"--mode", "0077"}, bad: true}, {flags: []string{"--mode", "10000"}, bad: true},
		{flags: []string{"--mode", "0700", "--umask", "0"}, bad: true}, {flags: []string{"--owner", "5:6", "--uid", "1"}, bad: true}, {flags: []string{"--gid", "1", "--group", "1"}, bad: true},
		{flags: []string{"--uid", "nobody-of-this-name"}, bad: true}, {flags: []string{"--uid", "4294967295"}, bad: true}, {flags: []string{"--gid", "99999999999"}, bad: true},
		{flags: []string{"--modes", "other"}, bad: true}, {flags: []string{"--owner", "me"}, bad: true},
	} {
		var a accessFlags
		var m mount.Options
		cmd := &cobra.Command{}
		a.add(cmd)
		if err := cmd.ParseFlags(c.flags); err != nil {
			t.Fatal(err)
		}
		err := a.set(cmd.Flags(), &m)
		var usage usageError
		if c.bad != errors.As(err, &usage) || err == nil && (m.Modes.Dirs != c.dirs || m.Modes.Files != c.files || c.uid != 0 && (m.Owner.UID != c.uid || m.Owner.GID != c.gid)) {
			t.Errorf("%q: %+v, %v", c.flags, m, err)
		}
	}
}
