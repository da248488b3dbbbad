package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestQuoting has a shell read the command lines that the page gives: each name is one word of them again.
func TestQuoting(t *testing.T) {
	node, bash := testenv.Peer(t, "node"), testenv.Peer(t, "bash")
	dir := t.TempDir()
	module := filepath.Join(dir, "words.mjs")
	if err := os.WriteFile(module, []byte(read(t, "page/words.js")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain.txt", "a b", "it's", `"`, "$(reboot)", "`reboot`", "a;reboot", "a&b|c>d", "-l", "*?[x]", "~", "#x", "!x", `back\slash`, "new\nline", "tab\tbell\a\x1b[2J", "\u202egnp.exe",
		"'\n'\\'", "ümlaut 世界 🙂", " ", "%41", "{a,b}", "=x", "^x"} {
		words, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		line := string(testenv.Run(t, node, "--input-type=module", "-e", "import { command } from "+quoted(t, module)+"; process.stdout.write(command("+string(words)+", 'end'))"))
		if got := string(testenv.Run(t, bash, "-c", "snapmount() { printf '%s|' \"$@\"; }; "+line)); got != name+"|end|" {
			t.Errorf("%q: the line %s gives %q", name, line, got)
		}
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
