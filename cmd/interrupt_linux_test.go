package cmd

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"snapmount/mount/receipt"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// A slowImage is a file in a mount of its own. Reads of it come one after the other and take as long as they are told.
type slowImage struct {
	fs.Inode
	content []byte
	reads   atomic.Int64
	delay   atomic.Int64 // nanoseconds
	turn    sync.Mutex
	hangs   atomic.Bool // reads have no end but the end of who waits
}

func (d *slowImage) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size = 0o400, uint64(len(d.content))
	return fs.OK
}

func (d *slowImage) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, fs.OK
}

func (d *slowImage) Read(ctx context.Context, _ fs.FileHandle, p []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	d.reads.Add(1)
	if d.hangs.Load() {
		<-ctx.Done()
		return nil, syscall.EINTR
	}
	d.turn.Lock()
	time.Sleep(time.Duration(d.delay.Load()))
	d.turn.Unlock()
	off = min(off, int64(len(d.content)))
	return fuse.ReadResultData(d.content[off:min(off+int64(len(p)), int64(len(d.content)))]), fs.OK
}

// mountSlow serves content as a file of that name, and returns its path.
func mountSlow(t *testing.T, name string, content []byte) (*slowImage, string) {
	t.Helper()
	needFUSE(t)
	d, root, dir := &slowImage{content: content}, &fs.Inode{}, t.TempDir()
	server, err := fs.Mount(dir, root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMount: true, DisableXAttrs: true},
		OnAdd: func(ctx context.Context) {
			root.AddChild(name, root.NewPersistentInode(ctx, d, fs.StableAttr{Mode: fuse.S_IFREG}), false)
		},
	})
	if err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d, filepath.Join(dir, name)
}

// interrupted starts a command, sends it a signal at a moment, and returns its exit code, how long it took to end then,
// and what it said. Its temporary files would be in an empty directory, which is to stay so.
func interrupted(t *testing.T, sig syscall.Signal, moment func(), args ...string) (code int, took time.Duration, said string) {
	t.Helper()
	c, tmp := exec.Command(build(t), args...), t.TempDir()
	var out strings.Builder
	c.Stdout, c.Stderr, c.Env = &out, &out, append(os.Environ(), "TMPDIR="+tmp)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	moment()
	begin := time.Now()
	if err := c.Process.Signal(sig); err != nil {
		t.Errorf("it has ended: %v", err)
	}
	err := waitFor(t, c)
	took = time.Since(begin)
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("temporary files %v, %v", left, err)
	}
	return exitOf(err), took, out.String()
}

// waitFor waits for the end of a command, which must be soon: within the time that a loaded machine may need.
func waitFor(t *testing.T, c *exec.Cmd) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(10 * time.Second):
		_ = c.Process.Signal(syscall.SIGQUIT) // it tells where it is
		t.Errorf("%q goes on", c.Args[1:])
		return <-ended
	}
}

// TestInterrupted sends a signal to commands that read a slow disk, while they open it and while they do their work: each
// ends with 130, and leaves no part of a file and no file that is not whole.
func TestInterrupted(t *testing.T) {
	_, raw, _ := run("cat", "--raw", demo(t))
	const image = "IMAGE"
	for _, c := range []struct {
		name string
		args []string // DIR is an empty directory
	}{
		{"info", []string{"info", image}},
		{"ls", []string{"ls", "-R", "-l", image + ":p1@vss1:/"}},
		{"cat", []string{"cat", image + ":p1@vss1:/Projects/plan.txt"}},
		{"cat raw", []string{"cat", "--raw", image}},
		{"find", []string{"find", image, "*"}},
		{"find content", []string{"find", image, "*", "--content", "no such words"}},
		{"find deleted", []string{"find", image, "*", "--deleted"}},
		{"timeline", []string{"timeline", "--usn", "-o", "DIR/times.csv", "--format", "csv", image}},
		{"timeline parquet", []string{"timeline", "-o", "DIR/times.parquet", "--format", "parquet", image}},
		{"diff", []string{"diff", "--paranoid", image + ":p1@vss1", "@current"}},
		{"diff content", []string{"diff", "--content", image + ":p1@vss1", "@current"}},
		{"history", []string{"history", "--hash", image + ":p1:/"}},
		{"history extract", []string{"history", "--extract", "DIR/", image + ":p1:/"}},
		{"restore", []string{"restore", "--receipt", "DIR/receipt.json", image + ":p1@vss1", "DIR/dest"}},
		{"restore deleted", []string{"restore", "--deleted", image + ":p1", "DIR/dest"}},
		{"restore dry", []string{"restore", "--dry-run", image + "@vss1", "DIR/dest"}},
		{"restore tar", []string{"restore", "--to", "tar", image + ":p1@vss1", "DIR/a.tar"}},
		{"restore zip", []string{"restore", "--verify", "--to", "zip", image + ":p1@vss1", "DIR/a.zip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, image := mountSlow(t, "disk.raw", []byte(raw))
			fill := func(dir string) (args []string) {
				for _, a := range c.args {
					if rest, ok := strings.CutPrefix(a, "DIR/"); ok {
						a = filepath.Join(dir, rest)
					}
					args = append(args, strings.Replace(a, "IMAGE", image, 1))
				}
				return args
			}
			if out, err := exec.Command(build(t), fill(t.TempDir())...).CombinedOutput(); exitOf(err) != exitOK && exitOf(err) != exitPartial {
				t.Fatalf("left alone: %v, %s", err, out)
			}
			reads := d.reads.Load()
			d.delay.Store(int64(2*time.Second) / reads)
			for _, tenths := range []int64{3, 8} {
				d.reads.Store(0)
				dir := t.TempDir()
				code, took, said := interrupted(t, syscall.SIGINT, func() {
					eventually(t, "it reads", func() bool { return d.reads.Load() >= reads*tenths/10 })
				}, fill(dir)...)
				if code != exitInterrupted || !strings.Contains(said, "interrupted") {
					t.Errorf("after %d tenths of the reads: exit code %d, %s", tenths, code, said)
				}
				t.Logf("ended after %v; each of %d reads took %v", took.Round(time.Millisecond), reads, time.Duration(d.delay.Load()).Round(time.Millisecond))
				checkNothingWhole(t, dir)
			}
		})
	}
}

// checkNothingWhole looks for parts, and for files that are whole for who sees them: a receipt says that it is not.
func checkNothingWhole(t *testing.T, dir string) {
	t.Helper()
	checkNoParts(t, dir)
	for _, name := range []string{"times.csv", "times.parquet", "a.tar", "a.zip"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("there is a file %s, %v", name, err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "receipt.json"))
	if err != nil {
		return
	}
	var r receipt.End
	if err := json.Unmarshal(b, &r); err != nil || r.Complete || !strings.Contains(r.Error, "interrupted") {
		t.Errorf("the receipt says %+v, %v", r, err)
	}
}

// TestInterruptedVerify ends the reading of an E01.
func TestInterruptedVerify(t *testing.T) {
	whole, _ := acquired(t)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	d, image := mountSlow(t, "disk.E01", b)
	d.delay.Store(int64(5 * time.Millisecond)) // 1,800 chunks
	code, took, said := interrupted(t, syscall.SIGTERM, func() { time.Sleep(2 * time.Second) }, "verify", image)
	if code != exitInterrupted || strings.Contains(said, "MD5") {
		t.Errorf("exit code %d, %s", code, said)
	}
	t.Logf("ended after %v", took.Round(time.Millisecond))
}

// TestInterruptedUnpacking ends the pass through a compressed image.
func TestInterruptedUnpacking(t *testing.T) {
	var one bytes.Buffer
	w := gzip.NewWriter(&one)
	if _, err := w.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	image, err := os.Create(filepath.Join(t.TempDir(), "disk.raw.gz"))
	if err != nil {
		t.Fatal(err)
	}
	for range 1 << 10 { // 64 GiB
		if _, err := image.Write(one.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := image.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"info", image.Name()}, {image.Name()}, {"mount", image.Name(), t.TempDir()}} {
		code, took, said := interrupted(t, syscall.SIGINT, func() { time.Sleep(time.Second) }, args...)
		if code != exitInterrupted || !strings.Contains(said, "interrupted") {
			t.Errorf("%q: exit code %d, %s", args, code, said)
		}
		t.Logf("%s ended after %v", args[0], took.Round(time.Millisecond))
	}
}

// TestInterruptedWriting blocks commands in writing to a pipe that nobody reads.
func TestInterruptedWriting(t *testing.T) {
	d := demo(t)
	for _, args := range [][]string{
		{"cat", "--raw", d}, {"restore", "--to", "-", d + "@vss1"}, {"timeline", "-o", "-", "--format", "jsonl", d}, {"explain", d + ":p1@vss1:/$MFT", d + ":p1@vss1:/$MFT"},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, 1<<16)); err != nil { // it is full
				t.Fatal(err)
			}
			var errs strings.Builder
			c := exec.Command(build(t), args...)
			c.Stdout, c.Stderr = w, &errs
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			w.Close()
			time.Sleep(500 * time.Millisecond)
			begin := time.Now()
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := waitFor(t, c); exitOf(err) != exitInterrupted || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("%q: %v, %v, %s", args, sig, err, errs.String())
			}
			t.Logf("%s ended after %v", args[0], time.Since(begin).Round(time.Millisecond))
			r.Close()
		}
	}
}

// TestInterruptedTwice reads a disk that does not answer: the second signal ends it at once.
func TestInterruptedTwice(t *testing.T) {
	_, raw, _ := run("cat", "--raw", demo(t))
	d, image := mountSlow(t, "disk.raw", []byte(raw))
	d.hangs.Store(true)
	c := exec.Command(build(t), "info", image)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it reads", func() bool { return d.reads.Load() > 0 })
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Errorf("the first signal ended it: %v", err)
	}
	_ = waitFor(t, c) // killed
	if s, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGINT {
		t.Errorf("%v", c.ProcessState)
	}
}
