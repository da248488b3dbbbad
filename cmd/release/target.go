package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// target is a system to build for.
type target struct{ os, arch string }

func parseTargets(list string) (all []target, err error) {
	for word := range strings.SplitSeq(list, ",") {
		if !slices.Contains(strings.Split(allTargets, ","), word) {
			return nil, fmt.Errorf("-targets %s: want some of %s", word, allTargets)
		}
		system, arch, _ := strings.Cut(word, "/")
		all = append(all, target{system, arch})
	}
	return all, nil
}

// name is that of a target's files, without an extension.
func (r *release) name(t target) string {
	return fmt.Sprintf("snapmount_%s_%s_%s", r.about.Version, t.os, t.arch)
}

// archive is the name of a target's archive.
func (r *release) archive(t target) string {
	if t.os == "windows" {
		return r.name(t) + ".zip"
	}
	return r.name(t) + ".tar.gz"
}

// target builds for one system, and writes its archive, its list, and on Linux its packages and its part of the image.
func (r *release) target(ctx context.Context, t target, work, docs string) error {
	binary := filepath.Join(work, t.os+"-"+t.arch, "snapmount")
	if t.os == "windows" {
		binary += ".exe"
	}
	if err := r.build(ctx, t, binary); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	list, err := sbom(binary, r.about, t)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.out, r.name(t)+".cdx.json"), list, 0o644); err != nil {
		return err
	}
	content := []item{{"snapmount" + filepath.Ext(binary), binary, 0o755}}
	for _, f := range []string{"README.md", "CHANGELOG.md", "LICENSE", "cmd/MANUAL.md"} {
		content = append(content, item{f, filepath.Join(r.root, f), 0o644})
	}
	more, err := below(docs, func(name string) bool { return t.os != "windows" || strings.HasPrefix(name, "completion/") })
	if err != nil {
		return err
	}
	if err := writeArchive(filepath.Join(r.out, r.archive(t)), r.name(t), append(content, more...), r.about.Date); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	if err := r.docker(t, binary); err != nil {
		return err
	}
	return r.packages(ctx, t, binary, docs, work)
}

// build builds a static binary, which has no trace of where it was built.
func (r *release) build(ctx context.Context, t target, binary string) error {
	set := func(name, value string) string { return "-X snapmount/cmd." + name + "=" + value }
	flags := strings.Join([]string{"-s", "-w", "-buildid=", set("version", r.about.Version), set("commit", r.about.Commit),
		set("commitDate", r.about.Date.Format(time.DateOnly))}, " ")
	env := []string{"CGO_ENABLED=0", "GOOS=" + t.os, "GOARCH=" + t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GODEBUG=", "GOWORK=off"}
	_, err := run(ctx, r.root, env, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", binary, "./cmd/snapmount")
	return err
}
