package web_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// TestPage looks at the files of the page: no text becomes HTML or a program, nothing comes from elsewhere, and what they name
// is there.
func TestPage(t *testing.T) {
	s := serve(t, demo(t))
	entries, err := os.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	first, index := get(t, s, "/")
	if first.Header.Get("Cache-Control") != "no-store" {
		t.Error("browsers may keep the page, which leads to what they may keep")
	}
	at := regexp.MustCompile(`(/a/[0-9a-f]{16})/main\.js`).FindStringSubmatch(index)
	if at == nil {
		t.Fatal(index)
	}
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|\.style\.cssText|javascript:`)
	far := regexp.MustCompile(`https?://[^'"\s]*`)
	named := regexp.MustCompile(`(?:from '\./|(?:src|href)="{assets}/)([a-z]+\.[a-z]+)`)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join("page", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if m := bad.FindString(text); m != "" {
			t.Errorf("%s: %s", e.Name(), m)
		}
		for _, m := range far.FindAllString(text, -1) {
			if m != "http://www.w3.org/2000/svg" {
				t.Errorf("%s: %s", e.Name(), m)
			}
		}
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if answer, _ := get(t, s, at[1]+"/"+m[1]); answer.StatusCode != http.StatusOK {
				t.Errorf("%s names %s: %s", e.Name(), m[1], answer.Status)
			}
		}
		if lines := strings.Count(text, "\n"); lines > 350 {
			t.Errorf("%s: %d lines", e.Name(), lines)
		}
		if strings.HasSuffix(e.Name(), ".js") && !strings.Contains(index, `"`+at[1]+"/"+e.Name()+`"`) {
			t.Errorf("index.html does not name %s, which the browser asks for late then", e.Name())
		}
		answer, body := get(t, s, at[1]+"/"+e.Name())
		if csp := answer.Header.Get("Content-Security-Policy"); body != strings.ReplaceAll(text, "{assets}", at[1]) || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") {
			t.Errorf("%s: %s, %q", e.Name(), answer.Status, csp)
		}
	}
	for _, address := range []string{"/main.js", "/a/0123456789abcdef/main.js", at[1] + "/../main.js", at[1] + "/none.js"} {
		if answer, _ := get(t, s, address); answer.StatusCode == http.StatusOK {
			t.Errorf("%s is there", address)
		}
	}
	if regexp.MustCompile(`(?i)<style|<script>| on[a-z]+="| style="`).MatchString(read(t, "page/index.html")) {
		t.Error("index.html: has a script or a style in it")
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestModules has node read each module.
func TestModules(t *testing.T) {
	node := testenv.Peer(t, "node")
	names, err := filepath.Glob("page/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(err, names)
	}
	dir := t.TempDir()
	for _, name := range names {
		module := filepath.Join(dir, strings.TrimSuffix(filepath.Base(name), ".js")+".mjs")
		if err := os.WriteFile(module, []byte(read(t, name)), 0o600); err != nil {
			t.Fatal(err)
		}
		testenv.Run(t, node, "--check", module)
	}
}

// TestQuoted has node quote words as the page does in commands: as package text does elsewhere.
func TestQuoted(t *testing.T) {
	node, module := testenv.Peer(t, "node"), filepath.Join(t.TempDir(), "words.mjs")
	for _, c := range [][3]string{
		{`C:\a.vhd:p1@vss2:/b`, `'C:\a.vhd:p1@vss2:/b'`, `C:\a.vhd:p1@vss2:/b`},
		{"a b", "'a b'", `"a b"`}, {"@vss1", "@vss1", `"@vss1"`}, {"it's", `'it'\''s'`, `"it's"`}, {"it’s", "'it’s'", `"it’s"`},
		{"“it’s”", "'“it’s”'", "'“it’’s”'"}, {`C:\a b\`, `'C:\a b\'`, `"C:\a b\\"`}, {"$x it's", `'$x it'\''s'`, `'$x it''s'`},
		{"%PATH%", "%PATH%", "'%PATH%'"}, {"100%", "100%", `"100%"`},
	} {
		script := fmt.Sprintf("%s\nfor (const yes of [false, true]) { forWindows(yes); console.log(quoted(%q)); }\n", read(t, "page/words.js"), c[0])
		if err := os.WriteFile(module, []byte(script), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := string(testenv.Run(t, node, module)), c[1]+"\n"+c[2]+"\n"; got != want {
			t.Errorf("%s:\n%swant\n%s", c[0], got, want)
		}
	}
}
