package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// A house is what ARCHITECTURE.md says of packages. Names are without "snapmount/".
type house struct {
	arrows map[string][]string // of each package, those that it may import directly
	fences map[string][]string // of a module, or a package of the standard library, the packages that may import it
	never  map[string][]string // of each package, and those below it, what no chain of imports may lead to
}

// anyone may import these, and no row says so.
var anyone = []string{"imagefmt/wintype"}

// plain packages import the standard library only.
var plain = []string{"imagefmt/layer", "imagefmt/wintype"}

// readHouse reads the three tables. A name counts where it is between backticks.
func readHouse(text string) (h house, err error) {
	if h.arrows, err = readTable(text, "| package | may import | contract |\n"); err != nil {
		return h, err
	}
	if h.fences, err = readTable(text, "| module | imported only by |\n"); err != nil {
		return h, err
	}
	h.never, err = readTable(text, "| package | never reaches | because |\n")
	return h, err
}

// readTable gives, by the names of the first column, those of the second.
func readTable(text, header string) (map[string][]string, error) {
	_, body, found := strings.Cut(text, header+strings.Repeat("|---", strings.Count(header, "|")-1)+"|\n")
	if !found {
		return nil, fmt.Errorf("no table begins with %q", header)
	}
	out := map[string][]string{}
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		empty := func(cell string) bool { return strings.TrimSpace(cell) == "" }
		if len(cells) != strings.Count(header, "|")-1 || slices.ContainsFunc(cells, empty) {
			return nil, fmt.Errorf("an empty cell, or not one for each column: %s", line)
		}
		for _, name := range names(cells[0]) {
			if _, twice := out[name]; twice {
				return nil, fmt.Errorf("two rows of %s", name)
			}
			out[name] = names(cells[1])
		}
	}
	return out, nil
}

var backticks = regexp.MustCompile("`([^`]+)`")

func names(cell string) (out []string) {
	for _, m := range backticks.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	return out
}

// broken names what imports are against the house, each with the chain of packages that leads there, and what the house
// says of nothing.
func (h house) broken(imports map[string][]string) (out []string) {
	used := map[string]bool{}
	for name, list := range imports {
		if _, known := h.arrows[name]; !known {
			out = append(out, fmt.Sprintf("package %s has no row", name))
		}
		way := chain(imports, "cmd/snapmount", name)
		if way == nil {
			way = []string{name} // of tests, or a program of its own
		}
		for _, imp := range list {
			_, own := imports[imp]
			for _, why := range h.against(name, imp, own, used) {
				out = append(out, fmt.Sprintf("broken arrow: %s -> %s: %s", strings.Join(way, " -> "), imp, why))
			}
		}
		out = append(out, h.reached(imports, name)...)
	}
	out = append(out, h.unused(imports, used)...)
	slices.Sort(out)
	return out
}

// against says why a package may not import another, or a module, and notes the rights that it uses.
func (h house) against(name, imp string, own bool, used map[string]bool) (why []string) {
	rights, known := h.arrows[name]
	foreign := !own && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".")
	fenced := false
	right := slices.IndexFunc(rights, func(r string) bool { return covers(r, imp) })
	switch {
	case own && right >= 0:
		used[name+" -> "+rights[right]] = true
	case own && known && !slices.Contains(anyone, imp):
		why = append(why, "no row of the table allows it")
	case foreign && slices.Contains(plain, name):
		why = append(why, "only the standard library may be imported")
	}
	for module, owners := range h.fences {
		if module != imp && !covers(module+"/*", imp) {
			continue
		}
		fenced = true
		if used[module+" <- "+name] = true; !slices.Contains(owners, name) {
			why = append(why, fmt.Sprintf("only %q may", owners))
		}
	}
	if foreign && !fenced {
		why = append(why, "no row names this module")
	}
	return why
}

// reached names what a package reaches and never may.
func (h house) reached(imports map[string][]string, name string) (out []string) {
	for room, list := range h.never {
		if room != name && !covers(room+"/*", name) {
			continue
		}
		for _, end := range list {
			if c := chain(imports, name, end); len(c) > 1 {
				out = append(out, fmt.Sprintf("broken arrow: %s, which %s never may reach", strings.Join(c, " -> "), room))
			}
		}
	}
	return out
}

// unused names the rights that nobody uses, and rows of packages that are not there.
func (h house) unused(imports map[string][]string, used map[string]bool) (out []string) {
	for name, rights := range h.arrows {
		if _, there := imports[name]; !there {
			out = append(out, fmt.Sprintf("the row of %s is of no package", name))
			continue
		}
		for _, right := range rights {
			if !used[name+" -> "+right] {
				out = append(out, fmt.Sprintf("nobody uses the right of %s to import %s", name, right))
			}
		}
	}
	for module, owners := range h.fences {
		for _, name := range owners {
			if !used[module+" <- "+name] {
				out = append(out, fmt.Sprintf("nobody uses the right of %s to import %s", name, module))
			}
		}
	}
	return out
}

// covers reports whether a name is meant; a trailing /* stands for every package below.
func covers(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, dir)
	}
	return pattern == name
}

// chain gives a shortest way of imports from a package to one that a pattern covers; nil where there is none.
func chain(imports map[string][]string, from, to string) []string {
	ways := [][]string{{from}}
	seen := map[string]bool{from: true}
	for ; len(ways) > 0; ways = ways[1:] {
		last := ways[0][len(ways[0])-1]
		if covers(to, last) {
			return ways[0]
		}
		for _, imp := range imports[last] {
			if !seen[imp] {
				seen[imp] = true
				ways = append(ways, append(slices.Clone(ways[0]), imp))
			}
		}
	}
	return nil
}

// listImports gives the direct imports of all packages, tests left out, on all systems together.
func listImports(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, system := range []string{"linux", "darwin", "freebsd", "windows"} {
		cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...", "./testdata/make", "./testdata/bench/...")
		cmd.Dir, cmd.Env = testenv.Root(t), append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", cmd, err)
		}
		for d := json.NewDecoder(strings.NewReader(string(b))); ; {
			var p struct {
				ImportPath string
				Imports    []string
			}
			if err := d.Decode(&p); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(p.ImportPath, "snapmount/")
			all := out[name]
			for _, imp := range p.Imports {
				all = append(all, strings.TrimPrefix(imp, "snapmount/"))
			}
			slices.Sort(all)
			out[name] = slices.Compact(all)
		}
	}
	return out
}

// TestArrows holds the imports against the tables of ARCHITECTURE.md.
func TestArrows(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	h, err := readHouse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	imports := listImports(t)
	for _, s := range h.broken(imports) {
		t.Error(s)
	}
	if len(imports) < 30 || len(h.fences) < 5 || len(h.never) < 3 {
		t.Errorf("%d packages, %d fences, %d that never reach something", len(imports), len(h.fences), len(h.never))
	}
}

// TestArrowsTold has a small house in which everything is wrong once.
func TestArrowsTold(t *testing.T) {
	h := house{
		arrows: map[string][]string{"cmd/snapmount": {"cmd"}, "cmd": {"mount/*", "ntfs"}, "mount/tree": {"diffstore"}, "ntfs": {}, "ntfs/gone": {}, "imagefmt/layer": {}, "imagefmt/wintype": {}},
		fences: map[string][]string{"example.org/fuse": {"mount"}, "net/http": {}},
		never:  map[string][]string{"mount": {"example.org/*"}, "diffstore": {"ntfs"}},
	}
	got := h.broken(map[string][]string{
		"cmd/snapmount": {"cmd"}, "cmd": {"fmt", "mount/tree"}, "mount/tree": {"diffstore", "imagefmt/wintype", "net/http"}, "diffstore": {"imagefmt/layer"},
		"imagefmt/layer": {"example.org/fuse/low", "ntfs"}, "imagefmt/wintype": {}, "ntfs": {"example.org/fuse", "example.org/other"},
	})
	way := "cmd/snapmount -> cmd -> mount/tree -> diffstore -> imagefmt/layer"
	want := []string{
		"broken arrow: " + way + " -> example.org/fuse/low: only [\"mount\"] may",
		"broken arrow: " + way + " -> example.org/fuse/low: only the standard library may be imported",
		"broken arrow: " + way + " -> ntfs -> example.org/fuse: only [\"mount\"] may",
		"broken arrow: " + way + " -> ntfs -> example.org/other: no row names this module",
		"broken arrow: " + way + " -> ntfs: no row of the table allows it",
		"broken arrow: cmd/snapmount -> cmd -> mount/tree -> net/http: only [] may",
		"broken arrow: diffstore -> imagefmt/layer -> ntfs, which diffstore never may reach",
		"broken arrow: mount/tree -> diffstore -> imagefmt/layer -> example.org/fuse/low, which mount never may reach",
		"nobody uses the right of cmd to import ntfs",
		"nobody uses the right of mount to import example.org/fuse",
		"package diffstore has no row",
		"the row of ntfs/gone is of no package",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for name, text := range map[string]string{
		"no table":      "",
		"two rows":      houseText("| `a` | — | x |\n| `a` | — | x |\n"),
		"an empty cell": houseText("| `a` | | x |\n"),
		"for each":      houseText("| `a` | x |\n"),
	} {
		if _, err := readHouse(text); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if h, err := readHouse(houseText("| `a`, `b` | `c`, d | x |\n")); err != nil || !maps.EqualFunc(h.arrows, map[string][]string{"a": {"c"}, "b": {"c"}}, slices.Equal) {
		t.Errorf("%v, %v", h, err)
	}
}

func houseText(rows string) string {
	return "| package | may import | contract |\n|---|---|---|\n" + rows + "\n| module | imported only by |\n|---|---|\n\n| package | never reaches | because |\n|---|---|---|\n"
}
