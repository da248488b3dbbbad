package cmd

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"snapmount/mount"
	"snapmount/mount/process"
)

// accessFlags say whom the files of a mount belong to, and who may read them. Their names are those of ntfs-3g.
type accessFlags struct {
	owner, uid, gid, group           string
	umask, fmask, dmask, mode, modes string
}

func (a *accessFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&a.owner, "owner", "caller", "whom the files belong to: caller (through sudo, who ran that), root or UID:GID")
	f.StringVar(&a.uid, "uid", "", "the user whom the files belong to, by number or name")
	f.StringVar(&a.gid, "gid", "", "the group whom the files belong to, by number or name")
	f.StringVar(&a.group, "group", "", "--gid, and --umask 0027: with --allow-other this group may read")
	f.StringVar(&a.umask, "umask", "", "permissions that the files have not, in octal (default 0077: for their owner only)")
	f.StringVar(&a.fmask, "fmask", "", "--umask of all but directories")
	f.StringVar(&a.dmask, "dmask", "", "--umask of directories")
	f.StringVar(&a.mode, "mode", "", "permissions of directories, in octal; files have those to read and write of them (0750 is --umask 0027)")
	f.StringVar(&a.modes, "modes", "usable", "usable: the owner may write to copies; faithful: as marked read-only or set by WSL in the image")
	inGroup(f, "Who may read it", "owner", "uid", "gid", "group", "umask", "fmask", "dmask", "mode", "modes")
	rare(f, "fmask", "dmask", "mode", "modes")
}

// set fills the options of a mount; flags are those that add added.
func (a *accessFlags) set(flags *pflag.FlagSet, m *mount.Options) error {
	for _, pair := range [][2]string{{"owner", "uid"}, {"owner", "gid"}, {"owner", "group"}, {"gid", "group"}, {"mode", "umask"}, {"mode", "fmask"}, {"mode", "dmask"}} {
		if flags.Changed(pair[0]) && flags.Changed(pair[1]) {
			return usagef("--%s and --%s: want one of them", pair[0], pair[1])
		}
	}
	var err error
	if m.Owner, err = a.whose(); err == nil {
		m.Modes, err = a.permissions()
	}
	if err != nil {
		return usagef("%w", err)
	}
	return nil
}

// whose is whom the files belong to. A user whose number or name is known has the own group where none is given.
func (a *accessFlags) whose() (mount.Owner, error) {
	o, err := mount.ParseOwner(a.owner)
	if err != nil || o.Fixed {
		return o, err
	}
	if u, ok := process.Invoker(); ok {
		o = mount.Owner{Fixed: true, UID: u.UID, GID: u.GID}
	}
	group := a.gid + a.group // only one is given
	if a.uid == "" && group == "" {
		return o, nil
	}
	if !o.Fixed {
		o = mount.Owner{Fixed: true, UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	}
	if a.uid != "" {
		if o.UID, err = idOf("user", a.uid, func(name string) (string, error) { u, err := user.Lookup(name); return idOr(u, err) }); err != nil {
			return o, err
		}
		if u, err := user.LookupId(strconv.FormatUint(uint64(o.UID), 10)); err == nil {
			if gid, err := strconv.ParseUint(u.Gid, 10, 32); err == nil {
				o.GID = uint32(gid)
			}
		}
	}
	if group != "" {
		o.GID, err = idOf("group", group, func(name string) (string, error) {
			g, err := user.LookupGroup(name)
			if err != nil {
				return "", err
			}
			return g.Gid, nil
		})
	}
	return o, err
}

func idOr(u *user.User, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

// idOf reads a number, or looks a name up.
func idOf(kind, text string, look func(string) (string, error)) (uint32, error) {
	number := text
	if _, err := strconv.ParseUint(text, 10, 64); err != nil {
		if number, err = look(text); err != nil {
			return 0, fmt.Errorf("no %s %q on this system: want a number, or a name that it has", kind, text)
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n == 1<<32-1 { // that one is nobody at all
		return 0, fmt.Errorf("%s %q: want a number below 4294967295, or a name", kind, text)
	}
	return uint32(n), nil
}

// permissions are what is shown of files and directories.
func (a *accessFlags) permissions() (mount.Modes, error) {
	m := mount.Modes{Faithful: a.modes == "faithful"}
	if a.modes != "usable" && !m.Faithful {
		return m, fmt.Errorf("--modes %q: want usable or faithful", a.modes)
	}
	files := os.FileMode(0o666)
	if m.Faithful {
		files = 0o777 // as some of WSL are
	}
	if a.mode != "" {
		mode, err := mount.ParseMode(a.mode)
		m.Dirs, m.Files = mode, mode&files
		return m, err
	}
	umask := a.umask
	if umask == "" && a.group != "" {
		umask = "0027"
	}
	for _, of := range []struct {
		mask string
		most *os.FileMode
		all  os.FileMode
	}{{a.dmask, &m.Dirs, 0o777}, {a.fmask, &m.Files, files}} {
		if of.mask == "" {
			of.mask = umask
		}
		if of.mask == "" {
			continue
		}
		mode, err := mount.ParseMask(of.mask)
		if err != nil {
			return m, err
		}
		*of.most = mode & of.all
	}
	return m, nil
}

// visible says who sees a mount, where that is neither its owner alone nor everybody.
func visible(m *mount.Options) string {
	switch {
	case m.AllowOther && m.Modes.Alone():
		return "--allow-other shows other users nothing yet: --umask 022 shows them all files, --group GROUP one group"
	case os.Geteuid() == 0 && m.Owner.Fixed && m.Owner.UID != 0 && !m.AllowOther:
		return fmt.Sprintf("visible to %s and root alone", mount.UserName(m.Owner.UID))
	}
	return ""
}
