//go:build linux || darwin || freebsd

package mount

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"snapmount/mount/nfs"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// How long the kernel waits for an answer of a mount by NFS: a point that is opened for the first time may take its time, and
// who uses a mount whose program was killed has an error after all of it.
const (
	nfsPatience = 15 * time.Second // before it asks again, a little longer each time
	nfsRepeats  = 3
	nfsForget   = 24 * time.Hour // nothing changes: what it knows is good for as long

	programTime = time.Minute // mount_nfs may take, of a server that answers at once
)

// nfsServer is a mount that the kernel makes as the client of an NFS server of this process.
type nfsServer struct {
	server *nfs.Server
	call   nfsCall
	stop   context.CancelFunc
	ended  chan error // of the server
	warn   func(error)
}

// nfsCall is what the kernel is asked for.
type nfsCall struct {
	dir  string
	port int
	path string // of the server
	root bool   // the caller is
}

// source is what the system's table has the mount come from.
func (c *nfsCall) source() string { return "127.0.0.1:" + c.path }

// options are what a system takes for a mount by NFS, by its name in Go, after what it has for all mounts. Locks stay on
// this machine, as the server knows none: macOS's "nolocks" would have programs fail that "locallocks" lets go on.
// Deadtimeout has macOS unmount what does not answer. The server takes root's connections from ports of root only.
func (c *nfsCall) options(system string) []string {
	port, tenths := strconv.Itoa(c.port), strconv.Itoa(int(nfsPatience/(100*time.Millisecond)))
	list := []string{"vers=3", "port=" + port, "mountport=" + port, "sec=sys", "soft", "timeo=" + tenths, "retrans=" + strconv.Itoa(nfsRepeats)}
	if system == "darwin" {
		from := "noresvport"
		if c.root {
			from = "resvport"
		}
		return append(list, "tcp", from, "locallocks", "rdirplus", "deadtimeout="+strconv.Itoa(int((nfsRepeats+1)*nfsPatience/time.Second)))
	}
	return append(list, "proto=tcp", "mountproto=tcp", "mountvers=3", "addr=127.0.0.1", "mountaddr=127.0.0.1", "nolock", "noacl",
		"nocto", "actimeo="+strconv.Itoa(int(nfsForget/time.Second)))
}

// mountProgram mounts by macOS's mount_nfs.
func mountProgram(c *nfsCall) error {
	ctx, stop := context.WithTimeout(context.Background(), programTime)
	defer stop()
	options := append([]string{"ro", "nosuid", "nodev", "noexec"}, c.options("darwin")...)
	out, err := exec.CommandContext(ctx, "mount_nfs", "-o", strings.Join(options, ","), c.source(), c.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount_nfs: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// startNFS serves a tree to the kernel of this machine, and mounts it.
func startNFS(files *tree.FS, dir string, s *points.Set, opts *Options) (front, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	owner, root := opts.Owner.fuse(), os.Geteuid() == 0
	server := nfs.NewMount(files, nfs.Mount{UID: owner.Uid, GID: owner.Gid, Others: opts.AllowOther, Reserved: root,
		Mode: func(n tree.Node) fs.FileMode { return opts.permissions(files, n) },
		Name: plain("", filepath.Base(s.Images[0].Path)),
	}, opts.warn)
	ctx, stop := context.WithCancel(context.Background())
	if real, err := filepath.EvalSymlinks(dir); err == nil { // as the system's table has it
		dir = real
	}
	m := &nfsServer{server: server, stop: stop, ended: make(chan error, 1), warn: opts.warn,
		call: nfsCall{dir: dir, port: l.Addr().(*net.TCPAddr).Port, path: server.Path(), root: root}}
	go func() { m.ended <- server.Serve(ctx, l) }()
	mount := mountNFS
	if opts.mountNFS != nil {
		mount = opts.mountNFS
	}
	if err := mount(&m.call); err != nil {
		stop()
		return nil, errors.Join(err, <-m.ended)
	}
	server.Open()
	return m, nil
}

// WaitMount returns at once: the mount answers, or was not made.
func (m *nfsServer) WaitMount() error { return nil }

// Serve returns when the mount is gone. No client says that it goes: the system's table does, and where it can be detached
// while it is used, the kernel's connection.
func (m *nfsServer) Serve() {
	const step = time.Second
	tick := time.NewTicker(step)
	defer tick.Stop()
	defer m.stop()
	for m.stands() || nfsLingers && m.server.Using() > 0 {
		select {
		case <-tick.C:
		case <-m.server.Left():
		case err := <-m.ended: // by itself: nobody is answered any more
			m.warn(errors.Join(err, unmount(m.call.dir, true)))
			return
		}
	}
	m.stop()
	<-m.ended
}

// stands reports whether the system has the mount, or cannot tell.
func (m *nfsServer) stands() bool {
	table, err := mountTable()
	for _, e := range table {
		if strings.HasSuffix(e.source, m.call.path) || e.kind == nfsKind && e.dir == m.call.dir {
			return true
		}
	}
	return err != nil
}

// Unmount unmounts, unless something uses the mount. Serve returns then.
func (m *nfsServer) Unmount() error { return unmount(m.call.dir, false) }

// byNFS reports whether an entry of the system's table is a mount of this program that was made by NFS.
func (e entry) byNFS() bool {
	return e.kind == nfsKind && strings.HasPrefix(e.source, "127.0.0.1:"+nfs.PathPrefix)
}

// ours reports whether an entry is a mount of this program, as far as the table tells.
func (e entry) ours() bool { return ourKind != "" && e.kind == ourKind || e.byNFS() }

// nfsKind is the type that the systems' tables give to mounts by NFS before version 4.
const nfsKind = "nfs"

// shownSource is what a table has of where a mount comes from, without what is of no use to people.
func (e entry) shownSource() string {
	if e.byNFS() {
		return path.Base(e.source)
	}
	return e.source
}

// choose settles what the mount is made by. Without FUSE that is NFS, where the system has that for this user.
func (o *Options) choose() error {
	without, cannot := checkSystem(*o), checkNFS()
	switch {
	case o.Via == ViaNFS && cannot != nil:
		return fmt.Errorf("%w: by NFS: %w", ErrRefused, cannot)
	case o.Via == ViaNFS, without != nil && o.Via != ViaFUSE && cannot == nil:
	case without != nil:
		return fmt.Errorf("%w: %w (%s)", ErrRefused, without, withoutFUSE)
	default:
		o.Via = ViaFUSE
		return nil
	}
	if o.Via != ViaNFS {
		o.noFUSE = without
	}
	o.Via = ViaNFS
	for _, list := range o.FUSE {
		for option := range strings.SplitSeq(list, ",") {
			switch option {
			case "", "ro", "nosuid", "nodev", "noexec", "allow_other", checkModes: // so it is, or was taken
			default:
				return fmt.Errorf("%w: -o %s: an option of FUSE, and this mount is made by NFS", ErrRefused, option)
			}
		}
	}
	return nil
}

// told tells what a mount by NFS is made by where nobody asked for that, and adds to an error why it is not FUSE.
func (o *Options) told(err error) error {
	switch {
	case o.noFUSE == nil:
		return err
	case err != nil:
		return fmt.Errorf("no FUSE here (%w), and by NFS: %w", o.noFUSE, err)
	}
	o.warn(fmt.Errorf("no FUSE here (%w): mounted by NFS", o.noFUSE))
	return nil
}
