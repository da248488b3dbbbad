package cmd

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

const unlockLong = `unlock tells of each volume that BitLocker encrypts whether what is given opens it, and which protector it is that each secret opens. It
writes nothing: every command decrypts what it reads, where it is given the same.

A secret is a recovery password of 48 digits (with the blanks, dots and line breaks that it was written down with), a password, a startup key (a
.BEK file), or a key of the volume in hex. Several may be given, for several volumes and images: each is tried where it fits. They come from

  --key-file FILE         a .BEK file, the text file in which Windows saves a
                          recovery password, or a line for each secret
  --recovery-key DIGITS   a recovery password itself, in quotes or joined by
                          dashes; others of this machine can see it meanwhile
  --password-file FILE    the first line of a file
  SNAPMOUNT_KEYS          an environment variable, which names a key file
  the terminal            is asked, where none of these is given, by every
                          command that needs files of a locked volume

The value - of these flags is standard input.

Recovery passwords are looked up by the first 8 digits of their key, which info and unlock show: in the Microsoft account of the owner, in Entra ID or
Active Directory, in a file or on paper. A PIN, or the password of Windows, opens no disk. A volume whose protection is suspended opens
without any secret. What only a TPM protects cannot be opened without its computer.

The exit code is 7 where a volume stays locked, and 4 where its metadata is damaged.`

// unlockFlags are those of "unlock".
type unlockFlags struct {
	check, recovery, json bool
}

func newUnlock(o *openFlags) *cobra.Command {
	var f unlockFlags
	c := &cobra.Command{
		Use:   "unlock IMAGE[:VOLUME]...",
		Short: "Tell which secrets open the volumes that BitLocker encrypts",
		Long:  unlockLong,
		Example: "  snapmount unlock disk.vhdx\n" +
			"  snapmount unlock --check --key-file keys.txt disk.vhdx\n" +
			"  snapmount unlock --show-recovery-key --key-file 4381F759.BEK disk.vhdx",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, o, args) },
	}
	c.Flags().BoolVar(&f.check, "check", false, "only check what is given: ask for nothing, and tell of nothing else")
	c.Flags().BoolVar(&f.recovery, "show-recovery-key", false, "the recovery passwords too, which the key of an opened volume opens")
	c.Flags().BoolVar(&f.json, "json", false, "one JSON document")
	inGroup(c.Flags(), groupOutput, "check", "show-recovery-key", "json")
	return c
}

func (f *unlockFlags) run(c *cobra.Command, o *openFlags, images []string) (err error) {
	out := o.out(c.OutOrStdout())
	defer func() { err = errors.Join(out.Flush(), err) }()
	if f.check {
		o.keys.ask = nil
	}
	s, only, err := o.opener().Disks(c.Context(), images)
	if err != nil {
		return err
	}
	defer s.Close()
	volumes := s.Volumes
	if only != nil {
		volumes = []*points.Volume{only}
	}
	r, err := report.UnlockOf(c.Context(), volumes, o.keys.list, f.recovery, o.progress)
	if err != nil {
		return err
	}
	switch {
	case f.json:
		out.Document(r)
	case len(r.Volumes) == 0:
		out.Line(text.Plain, "no volume is encrypted by BitLocker")
	}
	for _, u := range r.Volumes {
		if !f.json {
			printUnlock(out, u)
		}
	}
	if !f.check && !f.json {
		o.keys.printUnlocked(out, volumes)
	}
	return unlockEnd(s, r)
}

// unlockEnd is how the command ends.
func unlockEnd(s *points.Set, r report.Unlock) error {
	for _, img := range s.Images {
		if img.TableErr != nil {
			return fmt.Errorf("%s: whether there are encrypted volumes is not known: %w", img.Path, img.TableErr)
		}
	}
	switch closed, damaged := r.Closed(); {
	case damaged > 0:
		return codedError{exitDamaged, fmt.Errorf("the metadata of %s of BitLocker is damaged", text.Counted(damaged, "volume"))}
	case closed == 1 && len(r.Volumes) == 1:
		return codedError{exitPartial, errors.New("the volume of BitLocker stays locked")}
	case closed > 0:
		return codedError{exitPartial, fmt.Errorf("%d of %d volumes of BitLocker stay locked", closed, len(r.Volumes))}
	}
	return nil
}

// printUnlock tells of a volume what opens it.
func printUnlock(out *text.Out, u report.Unlockable) {
	word := "opens"
	if u.Locked {
		word = "LOCKED"
	} else if !u.Unlocked {
		word = "CANNOT BE READ"
	}
	out.Line(text.Heading, "%s: BitLocker, %s: %s", text.Printable(u.Volume), cmp.Or(u.Cipher, "cipher not known"), word)
	if by := u.UnlockedBy; by != nil && len(u.Tries) == 0 {
		out.Hung(text.Plain, "  ", noSecret(by.Kind))
	}
	for _, t := range u.Tries {
		opens := "opens nothing"
		if t.Opens != nil {
			opens = "opens " + protectorWords(t.Opens)
		} else if t.Error != "" {
			opens = "opens its key, but the volume cannot be read"
		}
		out.Hung(text.Plain, "  ", text.Printable(fmt.Sprintf("%s (%s): %s", t.Kind, t.From, opens)))
	}
	if u.Error != "" {
		out.Hung(text.Changed, "  ", text.Printable(strings.TrimPrefix(u.Error, "BitLocker, locked: ")))
	}
	for _, w := range u.Warnings {
		if !strings.Contains(u.Error, w) {
			out.Hung(text.Changed, "  warning: ", text.Printable(w))
		}
	}
	for _, r := range u.RecoveryKeys {
		fmt.Fprintf(out, "  recovery key %s: %s\n", strings.ToUpper(r.ID[:8]), r.Password)
	}
}

// noSecret says why a volume opens without one.
func noSecret(kind string) string {
	if kind == "none" {
		return "no secret is needed: none of it is encrypted any more"
	}
	return "no secret is needed: protection is suspended, and a clear key lies on the volume"
}

// protectorWords names what a secret opens as info does.
func protectorWords(u *report.Unlocker) string {
	if u.ID == "" {
		return "the volume itself"
	}
	return u.Kind + " " + strings.ToUpper(u.ID[:8])
}

// printUnlocked gives lines to type with the same secrets, where a volume opens.
func (k *keyFlags) printUnlocked(out *text.Out, volumes []*points.Volume) {
	i := slices.IndexFunc(volumes, func(v *points.Volume) bool { return v.Encryption != nil && v.Encryption.Unlocked != nil })
	if i < 0 {
		return
	}
	image := volumes[i].Image.Path
	volume := image + ":" + volumes[i].OwnName()
	next, end := [][]string{{"info", image}, {"ls", volume}, browsing(image)}, ""
	if volumes[i].Filesystem != "ntfs" { // its files are for other programs
		next, end = [][]string{{"cat", "--raw", volume}}, intoFile
	}
	fmt.Fprintln(out)
	out.Line(text.Heading, "Next:")
	for _, args := range next {
		fmt.Fprintf(out, "  %s%s\n", lineOf(append(args, k.again()...)), end)
	}
	if os.Getenv(keysVariable) == "" {
		out.Hung(text.Plain, "", fmt.Sprintf("Nothing was written: every command asks again, or is given the same. %s spares that.", settingOf(keysVariable, "FILE")))
	}
}
