package advice

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
	"snapmount/ntfs/pattern"
)

// swapped is an image behind what belongs behind it.
func (w *words) swapped() *Hint {
	first, last := w.word(0), w.word(-1)
	if len(w.at) != 2 || !there(last) || there(first) {
		return nil
	}
	switch {
	case w.command == "" && !exists(first) && (w.command1() != nil || isPoint(first)):
		return nil // a command, most likely
	case w.mounts():
		return one("the image comes first, and then the directory to mount on:", w.turned())
	case w.is("restore", "undelete"):
		return one("what to restore comes first, and then where to:", w.turned())
	case w.is("export"):
		return one("the image comes first, and then the file to write:", w.turned())
	case w.is("find"):
		return one("the image comes first, and then the pattern:", w.turned())
	case w.is(located...) && !strings.Contains(first, ":"):
		return one("the path follows the image, after a colon:", w.with(0, joined(last, first), 1))
	}
	return nil
}

// turned is the line with its two words in the other order.
func (w *words) turned() []string {
	args := slices.Clone(w.Args)
	args[w.at[0]], args[w.at[1]] = args[w.at[1]], args[w.at[0]]
	return args
}

// apart is an image, and what belongs to it, as words of their own.
func (w *words) apart() *Hint {
	end := len(w.at)
	if w.is("restore") {
		end-- // where to
	} else if !w.is(located...) {
		return nil
	}
	if end < 2 || !there(w.word(0)) {
		return nil
	}
	location, drop := w.word(0), []int{}
	for i := 1; i < end; i++ {
		if exists(imageOf(w.word(i))) || imageNames.MatchString(w.word(i)) || nearFiles(imageOf(w.word(i))) != nil {
			return nil
		}
		location, drop = joined(location, w.word(i)), append(drop, i)
	}
	return one("volume, point and path follow the image in one word:", w.with(0, location, drop...))
}

// lostColon is a path behind an image with a slash where a colon belongs.
func (w *words) lostColon() *Hint {
	for i := range w.at {
		word := w.word(i)
		for end := range word {
			if end > 0 && (word[end] == '/' || word[end] == '\\') && isFile(word[:end]) {
				return one("a colon parts the image from the path:", w.with(i, word[:end]+":"+word[end:]))
			}
		}
	}
	return nil
}

// expanded is a pattern that the shell has replaced by the names of files that are here.
func (w *words) expanded() *Hint {
	if !w.is("find") || len(w.at) < 4 || !there(w.word(0)) {
		return nil
	}
	for i := range w.at[1:] {
		if !exists(w.word(i + 1)) {
			return nil
		}
	}
	guess := "*"
	if x := filepath.Ext(w.word(-1)); x != "" && x == filepath.Ext(w.word(1)) {
		guess += x
	}
	return one("the shell has put names of files here in place of a pattern: it wants quotes:", w.behind(w.word(0), guess))
}

// patterns are several of a search, which takes one.
func (w *words) patterns() *Hint {
	if !w.is("find") || len(w.at) < 3 || !there(w.word(0)) {
		return nil
	}
	h := &Hint{Why: "find takes one pattern, the last word:"}
	for _, p := range w.all()[1:] {
		if exists(imageOf(p)) || !pattern.HasMeta(p) {
			return nil
		}
		h.Lines = append(h.Lines, w.behind(w.word(0), p))
	}
	return h
}

// topic is a word that there is no help on.
func (w *words) topic() *Hint {
	if best := w.nearest(w.word(0), 2); w.is("help") && best != "" {
		return one("did you mean:", []string{"help", best})
	}
	return nil
}

// missing is a line of which a word is not there.
func (w *words) missing() *Hint {
	if !w.usage() {
		return nil
	}
	switch {
	case w.is("umount") && len(w.at) == 0:
		return one("what is mounted:", []string{"mounts"})
	case w.is("timeline") && len(w.at) > 0 && there(w.word(0)) && !slices.ContainsFunc(w.Args, func(a string) bool { return strings.HasPrefix(a, "--format") }):
		line := append(slices.Clone(w.Args), "--format", "csv")
		if !slices.ContainsFunc(w.Args, func(a string) bool { return strings.HasPrefix(a, "-o") || strings.HasPrefix(a, "--out") }) {
			line = append(line, "-o", "timeline.csv")
		}
		return one("a file of rows for a spreadsheet is written by:", line)
	}
	return w.short()
}

// short is missing for the last word of some commands.
func (w *words) short() *Hint {
	if len(w.at) != 1 {
		return nil
	}
	image := there(w.word(0))
	switch {
	case w.is("find") && image:
		return one("the pattern comes last; this one matches all:", w.behind(w.word(0), "*"))
	case w.is("mount") && image:
		return one("the directory to mount on comes last:", w.behind(w.word(0), "mnt"))
	case w.is("restore") && image:
		return one("the directory to restore to comes last:", w.behind(w.word(0), "restored"))
	case w.is("undelete") && imageOf(w.word(0)) == w.word(0) && image:
		return one("all that is deleted, as a list to choose from:", w.behind(w.word(0), "*"))
	}
	return nil
}

// whole is a part of an image where a whole one is wanted; and a file name where there is no image.
func (w *words) whole() *Hint {
	word := w.word(0)
	image := imageOf(word)
	switch {
	case w.is("verify", "scan") && len(image) < len(word) && isFile(image) && errors.Is(w.Err, layer.ErrFormat):
		return one(w.command+" is of whole images:", w.with(0, image))
	case (w.is("serve") || w.mounts() && len(w.at) > 1) && len(image) < len(word) && isFile(image):
		return w.shown(image, word[len(image):])
	case w.is("undelete", "find", "history", "cat", "restore") && len(w.at) == 1 && !exists(image) && !hasSlash(word) && !strings.Contains(word, ":") && nearFiles(word) == nil:
		return &Hint{Why: "an image comes first, and what to look for in it follows: snapmount " + w.command + " --help"}
	}
	return nil
}

// shown is an image with a point or a part of it, where all of it is shown.
func (w *words) shown(image, part string) *Hint {
	var several *points.SeveralError
	if !errors.Is(w.Err, layer.ErrFormat) && !errors.As(w.Err, &several) {
		return nil // an image in an image, most likely
	}
	whole := w.with(0, image)
	if point, ok := strings.CutPrefix(part, "@"); ok && !strings.ContainsAny(point, ":/\\") {
		at := max(w.first+1, 0)
		return one("a whole image is shown, but its points may be some:", slices.Concat(whole[:at], []string{"--points", point}, whole[at:]))
	}
	return one("a whole image is shown:", whole)
}

// served is a directory behind the image of serve.
func (w *words) served() *Hint {
	if !w.is("serve") || len(w.at) != 2 || !isFile(w.word(0)) || there(w.word(1)) && !isDir(w.word(1)) {
		return nil
	}
	return one("nothing is mounted by serve, which prints an address; it takes images alone:", w.with(0, w.word(0), 1))
}

// directory is one where a file is wanted.
func (w *words) directory() *Hint {
	if !w.is("cat") || !errors.Is(w.Err, syscall.EISDIR) {
		return nil
	}
	ls, restore := slices.Clone(w.Args), w.behind(append(w.all(), "restored")...)
	ls[w.first] = "ls"
	restore[0] = "restore"
	return &Hint{Why: "a directory is listed, or restored with all below it:", Lines: [][]string{ls, restore}}
}

// between is a word that is no image, where all but the last are.
func (w *words) between() *Hint {
	if len(w.at) < 3 || !there(w.word(0)) {
		return nil
	}
	switch {
	case w.mounts():
		return &Hint{Why: "all words but the last are images, and the last is the directory to mount on"}
	case w.is("restore"):
		return &Hint{Why: "all words but the last are LOCATIONs, and the last is where to restore to"}
	}
	return nil
}

// compared is a comparison with the points in other places than diff has them.
func (w *words) compared() *Hint {
	k := slices.IndexFunc(w.all(), there)
	if !w.is("diff") || k < 0 {
		return nil
	}
	location, named, paths, usual := w.word(k), []string{}, []string{}, k == 0
	var several *points.SeveralError
	for i, word := range w.all() {
		switch image := imageOf(word); {
		case i != k && there(word) && image == imageOf(location) && errors.As(w.Err, &several): // one image twice
			return w.onEach(several.Targets, location[len(image):], word[len(image):])
		case i != k && there(word):
			return nil
		case i != k && (word == "" || hasSlash(word)):
			paths = append(paths, word)
		case i != k && strings.Contains(word[1:], "@"): // a point of another image, which is not there
			return nil
		case i != k:
			a, b, two := strings.Cut(strings.TrimPrefix(word, "@"), "..")
			if named = append(named, "@"+a); two {
				named = append(named, "@"+strings.TrimPrefix(b, "@"))
			}
			usual = usual && !two && word[0] == '@'
		}
	}
	if start, last, ok := strings.Cut(location, ".."); ok && strings.Contains(start, "@") && len(named) == 0 {
		at := strings.LastIndexByte(start, '@')
		last, path, colon := strings.Cut(last, ":")
		location, named, usual = start[:at], []string{start[at:], "@" + strings.TrimPrefix(last, "@")}, false
		if colon {
			location += ":" + path
		}
	}
	if usual || len(named) == 0 || len(named) > 2 {
		return nil
	}
	return one("the image comes first, then two points, each behind @, then paths:", w.behind(slices.Concat([]string{location}, named, paths)...))
}

// onEach is a comparison of two points of each volume that may be meant.
func (w *words) onEach(volumes []points.Target, a, b string) *Hint {
	if !strings.HasPrefix(a, "@") || !strings.HasPrefix(b, "@") || strings.ContainsAny(a+b, ":") {
		return nil
	}
	h := &Hint{Why: "one of:"}
	for _, t := range volumes {
		h.Lines = append(h.Lines, w.behind(t.Volume.Image.Path+":"+t.Volume.OwnName(), a, b))
	}
	return h
}
