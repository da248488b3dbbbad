package report

import (
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
	"snapmount/ntfs/attack"
)

// Attack is the document of "attack --json".
type Attack struct {
	Schema   int            `json:"schema"`   // the version of this JSON
	Attack   bool           `json:"attack"`   // a step of any volume is one
	Complete bool           `json:"complete"` // all that could tell of one was looked at
	Volumes  []AttackVolume `json:"volumes"`  // those with two points to compare, at least
	Lost     []string       `json:"lost"`     // lines: what could not be looked at
}

// AttackVolume is what became of the files of a volume over its points.
type AttackVolume struct {
	Image    string       `json:"image"`    // as it was named
	Volume   string       `json:"volume"`   // its name
	Location Name         `json:"location"` // IMAGE:VOLUME
	Points   []string     `json:"points"`   // that were compared, oldest first
	Closed   int          `json:"closed"`   // points that could not be opened
	Read     bool         `json:"read"`     // the content of files that changed was judged; without, no step is an attack
	Same     int          `json:"same"`     // files that are the same at all points, and were not judged
	Judged   int          `json:"judged"`   // files whose content was held against what it was before
	Steps    []AttackStep `json:"steps"`    // from one point to the next, those with evidence
	Files    []AttackFile `json:"files"`    // that are damaged, gone in an attack, undecided, or could not be read; by path
}

// AttackStep is the evidence of what happened from one point to the next.
type AttackStep struct {
	From       string            `json:"from"`       // point
	To         string            `json:"to"`         // point
	Attack     bool              `json:"attack"`     // the content of most files of a burst, or most that changed in a folder, is spoiled
	Begin      *string           `json:"begin"`      // when the first file was spoiled, by the change journal where that has all of them, else by their records; null where that is not known
	End        *string           `json:"end"`        // when the last one was
	Records    AttackSpan        `json:"records"`    // the change times of the records of what was spoiled
	Journal    AttackSpan        `json:"journal"`    // what the change journal has of it
	Log        AttackLog         `json:"log"`        // where in the log of the file system the records of what was spoiled were changed
	Spoiled    int               `json:"spoiled"`    // files that were spoiled then, and are damaged now
	Torn       int               `json:"torn"`       // files that were damaged otherwise in an attack, and are so now
	Gone       int               `json:"gone"`       // files that went without a trace in an attack
	Removed    int               `json:"removed"`    // files that are gone since, for whatever reason
	Folders    []AttackFolder    `json:"folders"`    // of what was spoiled or went, those with most files first
	Extensions []AttackExtension `json:"extensions"` // that spoiled files got
	Notes      []AttackNote      `json:"notes"`      // small texts that are new in many folders
	Bursts     []AttackBurst     `json:"bursts"`     // of changes, as file records tell
}

// AttackSpan is when files were changed, as one witness has it.
type AttackSpan struct {
	Files   int     `json:"files"`   // of which it tells
	First   *string `json:"first"`   // time
	Last    *string `json:"last"`    // time
	From    *string `json:"from"`    // time: without the earliest and the latest of twenty
	To      *string `json:"to"`      // time: likewise
	Outside int     `json:"outside"` // files whose time does not lie between the two points
}

// AttackLog is where in the log of the file system records were changed, which no clock can set.
type AttackLog struct {
	Files  int    `json:"files"`  // that have a log sequence number; 0 where the driver kept no log
	First  uint64 `json:"first"`  // log sequence number
	Last   uint64 `json:"last"`   // log sequence number
	Others int    `json:"others"` // files that were changed between the two, and were not spoiled
}

// AttackFolder is how many files lie in a directory, not below it.
type AttackFolder struct {
	Path  Name `json:"path"`  // from the root on
	Files int  `json:"files"` // in it
}

// AttackExtension is how many files got an extension.
type AttackExtension struct {
	Extension Name `json:"extension"` // without its dot
	Files     int  `json:"files"`     // that got it
}

// AttackNote is a small text that is new in many folders.
type AttackNote struct {
	Name     Name  `json:"name"`     // of the first of them
	Files    int   `json:"files"`    // in all
	Folders  int   `json:"folders"`  // that they lie in, and that were there before
	Same     int   `json:"same"`     // files with the content of the first
	Size     int64 `json:"size"`     // bytes of the first
	Location Name  `json:"location"` // of the first
}

// AttackBurst is many files of which file records tell the same.
type AttackBurst struct {
	Sign      string         `json:"sign"`      // renamed, replaced (by new files), rewritten or removed
	Extension Name           `json:"extension"` // the new one, without its dot
	Attack    bool           `json:"attack"`    // the content of most is spoiled
	Mass      bool           `json:"mass"`      // more than 50 files, and one in five of a folder
	Folder    Name           `json:"folder"`    // that all lie below
	Files     int            `json:"files"`     // in the burst
	Of        int            `json:"of"`        // files that the folder had
	Spoiled   int            `json:"spoiled"`   // files whose content is replaced
	Torn      int            `json:"torn"`      // files that are damaged otherwise
	Whole     int            `json:"whole"`     // files with other content that is sound
	Unchanged int            `json:"unchanged"` // files with the content that they had
	Undecided int            `json:"undecided"` // files on which no rule knows
	Unknown   int            `json:"unknown"`   // files whose content is not known
	Folders   []AttackFolder `json:"folders"`   // those with most files first
}

// AttackFile is a file that is damaged, gone or undecided, and the version that restore --last-good takes.
type AttackFile struct {
	Path     Name         `json:"path"`             // as it is now, or was last
	Ref      string       `json:"ref"`              // of the file
	Gone     bool         `json:"gone"`             // it is not there any more
	Outcome  string       `json:"outcome"`          // found, none (no good version), undecided or unread
	State    string       `json:"state"`            // of what is there now, or was last
	Rule     string       `json:"rule"`             // that led to the state
	Why      string       `json:"why"`              // in words
	Versions int          `json:"versions"`         // contents over all points, that one among them
	Chosen   *AttackGood  `json:"chosen"`           // null where nothing is good
	Passed   []AttackPass `json:"passed"`           // versions between, newest first, and why they were not taken
	After    *string      `json:"after"`            // point after which it was spoiled or went; null where that is not known
	Orphan   bool         `json:"orphan,omitempty"` // path is only the end of one
}

// AttackGood is the version of a file that is taken.
type AttackGood struct {
	Version  int    `json:"version"`  // counts from 1
	First    string `json:"first"`    // point
	Last     string `json:"last"`     // point, which it is taken from
	Path     Name   `json:"path"`     // as it was then
	Location Name   `json:"location"` // of it
	Size     int64  `json:"size"`     // bytes
	State    string `json:"state"`    // whole, open, recoverable, or undecided
	Rule     string `json:"rule"`     // that led to the state
	Why      string `json:"why"`      // in words
	Because  string `json:"because"`  // good, or older than the attack
}

// AttackPass is a version that was passed over.
type AttackPass struct {
	Version int    `json:"version"` // counts from 1
	Last    string `json:"last"`    // point
	Why     string `json:"why"`     // state and reason
}

// AttackOf describes what a survey found on a volume. shown are the points by its numbers, closed those that could not be opened.
func AttackOf(v *points.Volume, shown []*points.Point, closed int, read bool, s *attack.Survey) AttackVolume {
	out := AttackVolume{Image: v.Image.Path, Volume: v.Name, Location: Name(v.Image.Path + ":" + v.OwnName()), Points: []string{}, Closed: closed, Read: read,
		Same: s.Same, Judged: s.Judged, Steps: []AttackStep{}, Files: []AttackFile{}}
	for _, p := range shown {
		out.Points = append(out.Points, p.Name)
	}
	for i := range s.Steps {
		out.Steps = append(out.Steps, stepOf(shown, &s.Steps[i]))
	}
	for i := range s.Files {
		out.Files = append(out.Files, AttackFileOf(shown, &s.Files[i]))
	}
	return out
}

func stepOf(shown []*points.Point, st *attack.Step) AttackStep {
	out := AttackStep{From: shown[st.From].Name, To: shown[st.To].Name, Attack: st.Attack, Records: spanOf(st.Records), Journal: spanOf(st.Journal), Log: AttackLog{st.Log.Files, st.Log.First, st.Log.Last, st.Log.Others},
		Spoiled: st.Spoiled, Torn: st.Torn, Gone: st.Gone, Removed: st.Removed, Folders: foldersOf(st.Folders), Extensions: []AttackExtension{}, Notes: []AttackNote{}, Bursts: []AttackBurst{}}
	when := spanOf(st.When())
	out.Begin, out.End = when.First, when.Last
	for _, e := range st.Extensions {
		out.Extensions = append(out.Extensions, AttackExtension{Name(e.Name), e.Files})
	}
	for _, n := range st.Notes {
		out.Notes = append(out.Notes, AttackNote{Name(n.Name), n.Files, n.Folders, n.Same, n.Size, Name(Location(shown[n.To]) + ":" + n.Path)})
	}
	for _, b := range st.Bursts {
		out.Bursts = append(out.Bursts, AttackBurst{b.Sign.String(), Name(b.Ext), b.Attack, b.Mass, folderName(b.Folder), b.Files, b.Of, b.Spoiled, b.Torn, b.Whole, b.Unchanged,
			b.Undecided, b.Unknown, foldersOf(b.Folders)})
	}
	return out
}

func spanOf(s attack.Span) AttackSpan {
	out := AttackSpan{Files: s.Files, Outside: s.Outside}
	if s.Files > 0 {
		at := func(t wintype.Filetime) *string { return stamp(t) }
		out.First, out.Last, out.From, out.To = at(s.First), at(s.Last), at(s.From), at(s.To)
	}
	return out
}

func foldersOf(list []attack.Folder) []AttackFolder {
	out := []AttackFolder{}
	for _, f := range list {
		out = append(out, AttackFolder{folderName(f.Path), f.Files})
	}
	return out
}

// folderName is the path of a directory, that of the root among them.
func folderName(path string) Name {
	if path == "" {
		path = "/"
	}
	return Name(path)
}

// AttackFileOf describes a file. shown are the points by the numbers of its survey.
func AttackFileOf(shown []*points.Point, f *attack.File) AttackFile {
	out := AttackFile{Path: Name(f.Path), Ref: f.Ref.String(), Gone: f.Gone, Outcome: f.Outcome.String(), State: f.Verdict.State.String(), Rule: f.Verdict.Rule.String(),
		Why: f.Verdict.Why, Versions: len(f.Versions), Passed: []AttackPass{}, Orphan: f.Orphan}
	if f.Step >= 0 {
		out.After = text(shown[f.Step].Name)
	}
	for _, p := range f.Passed {
		out.Passed = append(out.Passed, AttackPass{p.Version + 1, shown[f.Versions[p.Version].Last].Name, p.Why})
	}
	if v := f.Version(); v != nil {
		out.Chosen = &AttackGood{f.Pick + 1, shown[v.First].Name, shown[v.Last].Name, Name(v.Path), Name(Location(shown[v.Last]) + ":" + v.Path), v.Size,
			f.Chosen.State.String(), f.Chosen.Rule.String(), f.Chosen.Why, f.Because}
	}
	return out
}
