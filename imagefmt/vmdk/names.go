package vmdk

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// openExtent opens a file that a line of the descriptor names: by that name, else, when all files of a disk were renamed,
// by the descriptor's own name with the ending of the extent's.
func openExtent(line extentLine, env format.Env) (layer.Source, error) {
	src, err := env.Files.Open(line.name, format.Either)
	if errors.Is(err, fs.ErrNotExist) && line.other != "" && env.Files.Has(line.other, format.Either) {
		src, err = env.Files.Open(line.other, format.Either)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return src, err
	}
	_, ending := cutEnding(path.Base(strings.ReplaceAll(line.name, `\`, "/")))
	renamed := strings.TrimSuffix(env.Name, path.Ext(env.Name)) + ending
	if ending == "" || !env.Files.Has(renamed, format.Windows) {
		return nil, err
	}
	return env.Files.Open(renamed, format.Windows)
}

// cutEnding cuts what VMware appends to a disk's name for its extents: disk-flat.vmdk, disk-s001.vmdk.
func cutEnding(base string) (disk, ending string) {
	i := strings.LastIndexByte(base, '-')
	if i < 0 || !strings.EqualFold(path.Ext(base), ".vmdk") {
		return base, ""
	}
	kind := strings.ToLower(base[i+1 : len(base)-len(".vmdk")])
	switch kind {
	case "flat", "delta", "sesparse":
		return base[:i], base[i:]
	}
	if digits := strings.TrimLeft(kind, "sf"); len(digits) >= 3 && len(kind) == len(digits)+1 && strings.Trim(digits, "0123456789") == "" {
		return base[:i], base[i:]
	}
	return base, ""
}

// descriptorOf says which file is the descriptor of an extent, as far as its name tells.
func descriptorOf(extent format.Env) string {
	disk, ending := cutEnding(extent.Name)
	if ending == "" {
		return "the descriptor (.vmdk) that names it"
	}
	if !extent.Files.Has(disk+".vmdk", format.Slashes) {
		return disk + ".vmdk, which is not beside it"
	}
	return disk + ".vmdk"
}
