package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// IsSocket reports whether an address of Options.NBD is the path of a socket.
func IsSocket(address string) bool {
	_, _, err := net.SplitHostPort(address)
	return err != nil || strings.ContainsAny(address, `/\`)
}

// CheckNBD says what is wrong with an address of Options.NBD, by its words alone: other machines would need no password.
func CheckNBD(address string) error {
	if IsSocket(address) {
		return nil
	}
	name, _, err := splitAddress(address)
	if ip := net.ParseIP(name); err == nil && name != "" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("address %q: want the path of a socket, or a port of this machine alone, as localhost:10809", address)
	}
	return err
}

// listenNBD listens on an address of Options.NBD.
func listenNBD(address string) ([]net.Listener, error) {
	if err := CheckNBD(address); err != nil {
		return nil, err
	}
	if !IsSocket(address) {
		on, _, err := listen(address)
		return on, err
	}
	l, err := listenSocket(address)
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

// listenSocket makes a socket that its owner alone may use, and never another. One that a program left behind is replaced.
func listenSocket(path string) (net.Listener, error) {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return nil, fmt.Errorf("socket %s: another program listens there", path)
	}
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf("socket %s: the path is too long for one", path)
	}
	switch info, err := os.Lstat(path); {
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("socket %s: %w", path, fs.ErrExist)
	case err == nil:
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".s") // nobody else gets at it until it has its mode
	if err != nil {
		return nil, err
	}
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		l.Close()
		return nil, err
	}
	return &socket{UnixListener: l, path: path}, nil
}

// A socket is removed when it is closed.
type socket struct {
	*net.UnixListener
	path string
	once sync.Once
}

func (s *socket) Close() error {
	err := s.UnixListener.Close()
	s.once.Do(func() { err = errors.Join(err, os.Remove(s.path)) })
	return err
}

func (s *socket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }
