package nfs_test

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/mount/nfs"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// TestFollow has a volume unlocked while a client is connected: it sees it, and its handles of other volumes stay. Handles
// do not stay where numbers mean something else then.
func TestFollow(t *testing.T) {
	plain := open(t, demo(t))
	image, secret := filepath.Join(t.TempDir(), "locked.img"), bitlockertest.NewRecoveryPassword("nfs")
	v := plain.Volumes[0]
	if _, err := bitlockertest.WriteDisk(image, plain.Images[0].Disk, plain.Images[0].Disk.Size(), v.Partition.Off, v.Block.Size(),
		bitlockertest.Options{Seed: "nfs", Protectors: []bitlockertest.Protector{{Kind: bitlockertest.RecoveryPassword, Secret: secret}}}); err != nil {
		t.Fatal(err)
	}
	key, err := bitlocker.RecoveryPassword(secret)
	if err != nil {
		t.Fatal(err)
	}
	made := func(keys *bitlocker.Keyring, opts tree.Options) *tree.FS {
		s, err := points.Open(t.Context(), []string{demo(t), image}, points.Options{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		f, err := tree.New(s, opts)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	var now atomic.Pointer[tree.FS]
	var users atomic.Int64
	now.Store(made(nil, tree.Options{}))
	use := func() (*tree.FS, func()) {
		users.Add(1)
		return now.Load(), func() { users.Add(-1) }
	}
	s := &server{Server: nfs.Follow(use, func(err error) { t.Errorf("warned of %v", err) })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	c := dial(t, s)
	root, offer := c.handle(t, "/"), c.handle(t, "/d1p1-Documents/current/Letters/offer.txt")
	locked := c.handle(t, "/d2p1/LOCKED.txt")

	now.Store(made(bitlocker.NewKeyring(key), tree.Options{}))
	if got := c.handle(t, "/d1p1-Documents/current/Letters/offer.txt"); got != offer {
		t.Errorf("the handle of a file is %x and was %x", got, offer)
	}
	for name, handle := range map[string]string{"the root": root, "a file": offer, "a file of the volume": c.handle(t, "/d2p1-Documents/vss1/Letters/offer.txt")} {
		if _, err := c.getAttr(handle); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := c.getAttr(locked); err != status(70) {
		t.Errorf("what is not there any more: %v", err)
	}

	now.Store(made(bitlocker.NewKeyring(key), tree.Options{System: true}))
	if _, err := c.getAttr(offer); err != status(70) {
		t.Errorf("a handle whose number may mean something else: %v", err)
	}
	cancel()
	if err := <-ended; err != nil || users.Load() != 0 {
		t.Errorf("%v, %d trees in use", err, users.Load())
	}
}
