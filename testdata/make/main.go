// Command make builds the disk images that the project ships or measures with. It needs root, /dev/fuse, and the
// programs mkntfs, ntfs-3g, ntfsfallocate, sfdisk and qemu-img:
//
//	go run ./testdata/make demo testdata/demo.qcow2
//	go run ./testdata/make big /tmp/big.img      a sparse volume of 128 GiB with 6 local snapshots
//	go run ./testdata/make small /tmp/small.img  the same, 256 MiB
//	go run ./testdata/make eight /tmp/eight.img  8 snapshots of a file of 2 GiB and one of 1 GiB, overwritten in place
//	go run ./testdata/make many /tmp/many.img    64 snapshots of 4,000 files of 1 MiB, overwritten in place
//	go run ./testdata/make wide /tmp/wide.img    64 snapshots of 200,000 files of a few bytes
//	go run ./testdata/make million /tmp/m.img    one snapshot of 1,000,000 small files, 1 % changed since
//	go run ./testdata/make xts /tmp/xts.img      a file of 2 GiB, on a volume encrypted by BitLocker; cbc: by the older method
//	go run ./testdata/make mixed /tmp/mixed.raw  1 GiB of text, random bytes and zeros in turn; needs no programs
//
// Beside all but the demo and mixed it writes FILE.sha256: what each point must show; of million FILE.changes.jsonl instead.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
	"snapmount/ntfs"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	makers := map[string]func(work, out string) error{
		"demo":    makeDemo,
		"big":     func(work, out string) error { return makeLocal(work, out, 128<<30, 2000) },
		"small":   func(work, out string) error { return makeLocal(work, out, 256<<20, 200) },
		"eight":   makeEight,
		"many":    makeMany,
		"wide":    makeWide,
		"million": makeMillion,
		"xts":     makeEncrypted(bitlockertest.XTS128),
		"cbc":     makeEncrypted(bitlockertest.CBC128),
		"mixed":   makeMixed,
	}
	if len(args) != 2 || makers[args[0]] == nil {
		return errors.New("usage: make demo|big|small|eight|many|wide|million|xts|cbc|mixed FILE")
	}
	work, err := os.MkdirTemp("", "snapmount-make")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	return makers[args[0]](work, args[1])
}

func command(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

const clusterSize = 4096

// volume is an NTFS volume in a file of its own, and what it was at each snapshot.
type volume struct {
	work, img string
	dev       string // what ntfs-3g writes to: img, or a file that stands for it
	name      string
	states    []string            // copies, the oldest first
	contents  []map[string]string // by path, the sha256 of what was written; the last is the current state
}

// newVolume formats a file and preallocates the files that VSS uses, so that its blocks belong to no other file.
func newVolume(work, name string, size int64, area map[string]int64) (*volume, error) {
	v := &volume{work: work, name: name, img: filepath.Join(work, name+".img")}
	v.dev = v.img
	f, err := os.Create(v.img)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return nil, err
	}
	err = command("mkntfs", "-F", "-Q", "-q", "-c", fmt.Sprint(clusterSize), "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", name, v.img)
	if err != nil {
		return nil, err
	}
	err = v.edit(func(dir string) error {
		svi := filepath.Join(dir, "System Volume Information")
		err := os.Mkdir(svi, 0o700)
		for file := range area {
			err = errors.Join(err, os.WriteFile(filepath.Join(svi, file), nil, 0o600))
		}
		return err
	})
	for file, n := range area {
		err = errors.Join(err, command("ntfsfallocate", "-f", "-l", fmt.Sprint(n), v.img, "/System Volume Information/"+file))
	}
	return v, err
}

// edit changes files of the volume through ntfs-3g.
func (v *volume) edit(change func(dir string) error) error {
	dir, err := os.MkdirTemp(v.work, "mnt")
	if err != nil {
		return err
	}
	if err := command("ntfs-3g", "-o", "big_writes", v.dev, dir); err != nil {
		return err
	}
	err = errors.Join(change(dir), command("umount", dir))
	for range 100 { // ntfs-3g writes in the background until it lets go of the image
		if exec.Command("fuser", "-s", v.dev).Run() != nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.Join(err, os.Remove(dir))
}

// keep saves the state for a snapshot.
func (v *volume) keep() error {
	state := fmt.Sprintf("%s.%d", v.img, len(v.states)+1)
	v.states = append(v.states, state)
	return command("cp", "--sparse=always", v.img, state)
}

// blocksOf returns the whole 16 KiB blocks of a preallocated file. Its content reads as zeros through NTFS, as Windows
// leaves it, so the clusters come from ntfscluster, which looks at the run list only.
func (v *volume) blocksOf(file string) ([]vsstest.Blocks, error) {
	text, err := exec.Command("ntfscluster", "-F", "/System Volume Information/"+file, v.img).Output()
	if err != nil {
		return nil, fmt.Errorf("ntfscluster %s: %w", file, err)
	}
	const perBlock = vsstest.BlockSize / clusterSize
	var out []vsstest.Blocks
	_, runs, _ := strings.Cut(string(text), "0x80 - non-resident")
	for _, line := range strings.Split(runs, "\n") {
		var vcn, lcn, n uint32
		if k, _ := fmt.Sscan(line, &vcn, &lcn, &n); k != 3 {
			continue
		}
		first := (lcn + perBlock - 1) / perBlock
		if last := (lcn + n) / perBlock; last > first {
			out = append(out, vsstest.Blocks{First: first, Count: last - first})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("ntfscluster %s: no clusters in %q", file, text)
	}
	return out, nil
}

// freeBlocks reports which blocks of a state hold no allocated cluster.
func freeBlocks(img string) (func(uint32) bool, error) {
	t, done, err := openNTFS(img)
	if err != nil {
		return nil, err
	}
	defer done()
	n, err := t.Lookup("$Bitmap")
	if err != nil {
		return nil, err
	}
	s, err := n.Stream("")
	if err != nil {
		return nil, err
	}
	bits, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	if err != nil {
		return nil, err
	}
	per := vsstest.BlockSize / t.ClusterSize()
	return func(b uint32) bool {
		for c := int(b) * per; c < int(b+1)*per; c++ {
			if c/8 >= len(bits) || bits[c/8]>>(c%8)&1 != 0 {
				return false
			}
		}
		return true
	}, nil
}

func openNTFS(img string) (*ntfs.Tree, func() error, error) {
	f, err := os.Open(img)
	if err != nil {
		return nil, nil, err
	}
	src, err := fileSource(f)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	t, err := ntfs.Open(src, ntfs.Options{})
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return t, f.Close, nil
}

func fileSource(f *os.File) (layer.Source, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f, 0, info.Size()), nil
}

// openStates opens the saved states, and gives for each the options of its snapshot.
func (v *volume) openStates(opts []vsstest.Options) ([]io.ReaderAt, []vsstest.Options, error) {
	var states []io.ReaderAt
	for i, name := range v.states {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return nil, nil, err
		}
		free, err := freeBlocks(name)
		if err != nil {
			return nil, nil, err
		}
		opts[i].Free = free
		states = append(states, f)
	}
	return states, opts, nil
}

// live opens the volume for the simulator, and a copy of its content as it is now.
func (v *volume) live() (*vsstest.File, io.ReaderAt, error) {
	if err := command("cp", "--sparse=always", v.img, v.img+".live"); err != nil {
		return nil, nil, err
	}
	state, err := os.Open(v.img + ".live")
	if err != nil {
		return nil, nil, err
	}
	f, err := os.OpenFile(v.img, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	file, err := vsstest.NewFile(f)
	return file, state, err
}
