package content

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// A sample is a real file of this machine.
type sample struct {
	name string
	ext  string
	b    []byte
	odd  bool // its SHA-256 is odd: thresholds were set on these, and figures are from the others
}

const (
	largestSample  = 3 << 20
	smallestSample = 64
	perExt         = 10
)

// corpus collects real files of as many extensions as there are, some of each, always the same on the same machine;
// SNAPMOUNT_LONG=1 takes more.
func corpus(t testing.TB) []sample {
	paths := map[string][]string{}
	for _, root := range corpusRoots(t) {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil // what cannot be read is not of the corpus
			}
			if ext := corpusExt(path); ext != "" {
				paths[ext] = append(paths[ext], path)
			}
			return nil
		})
	}
	var all []sample
	seen := map[[32]byte]bool{}
	most := perExt
	if os.Getenv("SNAPMOUNT_LONG") == "1" {
		most *= 3
	}
	for ext, list := range paths {
		slices.Sort(list)
		n := 0
		for i := 0; i < len(list) && n < most; i += 1 + len(list)/(3*most) {
			b := readSample(list[i])
			sum := sha256.Sum256(b)
			if b == nil || seen[sum] {
				continue
			}
			seen[sum] = true
			n++
			all = append(all, sample{name: list[i], ext: ext, b: b, odd: sum[31]&1 == 1})
		}
	}
	slices.SortFunc(all, func(a, b sample) int { return cmp.Or(cmp.Compare(a.ext, b.ext), cmp.Compare(a.name, b.name)) })
	return all
}

func corpusRoots(t testing.TB) []string {
	home, _ := os.UserHomeDir()
	roots := []string{"/usr/share", "/usr/lib", "/usr/local", "/usr/bin", "/usr/include", filepath.Join(home, "go", "pkg", "mod"), filepath.Join(home, ".pyenv"), filepath.Join(home, ".rustup"), "/var/cache/man", filepath.Join(testenv.Root(t), "testdata")}
	if extra := os.Getenv("SNAPMOUNT_CORPUS"); extra != "" {
		roots = append(roots, extra)
	}
	if dir := os.Getenv("SNAPMOUNT_SHARED"); dir != "" {
		return append(roots, filepath.Join(dir, "data"))
	}
	return append(roots, filepath.Join(filepath.Dir(testenv.Root(t)), "shared", "data"))
}

// broken reports whether a path tells that the file is broken on purpose, to test readers.
func broken(path string) bool {
	path = strings.ToLower(path)
	for _, word := range []string{"invalid", "corrupt", "broken", "truncat", "crash", "fuzz", "bad", "fail", "malformed", "issue"} {
		if strings.Contains(path, word) {
			return true
		}
	}
	apps := strings.Contains(path, "/shared/data/") && !strings.Contains(path, "/real/")
	return apps && (strings.Contains(path, "/apps/") || strings.Contains(path, "/registry/"))
}

// corpusExt is the extension of a path, if files of it are taken: those of kinds that a rule knows, and some that none does.
func corpusExt(path string) string {
	name := strings.ToLower(filepath.Base(path))
	if broken(path) {
		return ""
	}
	if strings.HasSuffix(name, ".gz") && strings.Contains(path, "/shared/data/") {
		name = strings.TrimSuffix(name, ".gz")
	}
	ext := strings.TrimPrefix(filepath.Ext(name), ".")
	if fm := byExt()[ext]; fm != nil && (fm.sig != nil || fm.check != nil || fm.class == text) || slices.Contains([]string{"bin", "db", "dat", "obj", "out", "ph", "cache", "rom", "bc", "enc"}, ext) {
		return ext
	}
	return ""
}

func readSample(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") && strings.Contains(path, "/shared/data/") {
		if r, err = gzip.NewReader(f); err != nil {
			return nil
		}
	}
	b, err := io.ReadAll(io.LimitReader(r, largestSample+1))
	if err != nil || len(b) > largestSample || len(b) < smallestSample {
		return nil
	}
	return b
}

// A change makes another content of one; nil when it has nothing to change.
type fileChange struct {
	name string
	make func(b []byte, r *rand.Rand) []byte
}

// damages are ten ways in which ransomware and wipers spoil files.
var damages = []fileChange{
	{"whole file", func(b []byte, r *rand.Rand) []byte { return spoil(b, r, 0, len(b)) }},
	{"whole file and 528 bytes", func(b []byte, r *rand.Rand) []byte {
		b = append(bytes.Clone(b), make([]byte, 528)...)
		return spoil(b, r, 0, len(b))
	}},
	{"first 4 KiB", func(b []byte, r *rand.Rand) []byte { return spoil(b, r, 0, 4096) }},
	{"first 1 MiB", func(b []byte, r *rand.Rand) []byte {
		if len(b) <= 1<<20 {
			return nil
		}
		return spoil(b, r, 0, 1<<20)
	}},
	{"every other 64 KiB", func(b []byte, r *rand.Rand) []byte { return spoilEvery(b, r, 0, 64<<10, 128<<10) }},
	{"first 64 KiB spared", func(b []byte, r *rand.Rand) []byte {
		if len(b) <= 64<<10 {
			return nil
		}
		return spoilEvery(b, r, 64<<10, 64<<10, 128<<10)
	}},
	{"64 KiB in the middle", func(b []byte, r *rand.Rand) []byte {
		if len(b) < 128<<10 {
			return nil
		}
		at := len(b) / 2 &^ 4095
		return spoil(b, r, at, at+64<<10)
	}},
	{"16 of 32 bytes", func(b []byte, r *rand.Rand) []byte { return spoilEvery(b, r, 0, 16, 32) }},
	{"64 of 192 bytes", func(b []byte, r *rand.Rand) []byte { return spoilEvery(b, r, 0, 64, 192) }},
	{"zeros", func(b []byte, _ *rand.Rand) []byte { return make([]byte, len(b)) }},
}

// spoil returns a copy with random bytes from one offset to another.
func spoil(b []byte, r *rand.Rand, from, to int) []byte {
	return spoilEvery(b, r, from, min(to, len(b))-from, len(b)+1)
}

func spoilEvery(b []byte, r *rand.Rand, from, n, step int) []byte {
	b = bytes.Clone(b)
	for at := from; at < len(b); at += step {
		for i := at; i < min(at+n, len(b)); i++ {
			b[i] = byte(r.Uint32())
		}
	}
	return b
}
