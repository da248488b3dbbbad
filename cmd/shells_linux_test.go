package cmd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"snapmount/cmd/shell"
	"snapmount/imagefmt/layer/testenv"
)

// keys is what is typed before the tab key, and what the line is then.
type keys struct{ typed, want string }

// completions of all shells that are typed at. The demo image lies in the directory as demo.qcow2 and as "my demo's.qcow2".
var typedKeys = []keys{
	{"snapmount histo", "snapmount history "},
	{"snapmount ls dem", "snapmount ls demo.qcow2"},
	{"snapmount verify dem", "snapmount verify demo.qcow2 "},
	{"snapmount ls demo.qcow2:p1", "snapmount ls demo.qcow2:p1-Documents"},
	{"snapmount ls demo.qcow2:P2", "snapmount ls demo.qcow2:p2-Archive"},
	{"snapmount ls demo.qcow2@la", "snapmount ls demo.qcow2@latest"},
	{"snapmount ls demo.qcow2@latest", "snapmount ls demo.qcow2@latest:/"},
	{"snapmount ls demo.qcow2:p1@2026-03-04", "snapmount ls demo.qcow2:p1@2026-03-04T180000Z"},
	{"snapmount ls demo.qcow2:p1:/Le", "snapmount ls demo.qcow2:p1:/Letters/"},
	{"snapmount ls demo.qcow2:p1:/le", "snapmount ls demo.qcow2:p1:/Letters/"},
	{"snapmount cat demo.qcow2:p1@latest:/Letters/off", "snapmount cat demo.qcow2:p1@latest:/Letters/offer.txt "},
	{"snapmount cat demo.qcow2:p1:/Letters/tha", `snapmount cat demo.qcow2:p1:/Letters/thanks\ \(sent\).txt `},
	{`snapmount ls demo.qcow2:p1:/System\ V`, `snapmount ls demo.qcow2:p1:/System\ Volume\ Information/`},
	{"snapmount diff demo.qcow2 @old", "snapmount diff demo.qcow2 @oldest "},
	{"snapmount ls --unknown li", "snapmount ls --unknown live "},
	{"snapmount diff --only content,del", "snapmount diff --only content,deleted"},
	{"snapmount ls nothing.here:/x", "snapmount ls nothing.here:/x"},
	{"snapmount ls broken.qcow2:", "snapmount ls broken.qcow2:/"},
	{"snapmount cat demo.qcow2:p1:/Letters/$(touch${IFS}ran)", "snapmount cat demo.qcow2:p1:/Letters/$(touch${IFS}ran)"},
}

// shellDir is a directory with the program and images, which shells start in.
func shellDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for link, target := range map[string]string{"bin/snapmount": build(t), "demo.qcow2": demo(t), "my demo's.qcow2": demo(t)} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, link)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.qcow2"), []byte("QFI\xfbnothing"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// shellEnv lets completion take its time: other tests run beside.
func shellEnv(dir string) []string {
	return append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir, "TERM=dumb", "LC_ALL=C.UTF-8", waitVariable+"=30s", "HISTFILE=")
}

// typeAt starts a shell on a terminal and presses keys: of each line the tab key, and control-T, which setup has print the
// line between "<" and ">". It gives what was printed.
func typeAt(t *testing.T, dir, shell, setup string, list []keys) []string {
	t.Helper()
	c := exec.Command(testenv.Peer(t, "script"), "-qfec", "stty cols 400; exec "+shell, "/dev/null")
	c.Dir, c.Env = dir, shellEnv(dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(4*time.Minute, func() { c.Process.Kill() })
	defer stop.Stop()
	defer c.Wait()
	defer in.Close()
	r, all := bufio.NewReader(pipe), ""
	until := func(end *regexp.Regexp) string {
		t.Helper()
		seen := ""
		for {
			b, err := r.ReadByte()
			if err != nil {
				t.Fatalf("%s ends: %v, after %q", shell, err, all)
			}
			all, seen = all+string([]byte{b}), seen+string([]byte{b})
			if m := end.FindStringSubmatch(seen); m != nil {
				return m[1]
			}
		}
	}
	io.WriteString(in, setup+"\n")
	until(regexp.MustCompile(`(PROMPT)# $`))
	var lines []string
	for _, k := range list {
		io.WriteString(in, k.typed+"\t\x14\x15")
		lines = append(lines, until(regexp.MustCompile(`<<(.*)>>`)))
	}
	io.WriteString(in, "exit\n")
	io.Copy(io.Discard, r)
	return lines
}

func TestBashCompletes(t *testing.T) {
	testenv.Peer(t, "bash")
	list := append([]keys{
		{`snapmount ls my\ `, `snapmount ls my\ demo\'s.qcow2`},
		{`snapmount ls my\ demo\'s.qcow2:p1:/Pic`, `snapmount ls my\ demo\'s.qcow2:p1:/Pictures/`},
		{`snapmount ls "my demo's.qcow2:p1:/Sys`, `snapmount ls "my demo's.qcow2:p1:/System Volume Information/"`},
		{`snapmount ls 'demo.qcow2:p1:\sys`, `snapmount ls 'demo.qcow2:p1:\System Volume Information\'`},
		{`snapmount ls ~/dem`, `snapmount ls ~/demo.qcow2`},
		{`x=1 snapmount ls demo.qcow2:p1:/Pic`, `x=1 snapmount ls demo.qcow2:p1:/Pictures/`},
		{`true; snapmount ls demo.qcow2:p1:/Pic`, `true; snapmount ls demo.qcow2:p1:/Pictures/`},
		{"snapmount timeline demo.qcow2 -o bro", "snapmount timeline demo.qcow2 -o broken.qcow2 "},
	}, typedKeys...)
	for name, source := range map[string]string{"alone": "", "with bash-completion": "/usr/share/bash-completion/bash_completion"} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat(source); source != "" && err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			dir := shellDir(t)
			setup := `source <(snapmount completion bash); bind -x '"\C-t": printf "<<%s>>\n" "$READLINE_LINE"'; bind 'set bell-style none'; PS1='PROM''PT# '`
			if source != "" {
				setup = "source " + source + "; " + setup
			}
			check(t, list, typeAt(t, dir, "bash --norc --noprofile -i", setup, list))
			notRun(t, dir)
		})
	}
}

func TestZshCompletes(t *testing.T) {
	testenv.Peer(t, "zsh")
	list := append([]keys{
		{`snapmount ls my\ `, `snapmount ls my\ demo\'s.qcow2`},
		{`snapmount ls my\ demo\'s.qcow2:p1:/Pic`, `snapmount ls my\ demo\'s.qcow2:p1:/Pictures/`},
		{`snapmount ls "my demo's.qcow2:p1:/Sys`, `snapmount ls "my demo's.qcow2:p1:/System Volume Information/`},
		{`snapmount ls 'demo.qcow2:p1:\sys`, `snapmount ls 'demo.qcow2:p1:\System Volume Information\`},
	}, typedKeys...)
	dir := shellDir(t)
	setup := `autoload -U compinit; compinit -D -u; source <(snapmount completion zsh); show() print -r -- "<<$BUFFER>>"; zle -N show; bindkey '^T' show; unsetopt beep prompt_sp; PS1='PROM''PT# '`
	check(t, list, typeAt(t, dir, "zsh -f -i", setup, list))
	notRun(t, dir)
}

// TestFishCompletes asks fish, which adds what a word lacks by itself.
func TestFishCompletes(t *testing.T) {
	fish, dir := testenv.Peer(t, "fish"), shellDir(t)
	for _, k := range append([]keys{
		{`snapmount ls my\ `, `snapmount ls my\ demo\'s.qcow2`},
		{`snapmount ls "my demo's.qcow2:p1:/Sys`, `snapmount ls "my demo's.qcow2:p1:/System Volume Information/`},
	}, typedKeys...) {
		c := exec.Command(fish, "--no-config", "-c", fmt.Sprintf("snapmount completion fish | source; complete -C %s", quotedForFish(k.typed)))
		c.Dir, c.Env = dir, shellEnv(dir)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", k.typed, err, out)
		}
		want := shell.Parse(strings.TrimRight(k.want, " "), dir).Last()
		if k.want == k.typed {
			want = ""
		}
		if got, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\t"); got != want {
			t.Errorf("%s: fish has %q, want %q", k.typed, out, want)
		}
	}
	notRun(t, dir)
}

func quotedForFish(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func check(t *testing.T, list []keys, got []string) {
	t.Helper()
	for i, k := range list {
		if got[i] != k.want {
			t.Errorf("typed %s: the line is\n%q, want\n%q", k.typed, got[i], k.want)
		}
	}
}

// notRun checks that nothing on a line was run.
func notRun(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("completion ran what stands on the line")
	}
}
