package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"snapmount/imagefmt/wintype"
)

// redate gives all that changed in the last hours the four NTFS times of at.
func redate(dir string, at time.Time) error {
	t := binary.LittleEndian.AppendUint64(nil, uint64(wintype.FiletimeOf(at)))
	times := append(append(append(append([]byte{}, t...), t...), t...), t...)
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Type()&fs.ModeSymlink != 0 { // ntfs-3g does not show all links as such
			return err
		}
		info, err := e.Info()
		if err != nil || time.Since(info.ModTime()) > 12*time.Hour {
			return err
		}
		return unix.Lsetxattr(path, "system.ntfs_times", times, 0)
	})
}

// hashes returns the sha256 of every file, by path; of links, what they say.
func hashes(dir string) (map[string]string, error) {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || e.Type()&fs.ModeSymlink != 0 {
			out[name] = "link"
			return err
		}
		b, err := os.ReadFile(path)
		out[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	return out, err
}

// writeManifest tells what each volume held at each point: volume label, point, path, sha256.
func writeManifest(path string, volumes ...*volume) error {
	all := map[string]map[string]map[string]string{}
	for _, v := range volumes {
		points := map[string]map[string]string{}
		for i, files := range v.contents {
			name := "current"
			if i < len(v.states) {
				name = fmt.Sprintf("vss%d", i+1)
			}
			points[name] = files
		}
		all[v.name] = points
	}
	b, err := json.MarshalIndent(all, "", " ")
	return errors.Join(err, os.WriteFile(path, append(b, '\n'), 0o644))
}

// stream adds a named stream to a file.
func stream(dir, name, stream, text string) error {
	return unix.Setxattr(filepath.Join(dir, name), "user."+stream, []byte(text), 0)
}

// junction makes a mount point reparse point.
func junction(dir, name, target string) error {
	sub, text := utf16le(`\??\`+target), utf16le(target)
	b := head(0xa0000003, len(sub), len(text))
	b = append(append(append(append(b, sub...), 0, 0), text...), 0, 0)
	path := filepath.Join(dir, name)
	return errors.Join(os.Mkdir(path, 0o755), setReparse(path, b))
}

// symlink makes a relative symbolic link to a file.
func symlink(dir, name, target string) error {
	text := utf16le(target)
	b := binary.LittleEndian.AppendUint32(head(0xa000000c, len(text), len(text)), 1)
	b = append(append(append(append(b, text...), 0, 0), text...), 0, 0)
	path := filepath.Join(dir, name)
	return errors.Join(os.WriteFile(path, nil, 0o644), setReparse(path, b))
}

// head is the start of both kinds of reparse data, whose two names follow flags of 0 or 4 bytes.
func head(tag uint32, sub, text int) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, tag)
	b = append(b, 0, 0, 0, 0) // length, set at the end
	for _, v := range []int{0, sub, sub + 2, text} {
		b = le.AppendUint16(b, uint16(v))
	}
	return b
}

func setReparse(path string, b []byte) error {
	binary.LittleEndian.PutUint16(b[4:], uint16(len(b)-8))
	return unix.Lsetxattr(path, "system.ntfs_reparse_data", b, 0)
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
