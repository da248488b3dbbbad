//go:build linux || darwin || freebsd

package mount

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// serverXattr is what the root of a mount answers with its server, as JSON of served. No listing has it.
const serverXattr = tree.UserPrefix + "snapmount.server"

// served is what a server tells of itself.
type served struct {
	Pid    int       `json:"pid"`
	Since  time.Time `json:"since"`
	Images []string  `json:"images"`
}

// about is what serverXattr gives for a mount of s that begins now.
func about(s *points.Set) ([]byte, error) {
	me := served{Pid: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second)}
	for _, img := range s.Images {
		abs, err := filepath.Abs(img.Path)
		if err != nil {
			return nil, err
		}
		me.Images = append(me.Images, abs)
	}
	return json.Marshal(me)
}

// entry is what the system's table says of a mount.
type entry struct {
	dir, kind, source string
	uid               int // of who mounted it, or -1
}

// Mounts lists the mounts of snapmount that the system has, in the order of its table. Each is asked for its server;
// one that does not answer is listed with the reason.
func Mounts() ([]Mounted, error) {
	table, err := mountTable()
	if err != nil {
		return nil, fmt.Errorf("the table of mounts: %w", err)
	}
	all := make([]Mounted, len(table))
	var wg sync.WaitGroup
	for i, e := range table {
		if e.byNFS() || mayBeOurs(e.kind) {
			wg.Go(func() { all[i] = ask(e) })
		}
	}
	wg.Wait()
	ours := all[:0]
	for i, m := range all {
		if m.Dir != "" && (table[i].ours() || m.Err == nil) {
			ours = append(ours, m)
		}
	}
	return ours, nil
}

// ask asks a mount for its server, and waits a moment for the answer.
func ask(e entry) Mounted {
	const patience = 2 * time.Second
	type answer struct {
		served
		err error
	}
	said := make(chan answer, 1)
	go func() {
		var a answer
		a.served, a.err = askServer(e)
		said <- a
	}()
	m := Mounted{Dir: e.dir, Images: []string{e.shownSource()}, UID: e.uid}
	select {
	case a := <-said:
		m.Err = a.err
		if a.err == nil {
			m.Images, m.Pid, m.Since = a.Images, a.Pid, a.Since
		}
	case <-time.After(patience):
		m.Err = errors.New("its program does not answer")
	}
	return m
}

var errAnothers = errors.New("another user's, who lets nobody else in")

func askServer(e entry) (s served, err error) {
	if e.byNFS() {
		return askNFS(e.dir)
	}
	dir, name := e.dir, serverXattr
	if runtime.GOOS == "darwin" {
		name, _ = systemName(runtime.GOOS, name)
	}
	value := make([]byte, tree.MaxXattr)
	n, err := unix.Getxattr(dir, name, value)
	switch {
	case errors.Is(err, errStale):
		return s, errors.New("its program has ended")
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return s, errAnothers
	case err != nil:
		return s, fmt.Errorf("does not tell its server: %w", err)
	}
	return s, json.Unmarshal(value[:n], &s)
}

// askNFS reads the link at the top, which the kernel may remember: that the server is there, statfs tells.
func askNFS(dir string) (s served, err error) {
	var space syscall.Statfs_t
	err = syscall.Statfs(dir, &space)
	text := ""
	if err == nil {
		text, err = os.Readlink(filepath.Join(dir, tree.ServerName))
	}
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return s, errAnothers
	case err != nil:
		return s, fmt.Errorf("does not tell its server: %w", err)
	}
	return s, json.Unmarshal([]byte(text), &s)
}
