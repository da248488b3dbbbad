package web_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
	"snapmount/ntfs/ntfstest"
)

// TestBrowser has a browser use the page: testdata/browser.cjs asks for what each part must do. Chromium is Debian's;
// playwright-core, which drives it, and axe-core, which looks for what people with other needs cannot use, are of npm.
func TestBrowser(t *testing.T) {
	browse(t, 20, func() (string, any) {
		locked := writeLocked(t)
		return listen(t, demo(t), manyPoints(t), locked.path, ntfstest.Files200K.Build(t)), locked
	})
}

// TestBrowserCarved uses it with volumes whose snapshots were deleted.
func TestBrowserCarved(t *testing.T) {
	browse(t, 9, func() (string, any) {
		images := []string{carveImage(t, "c1-emptied"), carveImage(t, "c3-reused")}
		return listenWith(t, points.Options{Carve: points.CarveScan}, images...), map[string]string{"Hint": listen(t, carveImage(t, "c2-removed"))}
	})
}

// browse runs checks of testdata/browser.cjs, with an address and what else they need to know.
func browse(t *testing.T, least int, serve func() (address string, given any)) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	testenv.NotUnderRace(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIPPED: no cache folder: %v", err)
	}
	node, chromium := testenv.Peer(t, "node"), testenv.Peer(t, "chromium")
	modules := filepath.Join(cache, "snapmount-peers", "node_modules")
	for _, name := range []string{"playwright-core", "axe-core"} {
		if _, err := os.Stat(filepath.Join(modules, name)); err != nil {
			t.Skipf("SKIPPED: the peer %s is not installed", name)
		}
	}
	address, given := serve()
	c := exec.CommandContext(t.Context(), node, "testdata/browser.cjs", address, chromium, os.Getenv("SHOTS"))
	secrets, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	c.Stdin = bytes.NewReader(secrets)
	c.Env = append(os.Environ(), "NODE_PATH="+modules)
	var failed bytes.Buffer
	c.Stderr = &failed
	out, err := c.Output()
	told := 0
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); told++ {
		var one struct {
			Name, Err, Note string
			Ms              int
		}
		if err := d.Decode(&one); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Run(one.Name, func(t *testing.T) {
			t.Log(one.Ms, "ms", one.Note)
			if one.Err != "" {
				t.Error(one.Err)
			}
		})
	}
	if err != nil || told < least && os.Getenv("CHECKS") == "" {
		t.Fatalf("%d checks, %v\n%s", told, err, failed.String())
	}
}

const (
	manySize = 8 << 20   // bytes of the file system
	manyAll  = 160 << 20 // of the volume, with room for the stores
	manyBits = 512
)

// manyPoints makes a volume of 512 snapshots: counter.txt is another one in each eighth, torn.bin lacks a block in all of
// them, and beside them lies what a page must not run.
func manyPoints(t *testing.T) string {
	image := filepath.Join(t.TempDir(), "many.img")
	testenv.Peer(t, "mkntfs")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, manyAll)); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", "4096", "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "many", image, fmt.Sprint(manySize/512))
	dir, unmount := ntfstest.MountNTFS3G(t, image, "")
	torn := bytes.Repeat([]byte("torn apart 0123\n"), 64<<10/16)
	for name, content := range map[string]string{
		"counter.txt": "state 000\n", "torn.bin": string(torn), "empty.txt": "",
		"evil.html":          `<html><title>innocent</title><script>document.title="OWNED"</script><img src=x onerror="document.title='OWNED'"></html>`,
		"evil.svg":           `<svg xmlns="http://www.w3.org/2000/svg" onload="document.title='OWNED'"><script>document.title="OWNED"</script></svg>`,
		"photo\u202egnp.exe": "not a picture", "<img src=x onerror=alert(1)>.txt": "names are text", "tail .txt": "x",
		"picture.png": onePixel,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	unmount()
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	b = b[:manySize]
	counter, at := bytes.Index(b, []byte("state 000\n")), bytes.Index(b, torn[:4096])
	if counter < 0 || at < 0 {
		t.Fatal("the files lie nowhere")
	}
	block := (at + 2*vsstest.BlockSize) / vsstest.BlockSize
	state := func(i int) io.ReaderAt {
		return patched{b, map[int]string{counter: fmt.Sprintf("state %03d\n", i/8), block * vsstest.BlockSize: fmt.Sprintf("torn apart %04d\n", i/300)}}
	}
	states, opts := make([]io.ReaderAt, manyBits), make([]vsstest.Options, manyBits)
	for i := range states {
		states[i], opts[i] = state(i), vsstest.Options{Free: func(b uint32) bool { return int(b) == block }}
	}
	file, err := vsstest.NewFile(f)
	if err != nil {
		t.Fatal(err)
	}
	area := vsstest.Blocks{First: manySize/vsstest.BlockSize + 1, Count: (manyAll-manySize)/vsstest.BlockSize - 2}
	if _, err := vsstest.FromStates(vsstest.Config{Volume: file, NoTruth: true, Area: []vsstest.Blocks{area}}, states, state(manyBits), opts); err != nil {
		t.Fatal(err)
	}
	return image
}

// patched is a file system with some bytes of its own, as large as its volume.
type patched struct {
	base  []byte
	other map[int]string
}

func (p patched) ReadAt(to []byte, off int64) (int, error) {
	clear(to)
	if off < int64(len(p.base)) {
		copy(to, p.base[off:])
	}
	for at, text := range p.other {
		for i := range len(text) {
			if k := int64(at+i) - off; k >= 0 && k < int64(len(to)) {
				to[k] = text[i]
			}
		}
	}
	return len(to), nil
}

// onePixel is a PNG of one red pixel.
var onePixel = strings.Join([]string{"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x90wS\xde",
	"\x00\x00\x00\x0cIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef", "\x00\x00\x00\x00IEND\xaeB`\x82"}, "")
