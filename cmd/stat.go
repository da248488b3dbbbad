package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

func newStat(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "stat LOCATION...",
		Short: "Show all that is known of a file or directory",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			out, tell := text.NewOut(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr())
			err := o.each(c.Context(), args, func(p *selection.Place) error { return stat(out, tell, p, asJSON) })
			return tell.Done(out, err)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

func stat(out *text.Out, tell *text.Reporter, p *selection.Place, asJSON bool) error {
	n, stream, err := p.Node(false)
	if err != nil {
		return err
	}
	s := report.StatOf(p.Point, p.FullPath(), stream, n)
	if len(s.Errors()) > 0 {
		tell.Failed()
	}
	if asJSON {
		out.JSON(s)
		return nil
	}
	out.Table(func(row func(string, ...any)) {
		r := rows(func(k, v string) { row("%s\t%s", k, text.Printable(v)) })
		r.put("path", "%s@%s:%s", p.Volume.Name, p.Point.Name, p.FullPath())
		r.basics(s, n)
		r.names(s)
		r.attached(s)
		for _, e := range s.Errors() {
			r.put("error", "%s", e)
		}
	})
	return nil
}

// rows takes a row of a word and a value.
type rows func(key, value string)

func (r rows) put(key, format string, args ...any) { r(key, fmt.Sprintf(format, args...)) }

// some is for what may not be there.
func (r rows) some(key, value string) {
	if value != "" {
		r(key, value)
	}
}

func (r rows) basics(s *report.Stat, n *ntfs.Node) {
	r.put("kind", "%s", s.Kind)
	r.put("size", "%d (%d allocated)", n.Size, n.Allocated)
	r.put("modified", "%s", n.Times.Modified)
	r.put("accessed", "%s", n.Times.Accessed)
	r.put("changed", "%s", n.Times.Changed)
	r.put("created", "%s", n.Times.Created)
	r.put("reference", "%s", n.Ref)
	r.put("attributes", "%s", strings.Join(s.Attributes, ", "))
}

// names shows names and what else identifies a file.
func (r rows) names(s *report.Stat) {
	for _, x := range s.Names {
		r.put("name", "%s in %s (%s)", string(x.Name), x.Parent, x.Namespace)
		r.put("name times", "modified %s, accessed %s, changed %s, created %s", *x.Mtime, *x.Atime, *x.Ctime, *x.Btime)
	}
	r.some("owner", s.Owner)
	r.some("security", s.SDDL)
	if s.SecurityID != 0 {
		r.put("security id", "0x%x", s.SecurityID)
	}
	if s.USN != 0 {
		r.put("usn", "%d", s.USN)
	}
	if o := s.ObjectID; o != nil {
		r.put("object id", "%s", o.ID)
		r.some("birth volume", o.BirthVolume)
		r.some("birth object", o.BirthObject)
		r.some("domain", o.Domain)
	}
}

// attached shows what a file has beside its content, and whether that is all there.
func (r rows) attached(s *report.Stat) {
	if s.Target != nil {
		r.put("target", "%s", string(*s.Target))
	}
	if x := s.Reparse; x != nil {
		r.put("reparse", "%s", strings.TrimSpace(x.Tag+" "+x.Name))
		if a := x.AppExec; a != nil {
			r.put("alias of", "%s (package %s, application %s, type %s)", a.Executable, a.PackageID, a.AppID, a.Type)
		}
		r.some("wof", x.WOF)
		r.some("nfs", x.NFS)
	}
	if x := s.Linux; x != nil {
		r.put("linux", "%s", x)
	}
	for _, e := range s.EAs {
		r.put("ea", "%s (%d bytes)", string(e.Name), e.Size)
	}
	if s.EFS > 0 {
		r.put("encrypted", "EFS, %d bytes of keys", s.EFS)
	}
	for _, st := range s.Streams {
		r.put("stream", "%s (%d bytes)", string(st.Name), st.Size)
	}
	r.some("content", s.Verdict)
}
