package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// bom is a list of what is in a binary, as CycloneDX 1.5 has it.
type bom struct {
	Schema   string `json:"$schema"`
	Format   string `json:"bomFormat"`
	Spec     string `json:"specVersion"`
	Version  int    `json:"version"`
	Metadata struct {
		Timestamp string    `json:"timestamp"`
		Component component `json:"component"`
	} `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Licenses   []license  `json:"licenses,omitempty"`
	Purl       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type license struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type dependency struct {
	Ref  string   `json:"ref"`
	Uses []string `json:"dependsOn"`
}

// sbom lists the modules that a binary says it was linked from, with their sums, and the standard library. That is all
// that is in it: no C is.
func sbom(binary string, a about, t target) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	purl := func(path, version string) string { return fmt.Sprintf("pkg:golang/%s@%s", path, version) }
	b := bom{Schema: "http://cyclonedx.org/schema/bom-1.5.schema.json", Format: "CycloneDX", Spec: "1.5", Version: 1}
	b.Metadata.Timestamp = a.Date.Format(time.RFC3339)
	self := purl("snapmount", "v"+a.Version) + "?goos=" + t.os + "&goarch=" + t.arch
	b.Metadata.Component = component{Type: "application", Ref: self, Name: "snapmount", Version: a.Version, Purl: self, Licenses: make([]license, 1)}
	b.Metadata.Component.Licenses[0].License.ID = "Apache-2.0"
	uses := dependency{Ref: self, Uses: []string{}}
	add := func(m debug.Module) {
		if m.Replace != nil {
			m = *m.Replace
		}
		c := component{Type: "library", Ref: purl(m.Path, m.Version), Name: m.Path, Version: m.Version, Purl: purl(m.Path, m.Version)}
		if m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		b.Components, uses.Uses = append(b.Components, c), append(uses.Uses, c.Ref)
	}
	add(debug.Module{Path: "std", Version: strings.TrimPrefix(info.GoVersion, "go")})
	for _, m := range info.Deps {
		add(*m)
	}
	b.Dependencies = []dependency{uses}
	out, err := json.MarshalIndent(b, "", "  ")
	return append(out, '\n'), err
}
