package cmd

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestMountOptions(t *testing.T) {
	for _, c := range []struct {
		flags  []string
		fuse   string
		helped bool
		err    string
		check  func(o *openFlags, m *mountFlags) bool
	}{
		{flags: []string{"-o", "ro,nofail,x-systemd.automount,comment=a,X-y=1,defaults,_netdev,,noatime"}},
		{flags: []string{"-o", "rw,dev,suid"}, helped: true},
		{flags: []string{"-o", "rw,noexec,nosuid,nodev"}, helped: true},
		{flags: []string{"-o", "rw"}, err: "always read-only"},
		{flags: []string{"-o", "allow_other,cache=64M", "-o", "diff_area=a,daemon"}, check: func(o *openFlags, m *mountFlags) bool {
			return m.mount.AllowOther && o.cache == 64<<20 && slices.Equal(o.diffArea, []string{"a"}) && m.daemon
		}},
		{flags: []string{"--with", "w", "-o", `with=a\,b,with=c\\,with=d\e`}, check: func(o *openFlags, _ *mountFlags) bool {
			return slices.Equal(o.with, []string{"w", "a,b", `c\`, `d\e`})
		}},
		{flags: []string{"-o", "allow-other=false,unknown=live"}, check: func(o *openFlags, m *mountFlags) bool {
			return !m.mount.AllowOther && o.unknown == "live"
		}},
		{flags: []string{"--unknown", "zero", "-o", "unknown=live"}, err: "given twice"},
		{flags: []string{"-o", "cache=1M,cache=2M"}, err: "given twice"},
		{flags: []string{"-o", "cache"}, err: "want a value"},
		{flags: []string{"-o", "cache=much"}, err: "64M"},
		{flags: []string{"-o", "keyfile=k"}, err: "-o keyfile: not known; want key_file=FILE"},
		{flags: []string{"-o", "ro,password=geheim"}, err: "-o password: not known; want password_file=FILE"},
		{flags: []string{"-o", "recovery=1"}, err: "-o recovery: not known; want key_file=FILE"},
		{flags: []string{"-o", "allowother"}, err: "-o allowother: not known; want allow_other"},
		{flags: []string{"-o", "fsname=x,max_read=4096,options=y,help"}, fuse: "fsname=x max_read=4096 options=y help"},
	} {
		o := &openFlags{}
		m := &mountFlags{open: o}
		cmd := &cobra.Command{}
		o.add(cmd)
		m.add(cmd)
		if err := cmd.ParseFlags(c.flags); err != nil {
			t.Fatal(err)
		}
		fuse, helped, err := setOptions(cmd.Flags(), m.options)
		var usage usageError
		if c.err != "" {
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: %v, want %s", c.flags, err, c.err)
			}
			continue
		}
		if err != nil || helped != c.helped || strings.Join(fuse, " ") != c.fuse || (c.check != nil && !c.check(o, m)) {
			t.Errorf("%q: %q, helped %v, %v; %+v %+v", c.flags, fuse, helped, err, o, m)
		}
	}
}

// FuzzListOptions makes sure that no option is lost or made: joined again with escapes, the list says the same.
func FuzzListOptions(f *testing.F) {
	for _, s := range []string{"", "a,b=c", `a\,b`, `\\,`, `a\`, ",,a", `\x,`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, list string) {
		all := listOptions([]string{list})
		escaped := make([]string, len(all))
		for i, o := range all {
			escaped[i] = strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(o)
		}
		if again := listOptions([]string{strings.Join(escaped, ",")}); !slices.Equal(again, all) {
			t.Errorf("%q, again %q", all, again)
		}
	})
}
