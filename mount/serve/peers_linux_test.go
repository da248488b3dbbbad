package serve_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/serve"
)

const point = "p1-Documents/snapshots/2026-03-02T180000Z"

// ofPoint are the hashes of all files of a point of the demo image, by path in it; links as what they lead to.
func ofPoint(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, sum := range written(t) {
		if at, ok := strings.CutPrefix(name, "p1-Documents/vss1/"); ok {
			files[at] = sum
		}
	}
	for name, sum := range maps.Clone(files) {
		if in, ok := strings.CutPrefix(name, "Letters/"); ok {
			files["My Letters/"+in] = sum
		}
	}
	files["Projects/latest offer.txt"] = files["Letters/offer.txt"]
	return files
}

// hashes are those of all files below a directory.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		files[strings.TrimPrefix(name, dir+"/")] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return files
}

func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	if len(got) < 8 || !maps.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

// program runs one with lines on its standard input.
func program(t *testing.T, in string, words ...string) string {
	t.Helper()
	c := exec.Command(words[0], words[1:]...)
	c.Stdin = strings.NewReader(in)
	c.Env = append(os.Environ(), "HOME="+t.TempDir(), "RCLONE_CONFIG=/notfound")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", words, err, out)
	}
	return string(out)
}

func TestCurl(t *testing.T) {
	curl, r := testenv.Peer(t, "curl"), start(t, demo(t), serve.Options{})
	for name, want := range ofPoint(t) {
		at := r.Address() + "/dav/" + point + "/" + strings.NewReplacer(" ", "%20", "{", "%7B", "}", "%7D", "(", "%28").Replace(name)
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(program(t, "", curl, "-sf", "-u", "x:"+r.token, at)))); sum != want {
			t.Errorf("%s: %s, want %s", name, sum, want)
		}
	}
	if code := program(t, "", curl, "-s", "-o", os.DevNull, "-w", "%{http_code}", "-u", "x:"+r.token, "-T", os.DevNull, r.Address()+"/dav/new"); code != "403" {
		t.Errorf("uploading: %s", code)
	}
	jar := filepath.Join(t.TempDir(), "jar")
	if out := program(t, "", curl, "-sfL", "-c", jar, "-b", jar, r.URL()); !strings.Contains(out, "<h1>snapmount</h1>") {
		t.Errorf("the page by its address: %s", out)
	}
	// What was interrupted goes on.
	part := filepath.Join(t.TempDir(), "part")
	whole := program(t, "", curl, "-sf", "-u", "x:"+r.token, r.Address()+"/dav/README.txt")
	if err := os.WriteFile(part, []byte(whole[:100]), 0o600); err != nil {
		t.Fatal(err)
	}
	program(t, "", curl, "-sf", "-C", "-", "-o", part, "-u", "x:"+r.token, r.Address()+"/dav/README.txt")
	if b, err := os.ReadFile(part); string(b) != whole || err != nil {
		t.Errorf("%d bytes, want %d, %v", len(b), len(whole), err)
	}
}

func TestRclone(t *testing.T) {
	rclone, r := testenv.Peer(t, "rclone"), start(t, demo(t), serve.Options{})
	how := []string{"--webdav-url", r.Address() + "/dav/", "--webdav-user", "x", "--webdav-pass", strings.TrimSpace(program(t, "", rclone, "obscure", r.token))}
	to := filepath.Join(t.TempDir(), "copy")
	program(t, "", append([]string{rclone, "copy", ":webdav:" + point, to}, how...)...)
	compare(t, hashes(t, to), ofPoint(t))
	if out := program(t, "", append([]string{rclone, "check", ":webdav:" + point, to, "--download"}, how...)...); !strings.Contains(out, "0 differences") {
		t.Errorf("check: %s", out)
	}
	times := program(t, "", append([]string{rclone, "lsl", ":webdav:" + point + "/Letters"}, how...)...)
	if !strings.Contains(times, "52 2026-03-02 ") || !strings.Contains(times, "offer.txt") {
		t.Errorf("lsl: %s", times)
	}
	if out, err := exec.Command(rclone, append([]string{"deletefile", "--config", "/notfound", "--retries", "1", ":webdav:" + point + "/Letters/offer.txt"}, how...)...).CombinedOutput(); err == nil {
		t.Errorf("a file can be deleted: %s", out)
	}
	if said := r.said(); said != "" {
		t.Errorf("told is %s", said)
	}
}

func TestCadaver(t *testing.T) {
	cadaver, r := testenv.Peer(t, "cadaver"), start(t, demo(t), serve.Options{})
	to := t.TempDir()
	netrc := fmt.Sprintf("machine 127.0.0.1 login x password %s\n", r.token)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".netrc"), []byte(netrc), 0o600); err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	want := map[string]string{}
	i := 0
	for _, name := range slices.Sorted(maps.Keys(ofPoint(t))) {
		fmt.Fprintf(&script, "get \"%s\" \"%s\"\n", path.Join("/dav", point, name), filepath.Join(to, fmt.Sprint(i)))
		want[fmt.Sprint(i)] = ofPoint(t)[name]
		i++
	}
	script.WriteString("ls /dav/" + point + "/Projects\nput /dev/null /dav/new\nquit\n")
	c := exec.Command(cadaver, r.Address()+"/dav/")
	c.Stdin, c.Env = strings.NewReader(script.String()), append(os.Environ(), "HOME="+home)
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("plan (also).txt")) || !bytes.Contains(out, []byte("111000")) || !bytes.Contains(out, []byte("403 Forbidden")) {
		t.Errorf("%v: %s", err, out)
	}
	compare(t, hashes(t, to), want)
}

// TestGVFS asks by what GNOME Files asks by, in a session of its own.
func TestGVFS(t *testing.T) {
	session, gio := testenv.Peer(t, "dbus-run-session"), testenv.Peer(t, "gio")
	if _, err := os.Stat("/usr/lib/gvfs/gvfsd-dav"); err != nil {
		if _, err := os.Stat("/usr/libexec/gvfsd-dav"); err != nil {
			t.Skip("SKIPPED: the peer gvfsd-dav is not installed (gvfs-backends)")
		}
	}
	r, to := start(t, demo(t), serve.Options{}), t.TempDir()
	address := strings.Replace(r.Address(), "http://", "dav://", 1) + "/dav/"
	script := fmt.Sprintf(`set -e
printf 'x\n%[1]s\n' | %[2]s mount %[3]s >/dev/null
cd %[4]s
i=0
while read -r name; do
	%[2]s copy "%[3]s%[5]s/$name" "$i" </dev/null
	i=$((i + 1))
done
%[2]s list -l %[3]s%[5]s/Letters
`, r.token, gio, address, to, point)
	names := slices.Sorted(maps.Keys(ofPoint(t)))
	var lines strings.Builder
	want := map[string]string{}
	for i, name := range names {
		fmt.Fprintln(&lines, strings.NewReplacer("%", "%25", " ", "%20", "#", "%23", "?", "%3F").Replace(name))
		want[fmt.Sprint(i)] = ofPoint(t)[name]
	}
	out := program(t, lines.String(), session, "--", "sh", "-c", script)
	if !strings.Contains(out, "offer.txt\t52\t") {
		t.Errorf("the list: %s", out)
	}
	compare(t, hashes(t, to), want)
}
