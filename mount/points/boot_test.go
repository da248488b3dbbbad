package points_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/diskfile"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount/points"
)

// bootCode is what a boot sector of NTFS jumps to: it writes a letter to the serial port, and ends the machine.
func bootCode(letter byte) []byte {
	return []byte{
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xb0, letter, 0xee, // mov al, letter; out dx, al
		0xb0, 0x10, 0xe6, 0xf4, // mov al, 0x10; out 0xf4, al
		0xf4, 0xeb, 0xfd, // hlt, and again
	}
}

// loader is the code of an MBR that starts the sector at lba.
func loader(lba int64) []byte {
	b := make([]byte, 0x50)
	copy(b, []byte{
		0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7a, // all segments 0, a stack
		0xbe, 0x00, 0x7c, 0xbf, 0x00, 0x06, 0xb9, 0x00, 0x01, 0xfc, 0xf3, 0xa5, // moves itself to 0x600
		0xea, 0x20, 0x06, 0x00, 0x00,
	})
	copy(b[0x20:], []byte{
		0xbe, 0x40, 0x06, 0xb4, 0x42, 0xcd, 0x13, // reads what the packet at 0x40 says
		0xea, 0x00, 0x7c, 0x00, 0x00, // and jumps there
	})
	copy(b[0x40:], []byte{0x10, 0, 1, 0, 0x00, 0x7c, 0, 0})
	binary.LittleEndian.PutUint64(b[0x48:], uint64(lba))
	return b
}

// TestBoots starts a machine from the disk as it is, and as it was at a snapshot: the boot sector of the volume tells which.
func TestBoots(t *testing.T) {
	qemu := testenv.Peer(t, "qemu-system-x86_64")
	const at = 0x54 // where the first instruction leads
	image := simulated(t, vsstest.Options{}, func(sim *vsstest.Volume, _ int64) error { return sim.Write(at, bootCode('B')) })
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	off := open(t, image).Volumes[1].Partition.Off
	if _, err := f.WriteAt(loader(off/512), 0); err != nil {
		t.Fatal(err)
	}
	v := open(t, image).Volumes[1]
	old, err := v.Latest().Blocks()
	if err != nil {
		t.Fatal(err)
	}
	where, err := old.At(0, 512) // in the store, where the snapshot's own boot sector is kept
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(bootCode('A'), off+where.BaseOff+at); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, full := range []bool{false, true} {
		for letter, p := range map[string]*points.Point{"A": open(t, image).Volumes[1].Latest(), "B": open(t, image).Volumes[1].Current()} {
			if got := booted(t, qemu, exported(t, p, full)); got != letter {
				t.Errorf("%s, full %v: the machine says %q, want %q", p.Name, full, got, letter)
			}
		}
	}
}

// exported writes the disk at a point beside its image.
func exported(t *testing.T, p *points.Point, full bool) string {
	t.Helper()
	img := p.Volume.Image
	name := filepath.Join(filepath.Dir(img.Path), p.Name+".qcow2")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	disk, err := p.Disk()
	if err != nil {
		t.Fatal(err)
	}
	o := diskfile.Options{Format: diskfile.QCow2}
	if !full {
		o.Backing = &diskfile.Backing{Disk: img.Disk}
		if o.Backing.Name, o.Backing.Format, err = p.Volume.Set().Backing(img, filepath.Dir(name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := diskfile.Write(t.Context(), f, disk, o); err != nil {
		t.Fatal(err)
	}
	return name
}

// booted starts a machine from a disk, and returns what it writes to its serial port.
func booted(t *testing.T, qemu, disk string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := filepath.Join(t.TempDir(), "serial")
	b, err := exec.CommandContext(ctx, qemu, "-machine", "pc,accel=tcg", "-m", "32", "-display", "none", "-monitor", "none", "-nodefaults", "-no-reboot",
		"-serial", "file:"+out, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", "-snapshot",
		"-drive", "format=qcow2,if=ide,file="+strings.ReplaceAll(disk, ",", ",,")).CombinedOutput()
	if code := (&exec.ExitError{}); err != nil && (!errors.As(err, &code) || code.ExitCode() != 0x21) {
		t.Fatalf("%v\n%s", err, b)
	}
	said, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
