package web_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/mount/points"
	fronts "snapmount/mount/serve"
)

// lockedDisk is the demo with its first volume encrypted.
type lockedDisk struct {
	path                        string
	Recovery, Password, Startup string // the last is a file
}

func writeLocked(t *testing.T) lockedDisk {
	t.Helper()
	dir := t.TempDir()
	d := lockedDisk{filepath.Join(dir, "laptop.img"), bitlockertest.NewRecoveryPassword("page"), "Grüße # 世界", filepath.Join(dir, "28B7.BEK")}
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := s.Volumes[0]
	w, err := bitlockertest.WriteDisk(d.path, s.Images[0].Disk, s.Images[0].Disk.Size(), v.Partition.Off, v.Block.Size(), bitlockertest.Options{Seed: "page", Description: "LAPTOP F-Private 3/5/2026", Protectors: []bitlockertest.Protector{
		{Kind: bitlockertest.TPM}, {Kind: bitlockertest.RecoveryPassword, Secret: d.Recovery}, {Kind: bitlockertest.Password, Secret: d.Password}, {Kind: bitlockertest.StartupKey}}})
	if err := errors.Join(err, os.WriteFile(d.Startup, w.StartupKeys[0], 0o600)); err != nil {
		t.Fatal(err)
	}
	return d
}

// listen serves images until the test ends, as the program does, and gives the address that lets in who has it.
func listen(t *testing.T, images ...string) string {
	t.Helper()
	return listenWith(t, points.Options{}, images...)
}

func listenWith(t *testing.T, opts points.Options, images ...string) string {
	t.Helper()
	ring := bitlocker.NewKeyring()
	opts.Keys = ring
	reopen := func(more []*bitlocker.Secret) (*points.Set, error) {
		ring.Add(more...)
		return points.Open(context.Background(), images, opts)
	}
	s, err := reopen(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	v, err := fronts.Listen(s, fronts.Options{Reopen: reopen, Warn: func(err error) { t.Logf("warned: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return v.URL()
}
