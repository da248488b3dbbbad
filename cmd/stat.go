package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/mount/points"
	"snapmount/mount/report"
	"snapmount/mount/selection"
	"snapmount/ntfs"
)

func newStat(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "stat LOCATION...",
		Short: "Show all that is known of a file or directory",
		Long: "stat shows the times, names, owner and permissions (SDDL), attributes, streams and reparse data of a file at a " +
			"point in time, and whether all of its content is there.",
		Example: "  snapmount stat disk.vhdx@latest:/Users/ann/report.txt\n" +
			"  snapmount stat --json disk.vhdx:/Users/ann/report.txt | jq .mtime",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			out, tell := o.out(c.OutOrStdout()), text.NewReporter(c.ErrOrStderr())
			err := o.each(c.Context(), tell, args, points.AtPoint, func(all *selection.Places) error {
				tell.Searched(all.List[0].Apart(), nil)
				for i, p := range all.List {
					if i > 0 && !asJSON {
						fmt.Fprintln(out)
					}
					if err := stat(out, tell, p, asJSON); err != nil {
						return err
					}
				}
				return nil
			})
			return tell.Done(out, err)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	inGroup(c.Flags(), groupOutput, "json")
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
		r.basics(s, n, out.FullStamp)
		r.names(s, out.FullStamp)
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

func (r rows) basics(s *report.Stat, n *ntfs.Node, time func(string) string) {
	r.put("kind", "%s", s.Kind)
	r.put("size", "%d (%d allocated)", n.Size, n.Allocated)
	r.put("modified", "%s", time(n.Times.Modified.String()))
	r.put("accessed", "%s", time(n.Times.Accessed.String()))
	r.put("changed", "%s", time(n.Times.Changed.String()))
	r.put("created", "%s", time(n.Times.Created.String()))
	r.put("reference", "%s", n.Ref)
	r.put("attributes", "%s", strings.Join(s.Attributes, ", "))
}

// names shows names and what else identifies a file.
func (r rows) names(s *report.Stat, time func(string) string) {
	for _, x := range s.Names {
		r.put("name", "%s in %s (%s)", string(x.Name), x.Parent, x.Namespace)
		r.put("name times", "modified %s, accessed %s, changed %s, created %s", time(*x.Mtime), time(*x.Atime), time(*x.Ctime), time(*x.Btime))
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
	if s.Trust > 0 {
		r.put("trust", "%s (%s)", s.Trust, trustText(s.TrustBytes))
	}
}

// trustText tells how many bytes rest on what.
func trustText(b *report.CarvedShares) string {
	var parts []string
	for _, x := range []struct {
		word  string
		bytes int64
	}{{"kept", b.Kept}, {"carved", b.Carved}, {"proved", b.Proved}, {"agreed", b.Agreed}, {"doubtful", b.Doubtful}, {"unknown", b.Unknown}} {
		if x.bytes > 0 {
			parts = append(parts, x.word+" "+text.Bytes(x.bytes))
		}
	}
	return strings.Join(parts, ", ")
}
