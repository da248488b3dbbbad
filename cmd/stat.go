package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/security"
)

func newStat(o *openFlags) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "stat LOCATION...",
		Short: "Show all that is known of a file or directory",
		Args:  args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			failed := false
			for _, a := range args {
				err := statOne(c.Context(), c.OutOrStdout(), o, a, asJSON)
				if failed = failed || err == errPartial; err != nil && err != errPartial {
					return err
				}
			}
			if failed {
				return errPartial
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one JSON object a line")
	return c
}

// statJSON is one object of "stat --json".
type statJSON struct {
	entryJSON
	Names        []nameJSON   `json:"names"`
	SecurityID   uint32       `json:"security_id"` // in $Secure; 0 where the file has a descriptor of its own
	Owner        string       `json:"owner,omitempty"`
	SDDL         string       `json:"sddl,omitempty"`
	OwnerID      uint32       `json:"owner_id"` // of quotas
	QuotaCharged uint64       `json:"quota_charged"`
	USN          int64        `json:"usn"`
	EAs          []streamJSON `json:"eas,omitempty"`
	EFS          int          `json:"efs,omitempty"` // bytes of keys of an encrypted file
	Linux        *linuxJSON   `json:"linux,omitempty"`
	ObjectID     *objectJSON  `json:"object_id,omitempty"`
	Reparse      *reparseJSON `json:"reparse,omitempty"`

	errs []string
}

// nameJSON is a $FILE_NAME. Its times are as of when the name was given, mostly.
type nameJSON struct {
	Name      name    `json:"name"`
	Parent    string  `json:"parent"`
	Namespace string  `json:"namespace"`
	Btime     *string `json:"btime"`
	Mtime     *string `json:"mtime"`
	Ctime     *string `json:"ctime"`
	Atime     *string `json:"atime"`
}

type linuxJSON struct {
	UID  *uint32    `json:"uid,omitempty"`
	GID  *uint32    `json:"gid,omitempty"`
	Mode *uint32    `json:"mode,omitempty"`
	Dev  *[2]uint32 `json:"dev,omitempty"` // major, minor
}

type objectJSON struct {
	ID          string `json:"id"`
	BirthVolume string `json:"birth_volume,omitempty"`
	BirthObject string `json:"birth_object,omitempty"`
	Domain      string `json:"domain,omitempty"`
}

type reparseJSON struct {
	Tag     string       `json:"tag"`
	Name    string       `json:"name,omitempty"`
	Size    int          `json:"size"` // bytes of data
	Target  name         `json:"target,omitempty"`
	Print   name         `json:"print,omitempty"`
	AppExec *appExecJSON `json:"app_exec,omitempty"`
	WOF     string       `json:"wof,omitempty"`
	NFS     string       `json:"nfs,omitempty"`
}

// appExecJSON is an ntfs.AppExecLink.
type appExecJSON struct {
	PackageID  string `json:"package_id"`
	AppID      string `json:"app_id"`
	Executable string `json:"executable"`
	Type       string `json:"type"`
}

// namespaces names the kinds of $FILE_NAME.
var namespaces = [4]string{"POSIX", "Win32", "DOS", "Win32 and DOS"}

func (s *statJSON) fail(err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if text := oneLine(err); !slices.Contains(s.errs, text) {
		s.errs = append(s.errs, text)
	}
}

// describeAll is describe with what only stat shows.
func describeAll(path string, n *ntfs.Node) *statJSON {
	s := &statJSON{entryJSON: describe(path, n), Names: []nameJSON{}, SecurityID: n.SecurityID, OwnerID: n.OwnerID, QuotaCharged: n.QuotaCharged, USN: n.USN}
	if s.Error != "" {
		s.errs = append(s.errs, s.Error)
	}
	s.fail(n.Damage)
	names, err := n.Names()
	s.fail(err)
	for _, x := range names {
		s.Names = append(s.Names, nameJSON{name(x.Name), x.Parent.String(), namespaces[x.Namespace&3],
			stamp(x.Times.Created), stamp(x.Times.Modified), stamp(x.Times.Changed), stamp(x.Times.Accessed)})
	}
	raw, err := n.Security()
	s.fail(err)
	if err == nil {
		d, err := security.Decode(raw)
		s.fail(err)
		if d != nil {
			s.Owner, s.SDDL = d.Owner.String(), d.SDDL()
		}
	}
	eas, err := n.EAs()
	s.fail(err)
	for _, e := range eas {
		s.EAs = append(s.EAs, streamJSON{name(e.Name), int64(len(e.Value))})
	}
	if err == nil {
		s.linux(n)
	}
	keys, err := n.EFS()
	s.EFS = len(keys)
	s.fail(err)
	o, err := n.ObjectID()
	s.fail(err)
	if o.Raw != nil {
		s.ObjectID = &objectJSON{o.ID.String(), guidText(o.BirthVolume), guidText(o.BirthObject), guidText(o.Domain)}
	}
	s.reparse(n)
	s.Error = strings.Join(s.errs, "; ")
	return s
}

func guidText(g wintype.GUID) string {
	if g.IsZero() {
		return ""
	}
	return g.String()
}

func (s *statJSON) linux(n *ntfs.Node) {
	x, ok, err := n.LX()
	s.fail(err)
	if !ok {
		return
	}
	s.Linux = &linuxJSON{}
	for _, f := range []struct {
		field ntfs.LXFields
		from  uint32
		to    **uint32
	}{{ntfs.LXUID, x.UID, &s.Linux.UID}, {ntfs.LXGID, x.GID, &s.Linux.GID}, {ntfs.LXMode, x.Mode, &s.Linux.Mode}} {
		if x.Fields&f.field != 0 {
			*f.to = &f.from
		}
	}
	if x.Fields&ntfs.LXDev != 0 {
		s.Linux.Dev = &[2]uint32{x.Dev.Major, x.Dev.Minor}
	}
}

func (s *statJSON) reparse(n *ntfs.Node) {
	r, err := n.Reparse()
	s.fail(err)
	if r == nil {
		if n.ReparseTag != 0 {
			s.Reparse = &reparseJSON{Tag: fmt.Sprintf("0x%08x", n.ReparseTag), Name: ntfs.TagName(n.ReparseTag)}
		}
		return
	}
	j := &reparseJSON{Tag: fmt.Sprintf("0x%08x", r.Tag), Name: ntfs.TagName(r.Tag), Size: len(r.Data), Target: name(r.Target), Print: name(r.Print), AppExec: (*appExecJSON)(r.AppExec)}
	if w := r.WOF; w != nil {
		if j.WOF = w.FormatName(); w.Provider == ntfs.WOFProviderWIM {
			j.WOF = fmt.Sprintf("in WIM %d, SHA-1 %x", w.DataSourceID, w.SHA1)
		} else if j.WOF == "" {
			j.WOF = fmt.Sprintf("format %d", w.Format)
		}
	}
	if r.NFS != nil {
		if j.NFS = r.NFS.Type; r.NFS.Type == "CHR" || r.NFS.Type == "BLK" {
			j.NFS += fmt.Sprintf(" %d:%d", r.NFS.Major, r.NFS.Minor)
		}
	}
	s.Reparse = j
}

func statOne(ctx context.Context, w io.Writer, o *openFlags, location string, asJSON bool) error {
	opened, t, n, stream, err := o.locateFile(ctx, location, false)
	if err != nil {
		return err
	}
	defer opened.Close()
	path := "/" + strings.Trim(t.Path, "/")
	s := describeAll(path, n)
	if n.Kind == ntfs.KindFile || stream != "" {
		v := points.Judge(n, stream)
		s.Verdict, s.Ranges = v.String(), rangesOf(v)
	}
	if asJSON {
		err = json.NewEncoder(w).Encode(s)
	} else {
		tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		s.rows(n, fmt.Sprintf("%s@%s:%s", t.Volume.Name, t.Point.Name, path), func(k, format string, v ...any) {
			fmt.Fprintf(tab, "%s\t%s\n", k, printable(fmt.Sprintf(format, v...)))
		})
		err = tab.Flush()
	}
	if err == nil && len(s.errs) > 0 {
		err = errPartial
	}
	return err
}

// rows gives row what there is to show.
func (s *statJSON) rows(n *ntfs.Node, location string, row func(k, format string, v ...any)) {
	some := func(k, v string) {
		if v != "" {
			row(k, "%s", v)
		}
	}
	row("path", "%s", location)
	row("kind", "%s", s.Kind)
	row("size", "%d (%d allocated)", n.Size, n.Allocated)
	row("modified", "%s", n.Times.Modified)
	row("accessed", "%s", n.Times.Accessed)
	row("changed", "%s", n.Times.Changed)
	row("created", "%s", n.Times.Created)
	row("reference", "%s", n.Ref)
	row("attributes", "%s", strings.Join(s.Attributes, ", "))
	for _, x := range s.Names {
		row("name", "%s in %s (%s)", string(x.Name), x.Parent, x.Namespace)
		row("name times", "modified %s, accessed %s, changed %s, created %s", *x.Mtime, *x.Atime, *x.Ctime, *x.Btime)
	}
	some("owner", s.Owner)
	some("security", s.SDDL)
	if s.SecurityID != 0 {
		row("security id", "0x%x", s.SecurityID)
	}
	if s.USN != 0 {
		row("usn", "%d", s.USN)
	}
	if o := s.ObjectID; o != nil {
		row("object id", "%s", o.ID)
		some("birth volume", o.BirthVolume)
		some("birth object", o.BirthObject)
		some("domain", o.Domain)
	}
	if s.Target != nil {
		row("target", "%s", string(*s.Target))
	}
	if r := s.Reparse; r != nil {
		row("reparse", "%s", strings.TrimSpace(r.Tag+" "+r.Name))
		if a := r.AppExec; a != nil {
			row("alias of", "%s (package %s, application %s, type %s)", a.Executable, a.PackageID, a.AppID, a.Type)
		}
		some("wof", r.WOF)
		some("nfs", r.NFS)
	}
	if x := s.Linux; x != nil {
		row("linux", "%s", x)
	}
	for _, e := range s.EAs {
		row("ea", "%s (%d bytes)", string(e.Name), e.Size)
	}
	if s.EFS > 0 {
		row("encrypted", "EFS, %d bytes of keys", s.EFS)
	}
	for _, st := range s.Streams {
		row("stream", "%s (%d bytes)", string(st.Name), st.Size)
	}
	some("content", s.Verdict)
	for _, e := range s.errs {
		row("error", "%s", e)
	}
}

// String gives the fields that are there.
func (x *linuxJSON) String() string {
	var out []string
	if x.UID != nil {
		out = append(out, fmt.Sprintf("uid %d", *x.UID))
	}
	if x.GID != nil {
		out = append(out, fmt.Sprintf("gid %d", *x.GID))
	}
	if x.Mode != nil {
		out = append(out, fmt.Sprintf("mode %o", *x.Mode))
	}
	if x.Dev != nil {
		out = append(out, fmt.Sprintf("dev %d:%d", x.Dev[0], x.Dev[1]))
	}
	return strings.Join(out, ", ")
}
