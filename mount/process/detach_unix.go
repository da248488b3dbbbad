//go:build !windows

package process

import (
	"os/exec"
	"syscall"
)

// detach gives what is to be started a session of its own, without the terminal.
func detach(c *exec.Cmd) error {
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return nil
}
