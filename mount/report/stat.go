package report

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs"
	"snapmount/ntfs/security"
)

// Stat is one object of "stat --json".
type Stat struct {
	Entry
	Names        []FileName `json:"names"`               // of the file, each with times of its own
	SecurityID   uint32     `json:"security_id"`         // in $Secure; 0 where the file has a descriptor of its own
	Owner        string     `json:"owner,omitempty"`     // SID
	SDDL         string     `json:"sddl,omitempty"`      // owner, group and permissions
	OwnerID      uint32     `json:"owner_id"`            // of quotas
	QuotaCharged uint64     `json:"quota_charged"`       // bytes
	USN          int64      `json:"usn"`                 // of the last change, in the change journal
	EAs          []Stream   `json:"eas,omitempty"`       // extended attributes
	EFS          int        `json:"efs,omitempty"`       // bytes of keys of an encrypted file
	Linux        *Linux     `json:"linux,omitempty"`     // what WSL keeps
	ObjectID     *ObjectID  `json:"object_id,omitempty"` // by which links find the file
	Reparse      *Reparse   `json:"reparse,omitempty"`   // reparse point
	// TrustBytes are those that the volume keeps of a file of a deleted snapshot, with its records, by what they rest on.
	TrustBytes *CarvedShares `json:"trust_bytes,omitempty"`

	errs []string
}

// FileName is a $FILE_NAME. Its times are as of when the name was given, mostly.
type FileName struct {
	Name      Name    `json:"name"`      // without a path
	Parent    string  `json:"parent"`    // reference of the directory
	Namespace string  `json:"namespace"` // POSIX, Win32, DOS, or Win32 and DOS
	Btime     *string `json:"btime"`     // created
	Mtime     *string `json:"mtime"`     // content modified
	Ctime     *string `json:"ctime"`     // change of the record
	Atime     *string `json:"atime"`     // last access
}

// Linux is what WSL keeps in extended attributes.
type Linux struct {
	UID  *uint32    `json:"uid,omitempty"`  // owner
	GID  *uint32    `json:"gid,omitempty"`  // group
	Mode *uint32    `json:"mode,omitempty"` // type and permissions
	Dev  *[2]uint32 `json:"dev,omitempty"`  // major, minor
}

// ObjectID is an $OBJECT_ID.
type ObjectID struct {
	ID          string `json:"id"`                     // GUID
	BirthVolume string `json:"birth_volume,omitempty"` // GUID of the volume that the file came from
	BirthObject string `json:"birth_object,omitempty"` // GUID that the file had first
	Domain      string `json:"domain,omitempty"`       // GUID
}

// Reparse is a $REPARSE_POINT.
type Reparse struct {
	Tag     string   `json:"tag"`                // 0x and eight hexadecimal digits
	Name    string   `json:"name,omitempty"`     // of the tag
	Size    int      `json:"size"`               // bytes of data
	Target  Name     `json:"target,omitempty"`   // of a link, as Windows has it
	Print   Name     `json:"print,omitempty"`    // the target, as it is to be shown
	AppExec *AppExec `json:"app_exec,omitempty"` // of an alias of an application
	WOF     string   `json:"wof,omitempty"`      // how the system compressed the file
	NFS     string   `json:"nfs,omitempty"`      // type of a special file of NFS, with its device numbers
}

// AppExec is an ntfs.AppExecLink.
type AppExec struct {
	PackageID  string `json:"package_id"` // of the package
	AppID      string `json:"app_id"`     // of the application
	Executable string `json:"executable"` // path of the program
	Type       string `json:"type"`       // of the application
}

// namespaces names the kinds of $FILE_NAME.
var namespaces = [4]string{"POSIX", "Win32", "DOS", "Win32 and DOS"}

func (s *Stat) fail(err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return
	}
	if text := OneLine(err); !slices.Contains(s.errs, text) {
		s.errs = append(s.errs, text)
	}
}

// Errors are what could not be read; Error has all of them.
func (s *Stat) Errors() []string { return s.errs }

// StatOf is EntryOf with what only stat shows. stream is the one whose verdict is wanted.
func StatOf(p *points.Point, path, stream string, n *ntfs.Node) *Stat {
	s := &Stat{Entry: EntryOf(p, path, n), Names: []FileName{}, SecurityID: n.SecurityID, OwnerID: n.OwnerID, QuotaCharged: n.QuotaCharged, USN: n.USN}
	if s.Error != "" {
		s.errs = append(s.errs, s.Error)
	}
	if n.Kind == ntfs.KindFile || stream != "" {
		v := points.Judge(n, stream)
		s.Verdict, s.Ranges = v.String(), GapsOf(v)
	}
	if s.Trust > 0 {
		shares := sharesOf(p.SharesIn(n, stream))
		s.Trust, s.TrustBytes = p.TrustIn(n, stream), &shares
	}
	s.fail(n.Damage)
	names, err := n.Names()
	s.fail(err)
	for _, x := range names {
		s.Names = append(s.Names, FileName{Name(x.Name), x.Parent.String(), namespaces[x.Namespace&3],
			stamp(x.Times.Created), stamp(x.Times.Modified), stamp(x.Times.Changed), stamp(x.Times.Accessed)})
	}
	s.security(n)
	s.extended(n)
	keys, err := n.EFS()
	s.EFS = len(keys)
	s.fail(err)
	o, err := n.ObjectID()
	s.fail(err)
	if o.Raw != nil {
		s.ObjectID = &ObjectID{o.ID.String(), guidText(o.BirthVolume), guidText(o.BirthObject), guidText(o.Domain)}
	}
	s.reparse(n)
	s.Error = strings.Join(s.errs, "; ")
	return s
}

func (s *Stat) security(n *ntfs.Node) {
	raw, err := n.Security()
	if err != nil {
		s.fail(err)
		return
	}
	d, err := security.Decode(raw)
	s.fail(err)
	if d != nil {
		s.Owner, s.SDDL = d.Owner.String(), d.SDDL()
	}
}

// extended is about the extended attributes, and what WSL keeps in them.
func (s *Stat) extended(n *ntfs.Node) {
	eas, err := n.EAs()
	s.fail(err)
	for _, e := range eas {
		s.EAs = append(s.EAs, Stream{Name(e.Name), int64(len(e.Value))})
	}
	if err == nil {
		s.linux(n)
	}
}

func guidText(g wintype.GUID) string {
	if g.IsZero() {
		return ""
	}
	return g.String()
}

func (s *Stat) linux(n *ntfs.Node) {
	x, ok, err := n.LX()
	s.fail(err)
	if !ok {
		return
	}
	s.Linux = &Linux{}
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

func (s *Stat) reparse(n *ntfs.Node) {
	r, err := n.Reparse()
	s.fail(err)
	if r == nil {
		if n.ReparseTag != 0 {
			s.Reparse = &Reparse{Tag: fmt.Sprintf("0x%08x", n.ReparseTag), Name: ntfs.TagName(n.ReparseTag)}
		}
		return
	}
	j := &Reparse{Tag: fmt.Sprintf("0x%08x", r.Tag), Name: ntfs.TagName(r.Tag), Size: len(r.Data), Target: Name(r.Target), Print: Name(r.Print), AppExec: (*AppExec)(r.AppExec)}
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

// String gives the fields that are there.
func (x *Linux) String() string {
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
