// Package device knows the disks and volumes of this machine, which can be images: which paths lead to one, how large it
// is, and how it has to be read.
//
//	device.go     what is the same on all systems
//	name.go       the names that Windows has for devices, as text
//	geometry.go   what Windows tells of a device, as bytes
//	aligned.go    reading in whole sectors
//	system_*.go   what each system has its own way for
//
// Paths that lead to no device are those of package os here.
package device

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Geometry is how large a device is, and how it is read.
type Geometry struct {
	Size   int64 // bytes
	Sector int64 // bytes; offsets, lengths and buffers of reads are multiples of it; 0 is any
}

// Named reports whether a path names a device by its name alone, which is no path of a file system: as Windows has it.
func Named(path string) bool {
	_, ok := windowsName(path)
	return ok && runtime.GOOS == "windows"
}

// Live reports whether a path names a device that this machine writes to at any time, as Windows does to all but the
// devices of shadow copies.
func Live(path string) bool {
	name, _ := windowsName(path)
	return Named(path) && !isShadow(name)
}

// VolumeOf is the name of the device that a directory is the root of, where it is that of a drive of Windows; else "".
func VolumeOf(dir string) string {
	if runtime.GOOS != "windows" {
		return ""
	}
	return volumeOf(dir)
}

// Base is the last element of a path.
func Base(path string) string {
	if Named(path) {
		name, _ := windowsName(path)
		return name[strings.LastIndexByte(name, '\\')+1:]
	}
	return filepath.Base(path)
}

// Abs is filepath.Abs, which takes the name of a device for a path.
func Abs(path string) (string, error) {
	if Named(path) {
		return path, nil
	}
	return filepath.Abs(path)
}

// Stat is os.Stat, for devices too: they are fs.ModeDevice, of size 0. It succeeds for one that this user may not read.
func Stat(path string) (fs.FileInfo, error) {
	if !Named(path) {
		return os.Stat(path)
	}
	if err := there(path); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return info{path}, nil
}

// Exists reports whether Stat succeeds.
func Exists(path string) bool {
	_, err := Stat(path)
	return err == nil
}

// Info is f.Stat, for devices too.
func Info(f *os.File) (fs.FileInfo, error) {
	if Named(f.Name()) {
		return info{f.Name()}, nil
	}
	return f.Stat()
}

// IsDisk reports whether what has a mode may be a disk: a block device or, where disks are character devices, one of these.
func IsDisk(mode fs.FileMode) bool {
	return mode&fs.ModeDevice != 0 && (mode&fs.ModeCharDevice == 0 || charDisks)
}

// Same is os.SameFile, for devices too.
func Same(a, b fs.FileInfo) bool {
	x, ok := a.(info)
	y, ok2 := b.(info)
	if !ok || !ok2 {
		return os.SameFile(a, b)
	}
	m, _ := windowsName(x.path)
	n, _ := windowsName(y.path)
	return strings.EqualFold(m, n)
}

// Open opens a file or a device for reading.
func Open(path string) (*os.File, error) { return open(path) }

// Measure asks an open device.
func Measure(f *os.File) (Geometry, error) {
	g, err := measure(f)
	if err == nil && g.Size <= 0 {
		err = fmt.Errorf("it tells %d bytes", g.Size)
	}
	return g, err
}

// NewReader reads an open file or device as it has to be. It may be used from any goroutine.
func NewReader(f *os.File, g Geometry) io.ReaderAt {
	if g.Sector == 0 {
		return f
	}
	return &aligned{device: f, size: g.Size, unit: g.Sector}
}

// info is the fs.FileInfo of a device that package os cannot ask.
type info struct{ path string }

func (i info) Name() string       { return Base(i.path) }
func (i info) Size() int64        { return 0 }
func (i info) Mode() fs.FileMode  { return fs.ModeDevice }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return false }
func (i info) Sys() any           { return nil }
