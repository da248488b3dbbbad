// Command release makes what is given away: for each system a static binary in an archive with manual pages, completion
// and a list of what is in it (SBOM), packages of Debian and RPM, sums, a Dockerfile, and manifests of package managers.
//
//	go run ./cmd/release -o dist                       everything, as .ci/release does twice and compares
//	go run ./cmd/release -o dist -targets linux/amd64  one system
//	go run ./cmd/release -docs dist                    manual pages and completion only
//
// It builds the work tree, so run it in a clean one. All bytes follow from the commit and the versions of Go and of nfpm:
// times are that of the commit, or SOURCE_DATE_EPOCH. What is laid into archives and packages is in files.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// allTargets are the systems that a release is for.
const allTargets = "linux/amd64,linux/arm64,darwin/amd64,darwin/arm64,windows/amd64,windows/arm64,freebsd/amd64"

// A release is one, under way.
type release struct {
	root    string // of the repository
	out     string
	targets []target
	url     string // of the folder that will serve the files, or empty
	about   about
}

// about is what is said of a release wherever something is said of it.
type about struct {
	Version string // without "v"
	Commit  string
	Date    time.Time // of the commit
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, targets, docs := release{}, "", ""
	flag.StringVar(&r.out, "o", "dist", "the `directory` to write to, which must not be there")
	flag.StringVar(&r.root, "root", ".", "the work `tree` to build")
	flag.StringVar(&r.url, "url", "", "the address of the `folder` that will serve the files; without it manifests of package managers are left out")
	flag.StringVar(&r.about.Version, "version", "", "the version, without \"v\"; without it that of the tag, or one of development")
	flag.StringVar(&targets, "targets", allTargets, "`systems` to build for")
	flag.StringVar(&docs, "docs", "", "write manual pages and completion to this `directory`, and nothing else")
	flag.Parse()
	err := r.describe(ctx)
	if err == nil {
		r.targets, err = parseTargets(targets)
	}
	switch {
	case err != nil:
	case docs != "":
		err = writeDocs(docs, r.about)
	default:
		err = r.make(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// make makes all of it.
func (r *release) make(ctx context.Context) error {
	if _, err := os.Lstat(r.out); err == nil {
		return fmt.Errorf("%s is there already: want a new directory", r.out)
	}
	work, err := os.MkdirTemp("", "snapmount-release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	docs := filepath.Join(work, "docs")
	err = writeDocs(docs, r.about)
	for _, t := range r.targets {
		if err == nil {
			err = r.target(ctx, t, work, docs)
		}
	}
	if err != nil {
		return err
	}
	if r.url == "" {
		fmt.Fprintln(os.Stderr, "release: without -url, no manifests of package managers")
	}
	return errors.Join(r.sums(), r.manifests())
}

// describe fills in what git knows.
func (r *release) describe(ctx context.Context) error {
	commit, err := r.git(ctx, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return err
	}
	seconds := os.Getenv("SOURCE_DATE_EPOCH")
	if seconds == "" {
		if seconds, err = r.git(ctx, "log", "-1", "--format=%ct"); err != nil {
			return err
		}
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("the time of the release: %w", err)
	}
	r.about.Commit, r.about.Date = commit, time.Unix(n, 0).UTC()
	changed, err := r.git(ctx, "status", "--porcelain")
	if err != nil {
		return err
	}
	if changed != "" {
		r.about.Commit += "-changed"
	}
	if r.about.Version == "" {
		said, err := r.git(ctx, "describe", "--tags", "--long", "--match", "v[0-9]*")
		if err != nil { // no tag yet
			count, err := r.git(ctx, "rev-list", "--count", "HEAD")
			if err != nil {
				return err
			}
			said = "v0.0.0-" + count + "-g" + commit
		}
		r.about.Version, err = versionOf(said, changed != "")
		return err
	}
	return nil
}

var described = regexp.MustCompile(`^v(\d+\.\d+\.)(\d+)(-[0-9A-Za-z.]+)?-(\d+)-g([0-9a-f]+)$`)

// versionOf makes a version of what "git describe --long" says: that of the tag, or behind it one of development, which
// is before the next.
func versionOf(said string, changed bool) (string, error) {
	m := described.FindStringSubmatch(said)
	if m == nil {
		return "", fmt.Errorf("tag %q: want v1.2.3", said)
	}
	if m[4] == "0" && !changed {
		return m[1] + m[2] + m[3], nil
	}
	patch, err := strconv.Atoi(m[2])
	if err != nil {
		return "", err
	}
	if m[3] == "" && m[1] != "0.0." {
		patch++
	}
	v := fmt.Sprintf("%s%d-dev.%s.g%s", m[1], patch, m[4], m[5])
	if changed {
		v += ".changed"
	}
	return v, nil
}

func (r *release) git(ctx context.Context, args ...string) (string, error) {
	out, err := run(ctx, r.root, nil, "git", args...)
	return strings.TrimSpace(out), err
}

// run runs a program in a directory, with more in its environment, and returns what it says.
func run(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return string(out), nil
}
