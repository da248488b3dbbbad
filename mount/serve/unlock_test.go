package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/mount/points"
	"snapmount/mount/serve"
	"snapmount/mount/serve/evidence"
)

// lockedDemo is the demo with its first volume encrypted.
type lockedDemo struct {
	path, recovery, password string
	startup                  []byte
}

func writeLocked(t *testing.T) lockedDemo {
	t.Helper()
	d := lockedDemo{path: filepath.Join(t.TempDir(), "locked.img"), recovery: bitlockertest.NewRecoveryPassword("page"), password: "Grüße # 世界"}
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := s.Volumes[0]
	w, err := bitlockertest.WriteDisk(d.path, s.Images[0].Disk, s.Images[0].Disk.Size(), v.Partition.Off, v.Block.Size(), bitlockertest.Options{Seed: "page", Protectors: []bitlockertest.Protector{
		{Kind: bitlockertest.RecoveryPassword, Secret: d.recovery}, {Kind: bitlockertest.Password, Secret: d.password}, {Kind: bitlockertest.StartupKey}}})
	if err != nil {
		t.Fatal(err)
	}
	d.startup = w.StartupKeys[0]
	return d
}

// reopens opens an image again for a server, with all secrets that came so far, and keeps what it opened.
type reopens struct {
	images []string
	ring   *bitlocker.Keyring
	sets   []*points.Set
}

func (o *reopens) open(more []*bitlocker.Secret) (*points.Set, error) {
	if o.ring != nil {
		o.ring.Add(more...)
	}
	s, err := points.Open(context.Background(), o.images, points.Options{Keys: o.ring})
	o.sets = append(o.sets, s)
	return s, err
}

// isOpen reports whether the image of a set can be read.
func isOpen(s *points.Set) bool {
	_, err := s.Images[len(s.Images)-1].Disk.ReadAt(make([]byte, 512), s.Volumes[len(s.Volumes)-1].Partition.Off)
	return err == nil
}

// unlock gives a key to a server.
func (r *running) unlock(t *testing.T, key map[string]any, headers ...string) (code int, volume, why, body string) {
	t.Helper()
	b, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, r.Address()+"/api/unlock", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("", r.token)
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, _ := io.ReadAll(res.Body)
	var said struct{ Volume, Why string }
	_ = json.Unmarshal(answer, &said) // an answer of another form has neither
	return res.StatusCode, said.Volume, said.Why, string(answer)
}

const same = "Sec-Fetch-Site"

// TestUnlock gives keys of each kind. All front ends see the volume then, nothing else changes, and what was begun goes on.
func TestUnlock(t *testing.T) {
	d, all := writeLocked(t), written(t)
	for kind, key := range map[string]map[string]any{"recovery password": {"text": " " + strings.ReplaceAll(d.recovery, "-", " ") + "\n"}, "password": {"text": d.password}, "startup key": {"name": "A.BEK", "file": d.startup}} {
		t.Run(kind, func(t *testing.T) {
			images := &reopens{images: []string{demo(t), d.path}, ring: bitlocker.NewKeyring()}
			r := startAll(t, images.images, serve.Options{Reopen: images.open, NBD: "localhost:0"})
			if _, body := r.ask(t, "GET", "/api/volumes"); !strings.Contains(body, `"locked":["d2p1"]`) {
				t.Fatalf("the volume is not locked: %s", body)
			}
			if got := exports(t, r); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "d2p1") }) {
				t.Errorf("a locked volume is a block device: %q", got)
			}
			file := "/dav/d1" + ledger
			half := r.begin(t, file)
			key["volume"] = "d2p1"
			if code, volume, _, body := r.unlock(t, key, same, "same-origin"); code != 200 || volume != "d2p1-Documents" {
				t.Fatalf("%d %s", code, body)
			}
			for name, sum := range all {
				if !strings.HasPrefix(name, "p1-Documents/current/") {
					continue
				}
				if _, body := r.ask(t, "GET", string(evidence.AppendPath(nil, "/dav/d2"+name))); fmt.Sprintf("%x", sha256.Sum256([]byte(body))) != sum {
					t.Errorf("%s has other bytes", name)
				}
			}
			if got := exports(t, r); !slices.Contains(got, "d2p1-Documents/current.img") {
				t.Errorf("block devices are %q", got)
			}
			if sum := half(); sum != all[ledger] {
				t.Errorf("what was begun before has other bytes: %s", sum)
			}
			if said := r.said(); said != "" {
				t.Errorf("warned of %s", said)
			}
			if err := r.stop(); err != nil || isOpen(images.sets[0]) {
				t.Errorf("after the end the images are open, %v", err)
			}
		})
	}
}

// ledger is a file of the volume that is not locked.
const ledger = "p1-Documents/vss1/Photos/bridge.raw"

// begin begins to download a file, and gives what reads the rest and the hash of all.
func (r *running) begin(t *testing.T, path string) (rest func() string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(r.Address(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, r.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("", r.token)
	if err := req.Write(c); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		defer c.Close()
		h := sha256.New()
		if _, err := io.Copy(h, res.Body); err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("%x", h.Sum(nil))
	}
}

// exports are the names of block devices, by the protocol.
func exports(t *testing.T, r *running) (names []string) {
	t.Helper()
	c, err := net.Dial("tcp", r.Front(serve.NBD).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := make([]byte, 18)
	_, err = io.ReadFull(c, head)
	if err == nil {
		_, err = io.WriteString(c, "\x00\x00\x00\x03"+"IHAVEOPT"+"\x00\x00\x00\x03"+"\x00\x00\x00\x00")
	}
	for err == nil {
		reply := make([]byte, 20)
		if _, err = io.ReadFull(c, reply); err != nil {
			break
		}
		body := make([]byte, binary.BigEndian.Uint32(reply[16:]))
		if _, err = io.ReadFull(c, body); err != nil || binary.BigEndian.Uint32(reply[12:]) != 2 {
			break
		}
		n := binary.BigEndian.Uint32(body)
		names = append(names, string(body[4:4+n]))
	}
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestUnlockRefuses gives what opens nothing, and what may not be given. No answer, and no warning, has a secret in it.
func TestUnlockRefuses(t *testing.T) {
	d := writeLocked(t)
	images := &reopens{images: []string{d.path}, ring: bitlocker.NewKeyring()}
	r := start(t, d.path, serve.Options{Reopen: images.open})
	slip := strings.Split(d.recovery, "-")
	slip[2] = "253978"
	other := bitlockertest.NewRecoveryPassword("other")
	for _, c := range []struct {
		key  map[string]any
		site string
		code int
		want string
	}{
		{map[string]any{"volume": "p1", "text": "hunter2hunter2"}, "same-origin", 200, "the password opens no protector"},
		{map[string]any{"volume": "p1", "text": other}, "same-origin", 200, "does not open the key"},
		{map[string]any{"volume": "p1", "text": strings.Join(slip, "-")}, "same-origin", 200, "group 3"},
		{map[string]any{"volume": "p1", "text": "123456"}, "same-origin", 200, "a PIN of Windows is not"},
		{map[string]any{"volume": "p1", "text": " "}, "same-origin", 200, "nothing was given"},
		{map[string]any{"volume": "p1", "name": "x.BEK", "file": []byte("\x00\x01secretsecret")}, "same-origin", 200, "x.BEK: neither"},
		{map[string]any{"volume": "p1", "name": "many.txt", "file": []byte(strings.Repeat("hunter2hunter2\n", 17))}, "same-origin", 200, "holds 17 keys, want 16"},
		{map[string]any{"volume": "p1", "text": strings.Repeat("hunter2", 50000)}, "same-origin", 400, "256 KiB at most"},
		{map[string]any{"volume": "p1", "text": 71777371}, "same-origin", 400, "want a key"},
		{map[string]any{"volume": "p9", "text": d.recovery}, "same-origin", 404, "p9"},
		{map[string]any{"volume": "p1", "text": d.recovery}, "cross-site", 403, "another site"},
		{map[string]any{"volume": "p1", "text": d.recovery}, "same-site", 403, "read-only"},
		{map[string]any{"volume": "p1", "text": d.recovery}, "", 403, "read-only"},
	} {
		code, volume, why, body := r.unlock(t, c.key, same, c.site)
		if code != c.code || volume != "" || code == 200 && why == "" || !strings.Contains(body, c.want) {
			t.Errorf("%.60v from %q: %d %s, want %d %q", c.key, c.site, code, body, c.code, c.want)
		}
		for _, secret := range []string{"hunter2", other[:13], d.recovery[:13], "71777371", "secretsecret"} {
			if strings.Contains(body, secret) || r.said() != "" {
				t.Errorf("%.60v: the secret is told: %s %s", c.key, body, r.said())
			}
		}
	}
	if len(images.sets) > 0 {
		t.Errorf("the images were opened %d times", len(images.sets))
	}
	if res, _ := r.ask(t, "GET", "/api/unlock?volume=p1&text="+url.QueryEscape(d.recovery)); res.StatusCode == 200 && len(images.sets) > 0 {
		t.Error("an address unlocks")
	}
	fixed := start(t, d.path, serve.Options{})
	if code, _, _, body := fixed.unlock(t, map[string]any{"volume": "p1", "text": d.recovery}, same, "same-origin"); code != 400 || !strings.Contains(body, "start snapmount with the key") {
		t.Errorf("where nothing is opened again: %d %s", code, body)
	}
}

// TestSwaps has clients read a volume while the set is swapped: every answer is right, and what nobody reads is closed.
func TestSwaps(t *testing.T) {
	d, all := writeLocked(t), written(t)
	images := &reopens{images: []string{demo(t), d.path}} // which stays locked
	r := startAll(t, images.images, serve.Options{Reopen: images.open})
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 3 {
		clients.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, body := r.ask(t, "GET", "/dav/d1"+ledger); fmt.Sprintf("%x", sha256.Sum256([]byte(body))) != all[ledger] {
					t.Errorf("other bytes: %.200q", body)
					return
				}
			}
		})
	}
	for range 4 {
		if _, volume, why, body := r.unlock(t, map[string]any{"volume": "d2p1", "text": d.recovery}, same, "same-origin"); volume != "" || why == "" {
			t.Fatal(body)
		}
	}
	close(done)
	clients.Wait()
	for i, s := range images.sets {
		if isOpen(s) != (i == len(images.sets)-1) {
			t.Errorf("set %d of %d: open is %v", i+1, len(images.sets), isOpen(s))
		}
	}
}
