package serve_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/serve"
	"snapmount/mount/serve/evidence"
)

// written are the hashes of all files of the demo image, by path.
func written(t *testing.T) map[string]string {
	t.Helper()
	var volumes map[string]map[string]map[string]string
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.json"))
	if err == nil {
		err = json.Unmarshal(b, &volumes)
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for i, volume := range []string{"Documents", "Archive"} {
		for point, files := range volumes[volume] {
			for name, sum := range files {
				if sum != "link" {
					all[path.Join(fmt.Sprintf("p%d-%s", i+1, volume), point, name)] = sum
				}
			}
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d files", len(all))
	}
	return all
}

// TestManyClients asks for files, ranges and listings with 24 clients for some seconds: all get the right bytes, and memory
// does not grow.
func TestManyClients(t *testing.T) {
	r := start(t, demo(t), serve.Options{})
	all := written(t)
	var paths []string
	for name := range all {
		paths = append(paths, name)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 24}
	defer transport.CloseIdleConnections()
	ask := func(method, path string, headers ...string) (*http.Response, []byte, error) {
		req, err := http.NewRequest(method, r.Address()+path, nil)
		if err != nil {
			return nil, nil, err
		}
		req.SetBasicAuth("", r.token)
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			return nil, nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res, b, err
	}
	one := func() error {
		name := paths[rand.IntN(len(paths))]
		at := string(evidence.AppendPath(nil, "/dav/"+name))
		res, whole, err := ask("GET", at)
		if err != nil || res.StatusCode != 200 || fmt.Sprintf("%x", sha256.Sum256(whole)) != all[name] {
			return fmt.Errorf("%s: %v, %d bytes, %v", name, res, len(whole), err)
		}
		from := rand.IntN(len(whole))
		res, part, err := ask("GET", at, "Range", fmt.Sprintf("bytes=%d-%d", from, from+999), "If-Range", res.Header.Get("ETag"))
		if err != nil || res.StatusCode != 206 || !bytes.Equal(part, whole[from:min(from+1000, len(whole))]) {
			return fmt.Errorf("%s from %d: %v, %d bytes, %v", name, from, res, len(part), err)
		}
		res, list, err := ask("PROPFIND", path.Dir(at)+"/", "Depth", "1")
		if err != nil || res.StatusCode != 207 || !strings.Contains(string(list), "<D:href>"+at+"</D:href>") {
			return fmt.Errorf("%s is not listed: %v, %v: %s", at, res, err, list)
		}
		return nil
	}
	run := func(rounds int) {
		var clients sync.WaitGroup
		for range 24 {
			clients.Go(func() {
				for range rounds {
					if err := one(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		clients.Wait()
	}
	run(10)
	before := inUse()
	run(30)
	if after := inUse(); after > before+(8<<20) {
		t.Errorf("memory in use went from %d to %d MiB", before>>20, after>>20)
	}
	if said := r.said(); said != "" {
		t.Errorf("told is %s", said)
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
