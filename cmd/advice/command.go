package advice

import (
	"slices"
	"strings"
)

// synonyms are words that other programs have for commands.
var synonyms = map[string]string{
	"list": "ls", "dir": "ls", "ll": "ls", "tree": "ls", "browse": "ls", "view": "ls", "explore": "ls",
	"show": "info", "open": "info", "snapshots": "info", "points": "info", "volumes": "info", "partitions": "info", "shadows": "info", "mmls": "info", "vshadowinfo": "info",
	"type": "cat", "print": "cat", "head": "cat", "less": "cat", "more": "cat", "icat": "cat", "read": "cat",
	"copy": "restore", "cp": "restore", "extract": "restore", "get": "restore", "save": "restore", "fetch": "restore", "dump": "restore", "unpack": "restore", "xcopy": "restore", "robocopy": "restore",
	"recover": "undelete", "undel": "undelete", "unerase": "undelete", "search": "find", "locate": "find", "grep": "find", "fls": "find", "where": "find",
	"log": "history", "versions": "history", "compare": "diff", "check": "verify", "hash": "verify", "vshadowmount": "mount", "attach": "mount",
	"ransomware": "attack", "ransom": "attack", "malware": "attack",
	"web": "serve", "webdav": "serve", "dav": "serve", "http": "serve", "server": "serve", "share": "serve", "gui": "serve", "browser": "serve",
	"unmount": "umount", "eject": "umount", "detach": "umount", "mactime": "timeline", "carve": "scan", "exit": "", "rm": "", "del": "", "delete": "", "mv": "", "move": "", "write": "", "edit": "", "repair": "", "fix": "",
}

// command1 is a first word that is surely meant for a command.
func (w *words) command1() *Hint {
	first := strings.ToLower(w.word(0))
	if w.command != "" || first == "" || hasSlash(first) || strings.ContainsAny(first, ":@.") || exists(w.word(0)) {
		return nil
	}
	if meant, ok := synonyms[first]; ok && meant == "" {
		return &Hint{Why: "there is no command " + first + ": images are only read. snapmount help lists the commands"}
	} else if ok && (len(w.at) > 1 || nearFiles(first) == nil) {
		return w.meant(meant)
	}
	if best := w.nearest(first, 1); best != "" && (len(w.at) > 1 || nearFiles(first) == nil) {
		return w.meant(best)
	}
	return nil
}

// unknown is a first word that is no command and no file, but may be spelt nearly as a command is.
func (w *words) unknown() *Hint {
	first := w.word(0)
	if w.usage() || w.command != "" || first == "" || hasSlash(first) || strings.ContainsAny(first, ":@.") || exists(first) {
		return nil
	}
	if best := w.nearest(first, 2); best != "" {
		return w.meant(best)
	}
	return &Hint{Why: "neither a command nor a file: snapmount help lists the commands"}
}

// meant is the line with a command for the first word. What that lacks, or has in the wrong order, is mended too.
func (w *words) meant(command string) *Hint {
	if !slices.Contains(w.Commands, command) {
		return nil
	}
	why := "there is no command " + w.word(0) + "; did you mean:"
	c := w.Call
	if strings.EqualFold(w.word(0), "grep") && len(w.at) == 3 && there(w.word(2)) {
		return one(why, []string{"find", w.word(2), "*", "--content", w.word(1)})
	}
	c.Args = w.with(0, command)
	next := read(c)
	for _, mend := range []func() *Hint{next.swapped, next.apart, next.short} {
		if h := mend(); h != nil && h.Lines != nil {
			return &Hint{Why: why, Lines: h.Lines}
		}
	}
	return one(why, c.Args)
}

// nearest is the command that a word is spelt most nearly as.
func (w *words) nearest(word string, most int) string { return nearestOf(word, w.Commands, most) }
