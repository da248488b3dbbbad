package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// What a release was made from: cmd/release has the linker set it. Other builds leave it empty.
var version, commit, commitDate string

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: "version prints one line: the version, the commit it was made from with its date, the version of Go, and the " +
			"system. --version and -V do the same.",
		Example: "  snapmount version",
		Args:    args(cobra.ExactArgs(0)),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), versionLine())
			return err
		},
	}
}

// versionLine is all that a report of a fault needs of the program.
func versionLine() string {
	made, date := commit, commitDate
	if info, ok := debug.ReadBuildInfo(); ok && made == "" {
		made, date = setting(info, "vcs.revision"), setting(info, "vcs.time")
		if len(made) > 12 {
			made = made[:12]
		}
		if setting(info, "vcs.modified") == "true" {
			made += " with changes"
		}
	}
	from := ""
	if made != "" {
		from = fmt.Sprintf("commit %s of %s, ", made, date)
	}
	return fmt.Sprintf("snapmount %s (%s%s, %s/%s)", buildVersion(), from, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// buildVersion is the version of the release, that of the module, or the commit the binary was built from.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if made := setting(info, "vcs.revision"); len(made) >= 12 {
		return "devel-" + made[:12]
	}
	return "devel"
}

// setting gives what the build noted under a key, or nothing.
func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
