package process

import (
	"os/exec"
	"runtime"
)

// OpenBrowser has the system open an address in the user's browser, and does not wait for it. Other users may see the
// address for as long as that runs.
func OpenBrowser(address string) error {
	words := browser(runtime.GOOS, address)
	c := exec.Command(words[0], words[1:]...)
	if err := c.Start(); err != nil {
		return err
	}
	go func() { _ = c.Wait() }() // a browser that runs already has its own way
	return nil
}

// browser is the command line that opens an address on a system.
func browser(system, address string) []string {
	switch system {
	case "darwin":
		return []string{"open", address}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	return []string{"xdg-open", address}
}
