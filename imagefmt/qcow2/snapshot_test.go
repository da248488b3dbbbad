package qcow2_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/imagetest"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/layertest"
	"snapmount/imagefmt/layer/testenv"
	"snapmount/imagefmt/qcow2"
)

// TestSnapshots takes internal snapshots between writes, one of them before the disk grew, and compares each with what
// qemu-img converts it to.
func TestSnapshots(t *testing.T) {
	qemuImg, qemuIO := testenv.Peer(t, "qemu-img"), testenv.Peer(t, "qemu-io")
	for _, options := range []string{"compat=1.1", "compat=1.1,cluster_size=512", "compat=1.1,extended_l2=on,cluster_size=16k", "compat=0.10"} {
		t.Run(options, func(t *testing.T) {
			image := filepath.Join(t.TempDir(), "disk.qcow2")
			testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-o", options, image, "3M")
			began := time.Now().Truncate(time.Second)
			for i := range 3 {
				for k := range 4 {
					testenv.Run(t, qemuIO, "-c", fmt.Sprintf("write -P %d %dk %dk", 16*i+k+1, 700*k+100*i, 150), image)
				}
				testenv.Run(t, qemuImg, "snapshot", "-q", "-c", fmt.Sprintf("state %d", i), image)
				if i == 1 && options != "compat=0.10" { // version 2 does not know the size of a snapshot
					testenv.Run(t, qemuImg, "resize", "-q", image, "5M")
				}
			}
			testenv.Run(t, qemuIO, "-c", "write -P 99 0 1M", image)
			d := open(t, image)
			list := d.Snapshots()
			if len(list) != 3 {
				t.Fatalf("%d snapshots", len(list))
			}
			for i, s := range list {
				if s.ID != fmt.Sprint(i+1) || s.Name != fmt.Sprintf("state %d", i) || s.VMState != 0 || s.Time.Before(began) || s.Time.After(time.Now()) {
					t.Errorf("snapshot %+v", s)
				}
				for _, name := range []string{s.ID, s.Name} {
					compareSnapshot(t, qemuImg, image, name, s)
				}
			}
			if _, err := qcow2.Open(testenv.Open(t, image), format.Env{Snapshot: "none"}); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a snapshot that is not there: %v", err)
			}
		})
	}
}

func compareSnapshot(t *testing.T, qemuImg, image, name string, s qcow2.Snapshot) {
	t.Helper()
	truth := filepath.Join(t.TempDir(), "truth.raw")
	testenv.Run(t, qemuImg, "convert", "-l", "snapshot.id="+s.ID, "-O", "raw", image, truth)
	want, err := os.ReadFile(truth)
	if err != nil {
		t.Fatal(err)
	}
	d, err := qcow2.Open(testenv.Open(t, image), format.Env{Snapshot: name})
	if err != nil {
		t.Fatal(err)
	}
	if d.Size() != s.Size {
		t.Errorf("%s: %d bytes, want %d", name, d.Size(), s.Size)
	}
	layertest.Contract(t, d, want[:min(int64(len(want)), s.Size)]) // qemu-img gives every snapshot the size of the active state
}

// TestDataFile has the clusters in a file of their own.
func TestDataFile(t *testing.T) {
	qemuImg, qemuIO := testenv.Peer(t, "qemu-img"), testenv.Peer(t, "qemu-io")
	for _, raw := range []string{"on", "off"} {
		dir := t.TempDir()
		image := filepath.Join(dir, "disk.qcow2")
		testenv.Run(t, qemuImg, "create", "-q", "-f", "qcow2", "-o", "data_file="+filepath.Join(dir, "disk.data")+",data_file_raw="+raw, image, "3M")
		testenv.Run(t, qemuIO, "-c", "write -P 7 1M 300k", "-c", "write -P 8 0 64k", "-c", "write -z 1100k 64k", image)
		truth := filepath.Join(dir, "truth.raw")
		testenv.Run(t, qemuImg, "convert", "-O", "raw", image, truth)
		want, err := os.ReadFile(truth)
		if err != nil {
			t.Fatal(err)
		}
		d, err := qcow2.Open(testenv.Open(t, image), format.Env{Files: imagetest.Files{Get: func(name string) (layer.Source, error) {
			return testenv.Open(t, filepath.Join(dir, filepath.Base(name))), nil
		}}})
		if err != nil {
			t.Fatal(err)
		}
		layertest.Contract(t, d, want)
		if _, err := qcow2.Open(testenv.Open(t, image), format.Env{}); !errors.Is(err, layer.ErrUnsupported) {
			t.Errorf("without the data file: %v", err)
		}
	}
}

// TestSnapshotDamage breaks the table: the active state is there all the same.
func TestSnapshotDamage(t *testing.T) {
	table := make([]byte, 48)
	be := binary.BigEndian
	be.PutUint64(table[0:], 512) // the L1 table of the active state
	be.PutUint32(table[8:], 2)
	be.PutUint16(table[12:], 1)
	be.PutUint16(table[14:], 3)
	be.PutUint32(table[16:], 1700000000)
	copy(table[40:], "1one")
	for _, c := range []struct {
		name    string
		spoil   imagetest.Edit
		entries int
	}{
		{"sound", imagetest.None, 1},
		{"count of millions", imagetest.PutBE32(60, 1<<31), 0},
		{"more than there are", imagetest.PutBE32(60, 3), 1},
		{"past the end", imagetest.PutBE64(64, 1<<40), 0},
		{"names past the end", func(b []byte) []byte { b[5*512+14] = 0xff; return b }, 0},
		{"extra data of gigabytes", imagetest.PutBE32(5*512+36, 1<<31), 0},
	} {
		b := append(small(), table...)
		be.PutUint32(b[60:], 1)
		be.PutUint64(b[64:], 5*512)
		var warned error
		d, err := qcow2.Open(bytes.NewReader(c.spoil(b)), format.Env{Warn: func(err error) { warned = err }})
		if err != nil || len(d.Snapshots()) != c.entries || (warned == nil) != (c.name == "sound") {
			t.Errorf("%s: %v, warned %v", c.name, err, warned)
			continue
		}
		if c.entries == 1 && d.Snapshots()[0].Name != "one" {
			t.Errorf("%s: %+v", c.name, d.Snapshots())
		}
	}
	b := append(small(), table...)
	be.PutUint32(b[60:], 1)
	be.PutUint64(b[64:], 5*512)
	be.PutUint32(b[5*512+8:], 1) // too few entries for the size
	if _, err := qcow2.Open(bytes.NewReader(b), format.Env{Snapshot: "one"}); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("L1 table too short: %v", err)
	}
}
