package cmd

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/mount/serve/evidence"
)

// serving is a process that serves the demo image.
type serving struct {
	*exec.Cmd
	said, warned *strings.Builder
	address      string
	token        string
}

// startServe runs "serve" with arguments and waits for the address.
func startServe(t *testing.T, env []string, args ...string) *serving {
	t.Helper()
	s := &serving{Cmd: exec.Command(build(t), append([]string{"serve"}, args...)...), said: &strings.Builder{}, warned: &strings.Builder{}}
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Env, s.Stderr = append(os.Environ(), env...), s.warned
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() }) // most often it has ended
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fmt.Fprintln(s.said, lines.Text())
		if m := regexp.MustCompile(`^serving until Ctrl-C: (http://\S+)/\?token=([0-9a-f]{32})$`).FindStringSubmatch(lines.Text()); m != nil {
			s.address, s.token = m[1], m[2]
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	t.Fatalf("no address: %s%s", s.said, s.warned)
	return nil
}

// end sends a signal and gives the exit code.
func (s *serving) end(t *testing.T, sig os.Signal) int {
	t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = s.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		t.Fatal("it does not end")
	}
	return s.ProcessState.ExitCode()
}

func (s *serving) get(path string) (int, []byte, error) {
	r, err := http.NewRequest("GET", s.address+path, nil)
	if err != nil {
		return 0, nil, err
	}
	r.SetBasicAuth("x", s.token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// TestServe reads all files of the demo image at all points, and ends as a mount does.
func TestServe(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		s := startServe(t, nil, "--log", log, "--allow-host", "proxy.example", demo(t))
		if !strings.Contains(s.said.String(), "p1-Documents: 32 MiB, current and 3 snapshots\n") || !strings.HasPrefix(s.address, "http://127.0.0.1:") {
			t.Errorf("said is %s", s.said)
		}
		for path, sum := range demoSums(t) {
			code, b, err := s.get(string(evidence.AppendPath(nil, "/dav/"+path)))
			if got := fmt.Sprintf("%x", sha256.Sum256(b)); code != 200 || got != sum || err != nil {
				t.Errorf("%s: %d, SHA-256 %s, want %s, %v", path, code, got, sum, err)
			}
		}
		if code := s.end(t, sig); code != 0 || s.warned.Len() > 0 {
			t.Errorf("%v: exit code %d, %s", sig, code, s.warned)
		}
	}
	b, err := os.ReadFile(log)
	if strings.Count(string(b), "msg=serving") != 2 || strings.Count(string(b), "msg=ended") != 2 || err != nil {
		t.Errorf("the log: %s, %v", b, err)
	}
}

// TestServeNFS reads by what is printed: by libnfs, from the port of the line to mount, and by nbdinfo, as it stands.
func TestServeNFS(t *testing.T) {
	cat := testenv.Peer(t, "nfs-cat")
	testenv.Peer(t, "nbdinfo")
	socket := filepath.Join(t.TempDir(), "it's a socket")
	s := startServe(t, nil, "--webdav=false", "--nfs", "--nbd", socket, demo(t))
	m := regexp.MustCompile(`\nby NFS: sudo mount -t nfs -o vers=3,tcp,port=(\d+),mountport=(\d+),nolock,ro,soft 127\.0\.0\.1:/ DIR\nby NBD: (.*)\n`).FindStringSubmatch(s.said.String())
	if m == nil {
		t.Fatalf("said is %s", s.said)
	}
	for path, sum := range demoSums(t) {
		b, err := exec.Command(cat, "nfs://127.0.0.1/"+path+"?version=3&nfsport="+m[1]+"&mountport="+m[2]).Output()
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != sum || err != nil {
			t.Errorf("%s: SHA-256 %s, want %s, %v", path, got, sum, err)
		}
	}
	if out, err := exec.Command("sh", "-c", m[3]).CombinedOutput(); strings.Count(string(out), "export=") != 7 || err != nil {
		t.Errorf("%s: %v, %s", m[3], err, out)
	}
	if code := s.end(t, os.Interrupt); code != 0 || s.warned.String() != "snapmount: NFS has no password: every user of this machine can read all of it at port "+m[1]+"\n" {
		t.Errorf("exit code %d, %s", code, s.warned)
	}
	if _, err := os.Lstat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestServeView shows some points, and metafiles.
func TestServeView(t *testing.T) {
	s := startServe(t, nil, "--points", "vss2", "--volume-name", "%l", "--system", demo(t))
	defer s.end(t, os.Interrupt)
	code, b, err := s.get("/dav/Documents/snapshots/")
	if code != 200 || err != nil || !strings.Contains(string(b), "2026-03-03T180000Z") || strings.Contains(string(b), "2026-03-02") {
		t.Errorf("%d, %v: %s", code, err, b)
	}
	if _, b, _ := s.get("/dav/Documents/current/"); !strings.Contains(string(b), "$MFT") {
		t.Errorf("no metafiles: %s", b)
	}
}

// TestServeDoubtful takes nothing from doubtful bytes, since the page compares, and says so.
func TestServeDoubtful(t *testing.T) {
	s := startServe(t, nil, "--carve", "--carve-show", "doubtful", demo(t))
	s.end(t, os.Interrupt)
	if said := s.warned.String(); !strings.Contains(strings.Join(strings.Fields(said), " "), "shows deleted snapshots as with --carve-show agreed") {
		t.Errorf("%q", said)
	}
}

// TestServeOpen starts a browser with an address that lets in once and does not tell the token.
func TestServeOpen(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\necho \"$1\" >\"$0.said.part\"\nmv \"$0.said.part\" \"$0.said\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}, "--open", demo(t))
	var said []byte
	eventually(t, "the browser", func() (ok bool) {
		var err error
		said, err = os.ReadFile(filepath.Join(dir, "xdg-open.said"))
		return err == nil
	})
	ticket := strings.TrimSpace(string(said))
	if !strings.HasPrefix(ticket, s.address+"/?token=") || strings.Contains(ticket, s.token) {
		t.Errorf("a browser was given %s", ticket)
	}
	for _, want := range []int{303, 401} {
		res, err := http.DefaultTransport.RoundTrip(mustRequest(t, ticket))
		if err != nil || res.StatusCode != want {
			t.Errorf("%v, %v, want %d", res, err, want)
		}
		res.Body.Close()
	}
	if code := s.end(t, os.Interrupt); code != 0 || s.warned.Len() > 0 {
		t.Errorf("exit code %d, %s", code, s.warned)
	}
	none := startServe(t, []string{"PATH=" + t.TempDir()}, "--open", "--listen", "*", demo(t))
	if code := none.end(t, os.Interrupt); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if text := none.warned.String(); !strings.Contains(text, "over plain http") || !strings.Contains(text, "no browser was opened (") {
		t.Errorf("warned is %s", text)
	}
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestServeLocked serves a volume that is locked, alone on its disk. The page is given its key; nothing tells it to others.
func TestServeLocked(t *testing.T) {
	d := locked(t)
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := s.Volumes[0].Partition
	s.Close()
	log := filepath.Join(t.TempDir(), "log")
	v := startServe(t, nil, "--log", log, "--offset", fmt.Sprint(part.Off), "--size", fmt.Sprint(part.Len), d.path)
	const letter = "/dav/p0-Documents/vss1/Letters/offer.txt"
	if code, _, err := v.get(letter); code != http.StatusNotFound || err != nil {
		t.Errorf("a file of a locked volume: %d, %v", code, err)
	}
	for _, key := range []string{d.wrong, "not " + d.password, d.password} {
		body, err := json.Marshal(map[string]string{"volume": "p0", "text": key})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, v.address+"/api/unlock", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth("", v.token)
		r.Header.Set("X-Snapmount", "1")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if opens := strings.Contains(string(answer), `"volume":"p0-Documents"`); err != nil || opens != (key == d.password) {
			t.Errorf("%q: %s, %v", key, answer, err)
		}
	}
	if code, b, err := v.get(letter); code != http.StatusOK || !strings.Contains(string(b), "at 14 a crate") || err != nil {
		t.Errorf("a file of the volume: %d %q, %v", code, b, err)
	}
	if code := v.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ends with %d", code)
	}
	b, err := os.ReadFile(log)
	if said := v.said.String() + v.warned.String() + string(b); err != nil || !strings.Contains(said, "unlocked a volume") || strings.Contains(said, d.password) || strings.Contains(said, d.wrong[:13]) {
		t.Errorf("%v: %s", err, said)
	}
}
