//go:build linux

package mount_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
)

func TestRefusedMountPoints(t *testing.T) {
	image := filepath.Join(t.TempDir(), "deep", "demo.qcow2")
	if err := os.Mkdir(filepath.Dir(image), 0o700); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openSet(t, image)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(image), link); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"a file": image, "above the image": filepath.Dir(filepath.Dir(image)), "the image's directory": filepath.Dir(image),
		"a link to it": link, "not empty": "/usr", "no parent": filepath.Join(t.TempDir(), "a", "b"), "mounted": "/proc",
	} {
		m, err := mount.Mount(dir, s, mount.Options{})
		if err == nil {
			t.Errorf("%s: mounted", name)
			m.Detach()
		} else if !errors.Is(err, mount.ErrRefused) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := mounted(t, s)
	if _, err := mount.Mount(dir, s, mount.Options{}); !errors.Is(err, mount.ErrRefused) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("mounting twice: %v", err)
	}
}

func TestBusyMountStays(t *testing.T) {
	s := openDemo(t)
	dir := filepath.Join(t.TempDir(), "mnt")
	m, err := mount.Mount(dir, s, mount.Options{})
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	f, err := os.Open(filepath.Join(dir, "p1-Documents/current/Letters/offer.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if err := mount.Unmount(dir, false); err == nil || !strings.Contains(err.Error(), "busy") {
		t.Errorf("unmount of a mount in use: %v", err)
	}
	if err := mount.Unmount(dir, true); err != nil {
		t.Error(err)
	}
	if b, err := io.ReadAll(f); err != nil || len(b) == 0 {
		t.Errorf("an open file after a lazy unmount: %q, %v", b, err)
	}
	f.Close()
	if err := m.Wait(); err != nil {
		t.Error(err)
	}
}

// TestImageCutWhileMounted takes the image's end away under the mount: reading there must fail, not give zeros or an
// early end of file.
func TestImageCutWhileMounted(t *testing.T) {
	demo := openDemo(t).Volumes[0].Block
	raw := make([]byte, demo.Size())
	if err := layer.ReadFull(demo, raw, 0); err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "cut.raw")
	if err := os.WriteFile(image, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := mounted(t, openSet(t, image))
	path := filepath.Join(dir, "raw/p0-Documents/current.img")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const cut = 8<<20 + 12345
	if err := os.Truncate(image, cut); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1<<20)
	if n, err := f.ReadAt(got, cut-cut%4096-1<<20); n != 1<<20 || !bytes.Equal(got, raw[cut-cut%4096-1<<20:][:1<<20]) {
		t.Errorf("before the cut: %d bytes, %v", n, err)
	}
	for _, off := range []int64{cut, cut + 1<<20, 20 << 20} {
		if n, err := f.ReadAt(got[:64<<10], off); !errors.Is(err, syscall.EIO) {
			t.Errorf("at %d, past the cut: %d bytes, %v, want EIO", off, n, err)
		}
	}
}

// TestImageGoneWhileMounted removes the image's name, then all its bytes: what needs them fails and is told, the mount
// goes on and ends as ever.
func TestImageGoneWhileMounted(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testenv.Root(t), "testdata", "demo.qcow2"))
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "gone.qcow2")
	if err := os.WriteFile(image, b, 0o600); err != nil {
		t.Fatal(err)
	}
	told := make(chan error, 100)
	dir := mountedWith(t, openSet(t, image), mount.Options{Warn: func(err error) { told <- err }})
	held, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := os.Remove(image); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "p1-Documents/current/Projects/plan.txt")); err != nil || len(b) != 111000 {
		t.Errorf("after the image was removed: %d bytes, %v", len(b), err)
	}
	if err := held.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "raw/p2-Archive/current.img")); !errors.Is(err, syscall.EIO) {
		t.Errorf("without bytes: %d of them, %v, want EIO", len(b), err)
	}
	if err := <-told; !strings.Contains(err.Error(), "current.img: read at 0x") {
		t.Errorf("told: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "README.txt")); err != nil || len(b) == 0 {
		t.Errorf("README.txt: %d bytes, %v", len(b), err)
	}
}

func TestNonEmptyMountPoint(t *testing.T) {
	s, dir := openDemo(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "below"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := mount.Mount(dir, s, mount.Options{NonEmpty: true})
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	_, hidden := os.Stat(filepath.Join(dir, "below"))
	if err := errors.Join(m.Unmount(), m.Wait()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "below")); err != nil || !errors.Is(hidden, fs.ErrNotExist) {
		t.Errorf("while mounted %v, after it %v", hidden, err)
	}
}

// TestBusyNamesUsers compares who is named with fuser, for a working directory, an open file and one that is mapped.
func TestBusyNamesUsers(t *testing.T) {
	fuser := testenv.Peer(t, "fuser")
	dir := mounted(t, openDemo(t))
	letter := filepath.Join(dir, "p1-Documents/current/Letters/offer.txt")
	python := testenv.Peer(t, "python3")
	for _, args := range [][]string{
		{"sh", "-c", "cd " + filepath.Dir(letter) + " && echo && read x"},
		{"sh", "-c", "exec 5<" + letter + "; echo; read x"},
		{python, "-c", "import mmap,sys; f=open('" + letter + "','rb'); m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); f.close(); print(flush=True); sys.stdin.read(1)"},
	} {
		c := exec.Command(args[0], args[1:]...)
		in, _ := c.StdinPipe()
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		pid := fmt.Sprint(c.Process.Pid)
		peer, _ := exec.Command(fuser, "-m", dir).Output() // the letters behind the numbers go elsewhere
		if err := mount.Unmount(dir, false); err == nil || !strings.Contains(err.Error(), "("+pid+")") || strings.Count(err.Error(), "(") != 1 {
			t.Errorf("%q: %v, want %s", args, err, pid)
		}
		if got := strings.Fields(string(peer)); len(got) != 1 || got[0] != pid {
			t.Errorf("%q: fuser names %s, want %s", args, peer, pid)
		}
		in.Close()
		_ = c.Wait() // its read ended
	}
}

// TestDamageIsLocal zeroes an MFT record: its file alone fails, and keeps its name.
func TestDamageIsLocal(t *testing.T) {
	s := openDemo(t)
	p := s.Volumes[0].Current()
	node, _, err := p.Lookup("Projects/notes.txt", false)
	if err != nil {
		t.Fatal(err)
	}
	nt, _ := p.Files()
	mft, _, err := p.Lookup("$MFT", false)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := mft.Stream("")
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, s.Volumes[0].Block.Size())
	if err := layer.ReadFull(s.Volumes[0].Block, raw, 0); err != nil {
		t.Fatal(err)
	}
	for e, err := range layer.Extents(stream, int64(node.Ref.Record)*1024, 1024) {
		if err != nil || e.Base == nil {
			t.Fatal(e, err)
		}
		clear(raw[e.BaseOff:][:e.Len])
	}
	if nt.Records() <= node.Ref.Record {
		t.Fatal("record out of range")
	}
	image := filepath.Join(t.TempDir(), "damaged.raw")
	if err := os.WriteFile(image, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mounted(t, openSet(t, image)), "p0-Documents/current/Projects")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 4 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "notes.txt")); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the zeroed record reads as %q, %v", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "plan.txt")); err != nil || len(b) == 0 {
		t.Errorf("its neighbour: %d bytes, %v", len(b), err)
	}
}
