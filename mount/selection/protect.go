package selection

import (
	"bytes"
	"io"
	"io/fs"
	"os"

	"snapmount/imagefmt/device"
	"snapmount/mount/points"
)

// HostFiles are the files of this machine that images are made of: nothing may replace them, or write to them.
func HostFiles(sets ...*points.Set) ([]fs.FileInfo, error) {
	var files []fs.FileInfo
	for _, s := range sets {
		for _, name := range s.HostFiles() {
			info, err := device.Stat(name)
			if err != nil {
				return nil, err
			}
			files = append(files, info)
		}
	}
	return files, nil
}

// NotOfImage says, as an error, that a file to write is one of those of an image.
func NotOfImage(name string, files []fs.FileInfo) error {
	info, err := os.Stat(name)
	if err != nil {
		return nil //nolint:nilerr // it is not there, or cannot be written either
	}
	for _, f := range files {
		if os.SameFile(f, info) {
			return usagef("%s: is of the image, which is not written to", name)
		}
	}
	return nil
}

// NotLog says, as an error, that a file that is there is no log to add to: it is an image by its name, or no text. This is
// known before the images are open.
func NotLog(name string, images []string) error {
	var files []fs.FileInfo
	for _, image := range images {
		if info, err := os.Stat(image); err == nil {
			files = append(files, info)
		}
	}
	if err := NotOfImage(name, files); err != nil {
		return err
	}
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // opening it tells more
	}
	f, err := os.Open(name)
	if err != nil {
		return nil //nolint:nilerr // one may be allowed to add to a file and not to read it
	}
	defer f.Close()
	start, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err == nil && bytes.IndexByte(start, 0) >= 0 {
		err = usagef("%s: is there and no text, want a log to add to", name)
	}
	return err
}
