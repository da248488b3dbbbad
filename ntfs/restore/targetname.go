package restore

import (
	"fmt"
	"runtime"
	"strings"
)

// CheckTarget says what is wrong with the path of a file or directory that is to be written, where this system would take it
// for something else: Windows opens devices by names such as CON and NUL, drops dots and spaces at the end, and takes what
// is behind a colon for a stream.
func CheckTarget(path string) error {
	if runtime.GOOS != "windows" {
		return nil
	}
	return checkWindows(path)
}

// checkWindows is CheckTarget on Windows. What begins with \\?\ is taken by Windows as it stands.
func checkWindows(path string) error {
	slashed := strings.ReplaceAll(path, "/", `\`)
	switch {
	case strings.HasPrefix(slashed, `\\?\`):
		return nil
	case strings.HasPrefix(slashed, `\\.\`):
		return fmt.Errorf("%s: is the name of a device, want a path", path)
	case len(slashed) > 1 && slashed[1] == ':':
		slashed = slashed[2:]
	case strings.HasPrefix(slashed, `\\`): // a server and what it shares
		parts := strings.SplitN(slashed[2:], `\`, 3)
		slashed = strings.Join(parts[min(2, len(parts)):], "")
	}
	for _, name := range strings.Split(slashed, `\`) {
		if what := fault(name); what != "" {
			return fmt.Errorf("%s: %q %s: want another name", path, name, what)
		}
	}
	return nil
}

// fault is what Windows has against a name, or "".
func fault(name string) string {
	if name == "" || isDots(name) {
		return ""
	}
	if isDevice(name) {
		return "is a device for Windows, wherever it stands"
	}
	for i := range len(name) {
		switch {
		case name[i] == ':':
			return "has a colon, and Windows would write a stream of what stands before it"
		case refused(name, i) && i == len(name)-1 && (name[i] == '.' || name[i] == ' '):
			return "ends with a dot or a space, which Windows drops"
		case refused(name, i):
			return fmt.Sprintf("has %q, which is in no name on Windows", name[i])
		}
	}
	return ""
}
