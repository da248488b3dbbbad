package cmd

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows names, for each package, the packages of this module that it may import directly. A trailing /* stands for
// every package below. Test packages are not looked at.
var arrows = map[string][]string{
	"imagefmt/wintype":         {},
	"imagefmt/layer":           {},
	"imagefmt/layer/layertest": {"imagefmt/layer"},
	"imagefmt/raw":             {"imagefmt/layer", "imagefmt/wintype"},
	"imagefmt/unpack":          {"imagefmt/layer"},
	"imagefmt/qcow2":           {"imagefmt/layer", "imagefmt/wintype", "imagefmt/inflate", "imagefmt/unpack"},
	"imagefmt/vhd":             {"imagefmt/layer", "imagefmt/wintype"},
	"imagefmt/ewf":             {"imagefmt/layer", "imagefmt/wintype", "imagefmt/inflate", "imagefmt/unpack"},
	"imagefmt/vhdx":            {"imagefmt/layer", "imagefmt/wintype"},
	"imagefmt/vmdk":            {"imagefmt/layer", "imagefmt/wintype", "imagefmt/inflate", "imagefmt/unpack"},
	"imagefmt/vdi":             {"imagefmt/layer", "imagefmt/wintype"},
	"imagefmt/packed":          {"imagefmt/layer", "imagefmt/wintype", "imagefmt/inflate"},
	"imagefmt/inflate":         {},
	"imagefmt/partition":       {"imagefmt/layer", "imagefmt/wintype"},
	"imagefmt":                 {"imagefmt/layer", "imagefmt/wintype", "imagefmt/raw", "imagefmt/qcow2", "imagefmt/vhd", "imagefmt/vhdx", "imagefmt/vmdk", "imagefmt/vdi", "imagefmt/ewf", "imagefmt/packed"},
	"diffstore":                {"imagefmt/layer", "imagefmt/wintype"},
	"diffstore/vsstest":        {"diffstore", "imagefmt/layer", "imagefmt/wintype"},
	"ntfs":                     {"imagefmt/layer", "imagefmt/wintype", "ntfs/codec"},
	"ntfs/codec":               {"imagefmt/layer"},
	"ntfs/ntfstest":            {"imagefmt/layer/layertest"},
	"ntfs/usn":                 {"imagefmt/layer", "imagefmt/wintype"},
	"ntfs/security":            {"imagefmt/layer", "imagefmt/wintype"},
	"ntfs/compare":             {"imagefmt/layer", "imagefmt/wintype", "ntfs", "ntfs/security", "ntfs/usn"},
	"ntfs/pattern":             {},
	"ntfs/timeline":            {"imagefmt/layer", "imagefmt/wintype", "ntfs", "ntfs/compare", "ntfs/pattern", "ntfs/security", "ntfs/usn"},
	"ntfs/restore":             {"imagefmt/layer", "imagefmt/wintype", "ntfs"},
	"mount/points":             {"imagefmt", "imagefmt/layer", "imagefmt/wintype", "imagefmt/partition", "diffstore", "ntfs", "ntfs/timeline"},
	"mount/tree":               {"mount/points", "imagefmt/layer", "imagefmt/wintype", "ntfs", "ntfs/compare", "ntfs/timeline"},
	"mount":                    {"mount/points", "mount/tree", "imagefmt/layer", "imagefmt/wintype", "ntfs", "ntfs/security"},
	"mount/report":             {"mount/points", "imagefmt/wintype", "ntfs", "ntfs/compare", "ntfs/restore", "ntfs/security", "ntfs/timeline"},
	"mount/receipt":            {"mount/points", "mount/report", "imagefmt/wintype", "ntfs", "ntfs/restore"},
	"mount/selection":          {"mount/points", "mount/report", "imagefmt/wintype", "ntfs", "ntfs/compare", "ntfs/pattern", "ntfs/restore", "ntfs/timeline"},
	"cmd/text":                 {"mount/report", "mount/selection"},
	"cmd":                      {"cmd/text", "mount", "mount/*", "imagefmt/layer", "imagefmt/wintype", "ntfs", "ntfs/compare", "ntfs/restore", "ntfs/timeline"},
	"cmd/snapmount":            {"cmd"},
	"testdata/make":            {"diffstore/vsstest", "imagefmt", "imagefmt/layer", "imagefmt/partition", "imagefmt/raw", "imagefmt/wintype", "ntfs"},
}

// fences names the only packages that may import a module directly.
var fences = map[string][]string{
	"github.com/hanwen/go-fuse":        {"mount"},
	"github.com/spf13/cobra":           {"cmd"},
	"www.velocidex.com/":               {"ntfs"},
	"github.com/RoaringBitmap":         {"diffstore", "diffstore/vsstest"},
	"github.com/klauspost/compress/":   {"imagefmt/qcow2", "imagefmt/packed"},
	"github.com/maypok86/otter":        {"ntfs"},
	"github.com/hashicorp/golang-lru":  {"mount"},
	"github.com/aymanbagabas/go-udiff": {"ntfs/compare"},
	"github.com/parquet-go/":           {"ntfs/timeline"},
	"github.com/rogpeppe/go-internal":  {}, // tests only, as the next
	"github.com/Microsoft/go-winio":    {},
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "snapmount/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		checkPackage(t, p)
	}
	if seen < 5 {
		t.Errorf("go list named %d packages", seen)
	}
}

func checkPackage(t *testing.T, p listedPackage) {
	name := strings.TrimPrefix(p.ImportPath, "snapmount/")
	allowed, known := arrows[name]
	if !known {
		t.Errorf("package %s has no row in the table of arrows", name)
	}
	for _, imp := range p.Imports {
		if own, ok := strings.CutPrefix(imp, "snapmount/"); ok {
			if !slices.ContainsFunc(allowed, func(a string) bool { return matches(a, own) }) {
				t.Errorf("broken arrow: %s -> %s", name, own)
			}
			continue
		}
		for module, owners := range fences {
			if strings.HasPrefix(imp, module) && !slices.Contains(owners, name) {
				t.Errorf("broken arrow: %s -> %s (only %v may)", name, imp, owners)
			}
		}
		standard := !strings.Contains(strings.SplitN(imp, "/", 2)[0], ".")
		if !standard && (name == "imagefmt/layer" || name == "imagefmt/wintype") {
			t.Errorf("broken arrow: %s -> %s (standard library only)", name, imp)
		}
	}
}

func matches(pattern, name string) bool {
	if dir, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, dir)
	}
	return pattern == name
}
