// Package cmd is the command line. A file is a command: its flags, one call, what it prints. What the calls are of lies
// below: LOCATIONs and filters in mount/selection, JSON in mount/report and mount/receipt, words for people in cmd/text.
//
//	root.go       the program, its help, flags before the command word
//	open.go       the flags of how images are opened
//	exit.go       errors to exit codes
//	help.go       help in groups of flags; rare ones with --help-all
//	info.go ls.go stat.go cat.go explain.go verify.go version.go
//	history.go    historyextract.go writes versions as files
//	diff.go find.go timeline.go
//	restore.go    its flags and the engine; restoreplan.go is --dry-run, restoreapply.go --apply-meta,
//	              restorereport.go what becomes of each item, restoreprogress.go how far it is
//	mount.go      serving; mountoptions.go reads -o, mountaccess.go whom the files belong to, mountdaemon.go is -d and
//	              the log, mounthelper.go what mount(8) calls
//	umount.go mounts.go
//	complete.go   how arguments and flags are completed; completion.go the scripts of shells, and what that of bash calls
//	times.go location.go   topics of help
//
// A command that finds something wrong with single items tells them on standard error, goes on, and ends with exit code 7.
package cmd
