//go:build linux

package mount_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
)

// TestDamagedStreams destroys the extension records of a file with many streams: those in the base record are there,
// and none of the others is called missing.
func TestDamagedStreams(t *testing.T) {
	const streams = 60
	image := newVolume(t)
	within(t, image, "streams_interface=xattr", func(dir string) {
		path := filepath.Join(dir, "host.txt")
		if err := os.WriteFile(path, []byte("host"), 0o600); err != nil {
			t.Fatal(err)
		}
		for i := range streams {
			if err := unix.Setxattr(path, fmt.Sprintf("user.stream%02d", i), bytes.Repeat([]byte{byte(i)}, 30), 0); err != nil {
				t.Fatal(err)
			}
		}
	})
	destroyed := 0
	edit(t, image, func(b []byte) {
		for at := 0; at+1024 <= len(b); at += 1024 {
			if string(b[at:at+4]) == "FILE" && binary.LittleEndian.Uint64(b[at+32:]) != 0 {
				copy(b[at:], "GONE")
				destroyed++
			}
		}
	})
	if destroyed == 0 {
		t.Fatal("no extension records")
	}
	var told atomic.Int32
	dir := onlyPoint(t, mountedWith(t, openSet(t, image), mount.Options{Warn: func(error) { told.Add(1) }}))
	there, lost := 0, 0
	for i := range streams {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("host.txt:stream%02d", i)))
		switch {
		case err == nil && bytes.Equal(b, bytes.Repeat([]byte{byte(i)}, 30)):
			there++
		case errors.Is(err, syscall.EIO):
			lost++
		default:
			t.Errorf("stream %d: %x, %v", i, b, err)
		}
	}
	if there == 0 || lost == 0 || told.Load() == 0 {
		t.Errorf("%d streams are there, %d are damaged, %d warnings", there, lost, told.Load())
	}
	if _, err := os.Stat(filepath.Join(dir, "host.txt:never")); !errors.Is(err, syscall.EIO) {
		t.Errorf("a stream that may be among the damaged: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "absent.txt:never")); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("a stream of no file: %v", err)
	}
}

// TestRawHoles copies a sparse block image by its holes. Data that its file lost while mounted is no hole.
func TestRawHoles(t *testing.T) {
	image := filepath.Join(t.TempDir(), "sparse.img")
	testenv.Run(t, testenv.Peer(t, "truncate"), "-s", "512M", image)
	testenv.Run(t, testenv.Peer(t, "mkntfs"), "-F", "-Q", "-q", "-s", "512", "-p", "0", "-H", "255", "-S", "63", image)
	raw, err := filepath.Glob(filepath.Join(mounted(t, openSet(t, image)), "raw", "*", "current.img"))
	if err != nil || len(raw) != 1 {
		t.Fatalf("%q, %v", raw, err)
	}
	copied := filepath.Join(t.TempDir(), "copy.img")
	testenv.Run(t, testenv.Peer(t, "cp"), "--sparse=auto", "--reflink=never", raw[0], copied)
	testenv.Run(t, testenv.Peer(t, "cmp"), image, copied)
	f, err := os.Open(raw[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list, err := seekAll(f, 512<<20)
	if err != nil {
		t.Fatal(err)
	}
	data := int64(0)
	for _, e := range list {
		data += e[1]
	}
	if data == 0 || data > 64<<20 {
		t.Errorf("0x%x bytes of data in a fresh volume", data)
	}
	if err := os.Truncate(image, 256<<20); err != nil {
		t.Fatal(err)
	}
	if at, err := f.Seek(300<<20, unix.SEEK_DATA); err != nil || at > 300<<20 {
		t.Errorf("the next data after what was lost is at 0x%x, %v", at, err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadAt(make([]byte, 4096), 300<<20); err == nil || err == io.EOF || strings.Contains(err.Error(), "hole") {
		t.Errorf("what was lost reads as %v", err)
	}
}
