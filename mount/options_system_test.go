//go:build linux || darwin || freebsd

package mount

import (
	"slices"
	"strings"
	"testing"
)

// known is what mount programs take: macFUSE's and FreeBSD's mount_fusefs end at the first other option. The lists are
// those of "mount_macfuse -h", of mount_fusefs(8), and of mount(8) for each system.
var known = map[string]string{
	"darwin": "async noatime nobrowse nodev noexec noowners nosuid rdonly ro rw sync union update allow_other allow_recursion allow_root auto_xattr blocksize= " +
		"daemon_timeout= debug default_permissions defer_permissions direct_io extended_security fsid= fsname= fssubtype= fstypename= iosize= jail_symlinks local " +
		"negative_vncache sparse volname= noalerts noappledouble noapplexattr noattrcache nolocalcaches noreadahead nosynconclose nosyncwrites noubc novncache",
	"freebsd": "ro rw auto noatime noexec nosuid suiddir nosymfollow union noclusterr noclusterw multilabel acls nfsv4acls async automounted " +
		"allow_other default_permissions max_read= neglect_shares noprivate push_symlinks_in subtype= fsname=",
	"linux": "ro rw nosuid nodev noexec sync dirsync noatime",
}

func TestSystemOptions(t *testing.T) {
	for system, names := range known {
		options := systemOptions(system, `/evidence/a,b=c\d.vhd`)
		for _, o := range options {
			name, _, valued := strings.Cut(o, "=")
			if valued {
				name += "="
			}
			if !slices.Contains(strings.Fields(names), name) || strings.Contains(o, ",") {
				t.Errorf("%s: %q is not known there", system, o)
			}
		}
		for _, o := range []string{"ro", "nosuid", "noexec"} {
			if !slices.Contains(options, o) {
				t.Errorf("%s: %q without %s", system, options, o)
			}
		}
		for _, o := range []string{"noapplexattr", "noappledouble", "volname=a_b_c_d.vhd"} {
			if slices.Contains(options, o) != (system == "darwin") {
				t.Errorf("%s: %q, and %s", system, options, o)
			}
		}
		if slices.Contains(options, "nodev") == (system == "freebsd") {
			t.Errorf("%s: %q, and nodev", system, options)
		}
	}
	if got := plain("linux", `/evidence/a,b=c\d.vhd`); got != `/evidence/a_b=c\d.vhd` {
		t.Errorf("linux: %s", got)
	}
}

func TestMacOptions(t *testing.T) {
	given := []string{"ro", hideApple, "volname=old"}
	for option, want := range map[string][]string{
		"appledouble": {"ro", "volname=old"}, "local": {"ro", hideApple, "volname=old", "local"}, "volname=My, disk": {"ro", hideApple, "volname=My_ disk"},
		"volname=": nil, "volname": nil, "local=1": nil, "applexattr": nil, "defer_permissions": nil, "rw": nil, "": nil,
	} {
		got, ok := macOption(slices.Clone(given), option)
		if ok != (want != nil) || ok && !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", option, got, ok, want)
		}
	}
}
