package cmd

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/diskfile"
	"snapmount/imagefmt/layer"
	"snapmount/mount/selection"
	"snapmount/ntfs/restore"
)

// exportFlags are what "export" is asked for.
type exportFlags struct {
	full, partial, overwrite bool
}

func newExport(o *openFlags) *cobra.Command {
	f := &exportFlags{}
	c := &cobra.Command{
		Use:   "export LOCATION FILE.qcow2",
		Short: "Write the disk as it was at a point in time, to start a machine from it",
		Long: "export writes a disk whose volume is as it was at a point in time; its other volumes are as imaged. A FILE.qcow2 stands " +
			"on the image and has only what differs, so that it takes seconds and is small; it is good as long as the image stays " +
			"where it is and is not written to. With --full FILE has all of the disk and stands on nothing: .qcow2, .vhd (fixed), " +
			".raw or .img.\n\n" +
			"What a snapshot was not bound to keep, such as free space and the page file, is as it is now, and is counted. What is lost by " +
			"damage is an error; with --partial it is zeros, each range is told, and the exit code is 7. A volume of BitLocker is " +
			"written decrypted, with --full alone.",
		Example: "  snapmount export disk.vhdx:p2@vss1 tuesday.qcow2\n" +
			"  qemu-system-x86_64 -m 4G -snapshot -hda tuesday.qcow2\n" +
			"  snapmount export --full disk.E01:p2@vss1 server.vhd",
		Args: args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			tell := text.NewReporter(c.ErrOrStderr())
			err := o.one(c.Context(), tell, args[:1], func(p *selection.Place) error { return f.run(c, o, tell, p, args[1]) })
			return cmp.Or(err, tell.Err("are not known, and zeros"))
		},
	}
	c.Flags().BoolVar(&f.full, "full", false, "write all of the disk, not what differs from the image")
	c.Flags().BoolVar(&f.partial, "partial", false, "write zeros for what is lost by damage, and tell where")
	c.Flags().BoolVar(&f.overwrite, "overwrite", false, "replace a file that is there")
	inGroup(c.Flags(), groupOutput, "full", "partial", "overwrite")
	return c
}

// formats of files by the end of their names.
var exportFormats = map[string]diskfile.Format{
	".qcow2": diskfile.QCow2, ".vhd": diskfile.VHD, ".raw": diskfile.Raw, ".img": diskfile.Raw, ".dd": diskfile.Raw,
}

func (f *exportFlags) run(c *cobra.Command, o *openFlags, tell *text.Reporter, p *selection.Place, name string) error {
	if p.HasPath && p.Path != "" || p.Volume == nil {
		return usagef("%s: export writes disks: name a volume and a point in time, and no path (restore writes files)", p.Location)
	}
	opts, err := f.options(p, name)
	if err != nil {
		return err
	}
	opts.Progress = o.progress
	files, err := selection.HostFiles(p.Set)
	if err == nil {
		err = selection.NotOfImage(name, files)
	}
	if err != nil {
		return err
	}
	disk, err := p.Point.Disk()
	if err != nil {
		return err
	}
	w, err := restore.Create(name, f.overwrite)
	if err != nil {
		return err
	}
	tell.NoteError(w.Left())
	r, err := diskfile.Write(c.Context(), w, disk, opts)
	o.progress("", 0, 0)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: not written: %w", name, p.Point.Because(err)), w.Abort())
	}
	if err := w.Commit(); err != nil {
		return err
	}
	f.tell(c, tell, p, name, disk, opts, r)
	return nil
}

// options says how a file of that name is written.
func (f *exportFlags) options(p *selection.Place, name string) (o diskfile.Options, err error) {
	format, ok := exportFormats[strings.ToLower(filepath.Ext(name))]
	switch {
	case !ok:
		return o, usagef("%s: want a name that ends in .qcow2 or, with --full, .vhd, .raw or .img", name)
	case !f.full && format != diskfile.QCow2:
		return o, usagef("%s: a file that has only what differs is a .qcow2; all of the disk goes into this one with --full", name)
	}
	id := sha256.Sum256([]byte(p.Volume.Image.Path + "@" + p.Point.Name)) // the same each time
	o = diskfile.Options{Format: format, Partial: f.partial, ID: [16]byte(id[:16])}
	if f.full {
		return o, nil
	}
	if p.Volume.Encryption != nil {
		return o, fmt.Errorf("%s: the image is encrypted by BitLocker there, and what differs is not: use --full, which writes the disk decrypted: %w",
			p.Volume.Name, layer.ErrUnsupported)
	}
	back := &diskfile.Backing{Disk: p.Volume.Image.Disk}
	if back.Name, back.Format, err = p.Set.Backing(p.Volume.Image, filepath.Dir(name)); err != nil {
		return o, fmt.Errorf("%w; use --full", err)
	}
	o.Backing = back
	return o, nil
}

// tell says what was written.
func (f *exportFlags) tell(c *cobra.Command, tell *text.Reporter, p *selection.Place, name string, disk layer.Source, o diskfile.Options, r diskfile.Result) {
	line := fmt.Sprintf("%s: a disk of %s with %s as at %s, %s written", name, text.Bytes(disk.Size()), p.Volume.Name, p.Point.Name, text.Bytes(r.Bytes))
	if o.Backing != nil {
		line += "; it stands on " + o.Backing.Name
	}
	fmt.Fprintln(c.OutOrStdout(), text.Printable(line))
	if p.Volume.Encryption != nil {
		tell.Note(p.Volume.Name + " is written decrypted")
	}
	if r.LeftOut > 0 {
		tell.Note(fmt.Sprintf("%s that the snapshot was not bound to keep, such as free space and the page file, are as they are now", text.Bytes(r.LeftOut)))
	}
	for _, u := range r.Unknown {
		why := u.Err
		if unknown, ok := errors.AsType[*layer.UnknownError](why); ok { // it is of one sector of the range
			why = fmt.Errorf("%w: %v", layer.ErrUnknown, unknown.Why)
		}
		tell.Fail(fmt.Sprintf("0x%x bytes at 0x%x of the disk", u.Len, u.Off), why)
	}
}
