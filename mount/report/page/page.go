// Package page makes one page of HTML to hand over: what an image is, its hashes, volumes and points in time, what is
// damaged, and the versions of chosen files with their hashes.
//
// The page needs nothing else: no script, no picture and nothing from elsewhere, which its own policy forbids a browser,
// too. Whatever names and texts an image has, they are text on it: html/template escapes them, and Write what could act
// where a page is shown as text. The same of an image makes the same page, but for when it was made.
package page

import (
	"bytes"
	_ "embed"
	"html/template"
	"io"
	"slices"

	"snapmount/imagefmt/wintype"
	"snapmount/mount/report"
)

// A Page is all that is on it. What comes from an image stands as it is.
type Page struct {
	Tool                  string // name and version
	Made                  string // RFC 3339, UTC
	Case, Examiner, Notes string // as who made it says
	Info                  report.Info
	Verified              []report.Verify // of each image of Info; empty where they were not read
	Chosen                bool            // files were asked for
	Files                 []File
	Searched              []string // a line for each pattern: what it found
	Lost                  []string // lines of what could not be looked at

	has map[string]bool // files, by their versions
}

// A File is one that was chosen, with its versions, oldest first.
type File struct {
	Location string
	Versions []report.Version
}

//go:embed page.html
var source string

var layout = template.Must(template.New("page").Funcs(template.FuncMap{
	"shown": func(v any) string { return shown(v) },
	"verified": func(p *Page, i int) *report.Verify {
		if i < len(p.Verified) {
			return &p.Verified[i]
		}
		return nil
	},
}).Parse(source))

// shown is a text without what could act: a line end in a name too. A pointer to none is empty.
func shown(v any) string {
	switch s := v.(type) {
	case string:
		return wintype.Printable(s)
	case report.Name:
		return wintype.Printable(string(s))
	case *string:
		if s != nil {
			return wintype.Printable(*s)
		}
	case *report.Name:
		if s != nil {
			return wintype.Printable(string(*s))
		}
	}
	return ""
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	var b bytes.Buffer
	if err := layout.Execute(&b, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, wintype.PrintableLines(b.String()))
	return err
}

// States lists what volumes say of themselves that bears on what they show, and is no damage.
func (p *Page) States() (list []string) {
	for _, v := range p.Info.Volumes {
		if v.NTFS == nil {
			continue
		}
		if v.NTFS.Dirty {
			list = append(list, v.Name+": is marked dirty: Windows wanted a check of it")
		}
		if v.NTFS.Log == "dirty" {
			list = append(list, v.Name+": its log was not replayed: what was changed last may be missing or half done")
		}
		if v.NTFS.Hibernated {
			list = append(list, v.Name+": is hibernated: hiberfil.sys has what is not on the volume")
		}
	}
	return list
}

// Locked lists the volumes that nothing which was given opens.
func (p *Page) Locked() (list []string) {
	for _, img := range p.Info.Images {
		for _, name := range img.Locked {
			list = append(list, img.Path+": "+name+": is locked by BitLocker, and was not looked into")
		}
	}
	return list
}

// Damages lists what of the images is damaged or missing, as far as it was met.
func (p *Page) Damages() (list []string) {
	for _, img := range p.Info.Images {
		for _, f := range img.Faults {
			list = append(list, img.Path+": "+f)
		}
	}
	for _, v := range p.Info.Volumes {
		for _, f := range v.Faults {
			list = append(list, v.Name+": "+f)
		}
		for _, point := range v.Points {
			if point.Damage != nil {
				list = append(list, v.Name+"@"+point.Name+": "+*point.Damage)
			}
		}
	}
	for _, v := range p.Verified {
		for _, h := range v.Hashes {
			if h.Stored != nil && *h.Stored != h.Computed {
				list = append(list, v.Image+": "+h.Name+" is not the one that is stored")
			}
		}
		for _, f := range v.Faults {
			list = append(list, v.Image+": "+f)
		}
		for _, b := range v.Bad {
			list = append(list, badLine(v.Image, b))
		}
	}
	return append(list, p.Warnings()...)
}

// Warnings are those of the images, but for what Locked lists.
func (p *Page) Warnings() (list []string) {
	for _, w := range p.Info.Warnings {
		if !slices.ContainsFunc(p.Info.Volumes, func(v report.Volume) bool { return v.Locked != nil && w == v.Name+": "+v.Locked.Error }) {
			list = append(list, w)
		}
	}
	return list
}
