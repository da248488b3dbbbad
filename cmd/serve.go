package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"snapmount/cmd/text"
	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/process"
	"snapmount/mount/report"
	"snapmount/mount/serve"
)

type serveFlags struct {
	open    *openFlags
	signals *process.Signals
	browser bool
	log     logFlags
	serve   serve.Options
	// beside is what is to go on while it is served, until ctx ends or, with an error, by itself; nil is nothing.
	beside func(ctx context.Context, server *serve.Server, stdout, stderr io.Writer) error
}

func newServe(o *openFlags, s *process.Signals) *cobra.Command {
	v := &serveFlags{open: o, signals: s}
	c := &cobra.Command{
		Use:   "serve IMAGE...",
		Short: "Show all points in time in a browser and as a network drive, without FUSE",
		Long: "serve shows what a mount shows to browsers and WebDAV clients (Finder, file managers, rclone), on any system, until Ctrl-C. " +
			"It prints an address. The page there has files, their versions and what changed over time, search over all points in time, " +
			"and downloads with a receipt; it asks for the keys of locked volumes. Its help leads to how other programs connect.\n\n" +
			"Only this machine reaches it, and only who has the token in that address, which is the password for WebDAV too (of any user). " +
			"--listen lets other machines in, over plain http: who listens on the way sees the token and all that is read.\n\n" +
			"--nfs serves the same by NFS version 3, which kernels mount (a Mac's without macFUSE), and prints the line to do it; --nbd the " +
			"volume at each point as a block device. Neither has a password: who reaches the port, or the socket, reads everything.",
		Example: "  snapmount serve disk.vhdx\n" +
			"  snapmount serve --open disk.vhdx            in the browser, at once\n" +
			"  snapmount serve --listen 8080 disk.vhdx     on a port of your own\n" +
			"  snapmount serve --nfs disk.vhdx             and by NFS, to be mounted",
		Args: args(cobra.MinimumNArgs(1)),
		RunE: v.run,
	}
	f := c.Flags()
	f.StringVar(&v.serve.Listen, "listen", "localhost:0", "HOST:PORT, HOST or PORT to listen on: no HOST is this machine alone, * all; no PORT, or 0, any that is free")
	f.StringArrayVar(&v.serve.Hosts, "allow-host", nil, "another NAME, or NAME:PORT, that the server is reached by, as behind a proxy (may be repeated)")
	f.BoolVar(&v.serve.WebDAV, "webdav", true, "as a network drive, below /dav/")
	f.StringVar(&v.serve.NFS, "nfs", "", "by NFS, without a password, on a free port or at ADDR as of --listen")
	optional(f, "nfs", "localhost:0")
	f.StringVar(&v.serve.NBD, "nbd", "", "the disk of each point as a block device, by NBD: path of a SOCKET for you alone, or localhost:PORT for all users of this machine")
	f.BoolVar(&v.browser, "open", false, "open the page in a browser")
	addView(f, &v.serve.View.Points, &v.serve.View.Time, &v.serve.View.Volume, &v.serve.System)
	v.log.add(f)
	inGroup(f, "How it is served", "listen", "webdav", "nfs", "nbd", "open", "allow-host", "log", "log-level")
	inGroup(f, groupShown, "points", "time-format", "volume-name", "system")
	rare(f, "allow-host", "time-format", "volume-name", "log", "log-level")
	return c
}

func (v *serveFlags) run(c *cobra.Command, images []string) error {
	if err := v.check(); err != nil {
		return err
	}
	stdout, stderr := c.OutOrStdout(), c.ErrOrStderr()
	log, err := v.log.open(append(slices.Clone(images), ""), false, stderr)
	if err != nil {
		return err
	}
	defer log.Close()
	v.open.keys.warnSeen(stderr)
	v.open.concluding(text.NewReporter(stderr)) // the page compares
	asService()
	ready := false
	v.open.warn = func(err error) {
		if ready {
			log.Warn(report.OneLine(err))
		}
	}
	v.serve.Warn = func(err error) { log.FailedRead(report.OneLine(err)) }
	s, err := v.served(images)
	if err != nil {
		return err
	}
	defer s.Close()
	defer v.open.keys.wipe()
	v.open.progress = text.LogProgress(log.Lines()).Report
	v.serve.Tool = "snapmount " + buildVersion()
	v.open.keys.ask = nil // from now on the page asks
	v.serve.Reopen = func(more []*bitlocker.Secret) (*points.Set, error) { return v.reopen(log, images, more) }
	server, err := serve.Listen(s, v.serve)
	if err != nil {
		return err
	}
	end := process.Listen() // ends with code 0, as a mount does
	defer end.Leave()
	if v.signals.Leave(); v.signals.Context.Err() != nil {
		return context.Cause(v.signals.Context)
	}
	ready = true
	v.printServed(stdout, stderr, s, server)
	log.Info("serving", "address", server.Address(), "images", images, "pid", os.Getpid(), "version", buildVersion())
	if err := process.NotifyReady(); err != nil {
		log.Warn(report.OneLine(err))
	}
	err = v.serveAll(end.Context, server, stdout, stderr)
	log.Info("ended", "address", server.Address(), "error", err)
	return err
}

// serveAll serves, and does what goes on beside it.
func (v *serveFlags) serveAll(ctx context.Context, server *serve.Server, stdout, stderr io.Writer) error {
	if v.beside == nil {
		return server.Serve(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 1)
	served, ended := context.WithCancel(context.WithoutCancel(ctx)) // as long as what uses it
	go func() {
		failed <- v.beside(ctx, server, stdout, stderr)
		ended()
	}()
	err := server.Serve(served)
	cancel()
	return errors.Join(err, <-failed)
}

// served opens the images. Where nothing can be read for lack of a key, the page asks for that.
func (v *serveFlags) served(images []string) (*points.Set, error) {
	s, err := v.open.open(v.signals.Context, slices.Clone(images))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(s.Volumes, canUnlock) {
		return s, nil
	}
	return v.open.shown(s, images)
}

// canUnlock reports whether a key that somebody may have opens a volume.
func canUnlock(v *points.Volume) bool {
	if v.Encryption == nil {
		return false
	}
	locked, ok := errors.AsType[*bitlocker.LockedError](v.Encryption.Err)
	if !ok {
		return false
	}
	want, _ := wanted(locked.Volume)
	return want != ""
}

// reopen opens the images again, with keys that the page was given. They are kept until nothing is locked any more.
func (v *serveFlags) reopen(log *process.Log, images []string, more []*bitlocker.Secret) (*points.Set, error) {
	v.open.keys.ring.Add(more...)
	s, err := v.open.open(v.signals.Context, slices.Clone(images))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(s.Volumes, canUnlock) {
		v.open.keys.wipe()
	}
	log.Info("unlocked a volume", "images", images)
	return s, nil
}

// check says what is wrong with the flags.
func (v *serveFlags) check() error {
	if err := serve.CheckAddress(v.serve.Listen); err != nil {
		return usagef("--listen: %w", err)
	}
	if err := serve.CheckAddress(v.serve.NFS); err != nil {
		return usagef("--nfs: %w", err)
	}
	if err := serve.CheckNBD(v.serve.NBD); err != nil {
		return usagef("--nbd: %w", err)
	}
	return nil
}

// printServed tells what is served and where, and opens a browser if that is wanted.
func (v *serveFlags) printServed(stdout, stderr io.Writer, s *points.Set, server *serve.Server) {
	printFound(stdout, s)
	printNFS(stdout, stderr, server)
	printNBD(stdout, server.Front(serve.NBD))
	fmt.Fprintf(stdout, "serving until Ctrl-C: %s\n", server.URL())
	if server.Exposed() {
		fmt.Fprintln(stderr, "snapmount: other machines reach this, over plain http: who listens on the way sees the token, and all that is read")
	}
	if v.browser {
		if err := process.OpenBrowser(server.Ticket()); err != nil {
			fmt.Fprintf(stderr, "snapmount: no browser was opened (%s): open the address above\n", text.Printable(report.OneLine(err)))
		}
	}
}

// printNFS tells how to mount what is served by NFS, and who else can.
func printNFS(stdout, stderr io.Writer, server *serve.Server) {
	a, ok := server.Front(serve.NFS).(*net.TCPAddr)
	if !ok {
		return
	}
	ip := a.IP.String()
	if a.IP.IsUnspecified() {
		ip = "127.0.0.1"
	}
	how := "nfs://%[2]s/?nfsport=%[1]d&mountport=%[1]d"
	switch runtime.GOOS {
	case "linux":
		how = "sudo mount -t nfs -o vers=3,tcp,port=%[1]d,mountport=%[1]d,nolock,ro,soft %[2]s:/ DIR"
	case "darwin":
		how = "mount_nfs -o vers=3,tcp,port=%[1]d,mountport=%[1]d,ro,locallocks,soft %[2]s:/ DIR"
	}
	if a.IP.To4() == nil && !a.IP.IsUnspecified() {
		ip = "[" + ip + "]"
	}
	fmt.Fprintf(stdout, "by NFS: "+how+"\n", a.Port, ip)
	who := "every user of this machine"
	if server.NFSExposed() {
		who = "whoever reaches this machine"
	}
	fmt.Fprintf(stderr, "snapmount: NFS has no password: %s can read all of it at port %d\n", who, a.Port)
}

// printNBD tells the address by which programs list and read block images.
func printNBD(stdout io.Writer, at net.Addr) {
	switch a := at.(type) {
	case *net.UnixAddr:
		path, err := filepath.Abs(a.Name)
		if err != nil {
			path = a.Name
		}
		path = strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(path)) // a plus would be one
		fmt.Fprintf(stdout, "by NBD: nbdinfo --list %s\n", text.Quoted("nbd+unix:///?socket="+path))
	case *net.TCPAddr:
		fmt.Fprintf(stdout, "by NBD: nbdinfo --list nbd://%s\n", a)
	}
}
