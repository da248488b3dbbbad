package serve

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
)

// listen listens on an address of Options.Listen; name is the host in it, empty for loopback.
func listen(address string) (on []net.Listener, name string, err error) {
	name, port, err := splitAddress(address)
	if err != nil {
		return nil, "", err
	}
	if name != "" {
		l, err := net.Listen("tcp", net.JoinHostPort(name, port))
		if err != nil {
			return nil, "", err
		}
		return []net.Listener{l}, name, nil
	}
	for range 20 { // a free port of one may be taken of the other
		if on, err = listenLoopback(port); err == nil || port != "0" {
			break
		}
	}
	return on, "", err
}

// listenLoopback listens on 127.0.0.1, and on the same port of ::1 where there is that.
func listenLoopback(port string) ([]net.Listener, error) {
	four, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return nil, err
	}
	_, port, _ = net.SplitHostPort(four.Addr().String())
	six, err := net.Listen("tcp6", net.JoinHostPort("::1", port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case isTaken(err): // whoever says "localhost" may reach another program there
		four.Close()
		return nil, err
	}
	return []net.Listener{four}, nil
}

// isTaken reports whether another program listens there. Windows has a number of its own for that.
func isTaken(err error) bool {
	const wsaAddrInUse, wsaAccess = syscall.Errno(10048), syscall.Errno(10013)
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse) || errors.Is(err, wsaAccess)
}

// CheckAddress says what is wrong with an address of Options.Listen, by its words alone.
func CheckAddress(address string) error {
	_, _, err := splitAddress(address)
	return err
}

// splitAddress takes HOST:PORT, HOST, PORT, :PORT and nothing. Of localhost and the like the name is empty.
func splitAddress(address string) (name, port string, err error) {
	name, port, err = net.SplitHostPort(address)
	if err != nil {
		bare := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
		switch _, notNumber := strconv.Atoi(address); {
		case notNumber == nil:
			name, port = "", address
		case strings.Contains(bare, ":") && net.ParseIP(bare) == nil:
			return "", "", fmt.Errorf("address %q: want HOST:PORT, HOST or PORT", address)
		default:
			name, port = bare, "0"
		}
	}
	if port == "" {
		port = "0"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "", "", fmt.Errorf("address %q: port %q: want a number up to 65535", address, port)
	}
	if strings.EqualFold(name, "localhost") {
		name = ""
	}
	if name == "*" {
		name = "0.0.0.0"
	}
	return name, port, nil
}
