package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
	"time"
)

// nfpm makes packages of Debian and RPM.
const nfpm = "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"

// files are the templates; each is filled with a page.
//
//go:embed files
var files embed.FS

// page is what templates are filled with.
type page struct {
	about
	URL   string
	Arch  string            // of a package
	Stage string            // what its files are in
	Deb   bool              // it is one of Debian
	Sums  map[string]string // of archives, by os_arch
	Stamp string            // the date in RFC 3339
	Day   string            // without the time
	Upper map[string]string // Sums in upper case
}

func (r *release) page() page {
	return page{about: r.about, URL: strings.TrimSuffix(r.url, "/"), Stamp: r.about.Date.Format(time.RFC3339), Day: r.about.Date.Format(time.DateOnly)}
}

// filled fills a template; what it has no value for is an error.
func filled(name string, p page) ([]byte, error) {
	text, err := fs.ReadFile(files, "files/"+name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, p)
	return b.Bytes(), err
}

// packages lays the files of a Linux out, and has nfpm pack them.
func (r *release) packages(ctx context.Context, t target, binary, docs, work string) error {
	stage := filepath.Join(work, "stage-"+t.arch)
	if err := r.stage(stage, binary, docs); err != nil {
		return err
	}
	for _, kind := range []string{"deb", "rpm"} {
		p := r.page()
		p.Arch, p.Stage, p.Deb = t.arch, filepath.ToSlash(stage), kind == "deb"
		config, err := filled("nfpm.yaml", p)
		if err != nil {
			return err
		}
		path := filepath.Join(work, kind+"-"+t.arch+".yaml")
		if err := os.WriteFile(path, config, 0o644); err != nil {
			return err
		}
		out, err := filepath.Abs(filepath.Join(r.out, r.name(t)+"."+kind))
		if err != nil {
			return err
		}
		epoch := fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.about.Date.Unix())
		if _, err := run(ctx, work, []string{epoch, "GOFLAGS="}, "go", "run", nfpm, "package", "-f", path, "-p", kind, "-t", out); err != nil {
			return err
		}
	}
	return nil
}

// stage lays out what a package holds. Modes are in nfpm.yaml.
func (r *release) stage(stage, binary, docs string) error {
	unit := filepath.Join(r.root, "cmd", "snapmount", "snapmount@.service")
	for _, f := range []item{
		{"snapmount", binary, 0o755},
		{"snapmount@.service", unit, 0o644},
		{"snapmount.bash", filepath.Join(docs, "completion", "snapmount.bash"), 0o644},
		{"_snapmount", filepath.Join(docs, "completion", "_snapmount"), 0o644},
		{"snapmount.fish", filepath.Join(docs, "completion", "snapmount.fish"), 0o644},
		{"README.md", filepath.Join(r.root, "README.md"), 0o644},
		{"LICENSE", filepath.Join(r.root, "LICENSE"), 0o644},
		{"changelog.gz", filepath.Join(r.root, "CHANGELOG.md"), 0o644},
	} {
		if err := place(filepath.Join(stage, f.name), f.path, f.mode); err != nil {
			return err
		}
	}
	copyright, err := filled("copyright", r.page())
	if err == nil {
		err = os.WriteFile(filepath.Join(stage, "copyright"), copyright, 0o644)
	}
	if err != nil {
		return err
	}
	pages, err := below(filepath.Join(docs, "man"), func(string) bool { return true })
	for _, m := range pages {
		if err == nil {
			section := m.name[len(m.name)-1:]
			err = place(filepath.Join(stage, "man"+section, m.name+".gz"), m.path, m.mode)
		}
	}
	return err
}

// place copies a file, packed if its name says so.
func place(to, from string, mode fs.FileMode) error {
	content, err := os.ReadFile(from)
	if err == nil && strings.HasSuffix(to, ".gz") {
		content, err = gzipped(content)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, mode)
}

// docker lays out a folder for "docker buildx build": the Dockerfile, and a binary for each platform.
func (r *release) docker(t target, binary string) error {
	dockerfile, err := filled("Dockerfile", r.page())
	if err != nil {
		return err
	}
	folder := filepath.Join(r.out, "docker")
	if err := place(filepath.Join(folder, t.os, t.arch, "snapmount"), binary, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "Dockerfile"), dockerfile, 0o644)
}

// manifests are filled with the sums of the archives that they name.
var manifests = map[string]string{
	"snapmount.rb":          "homebrew/snapmount.rb",
	"scoop.json":            "scoop/snapmount.json",
	"winget/version.yaml":   "winget/snapmount.snapmount.yaml",
	"winget/installer.yaml": "winget/snapmount.snapmount.installer.yaml",
	"winget/locale.yaml":    "winget/snapmount.snapmount.locale.en-US.yaml",
}

// manifests writes those of package managers, where it is known from where they take the archives.
func (r *release) manifests() error {
	if r.url == "" {
		return nil
	}
	p := r.page()
	p.Sums, p.Upper = map[string]string{}, map[string]string{}
	for _, t := range r.targets {
		sum, err := sha256Of(filepath.Join(r.out, r.archive(t)))
		if err != nil {
			return err
		}
		p.Sums[t.os+"_"+t.arch], p.Upper[t.os+"_"+t.arch] = sum, strings.ToUpper(sum)
	}
	for from, to := range manifests {
		content, err := filled(from, p)
		if err != nil {
			return err
		}
		path := filepath.Join(r.out, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
