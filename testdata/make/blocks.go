package main

import (
	"bytes"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"snapmount/diffstore/vsstest"
)

// copyBlocks makes file, which holds the state from, hold the state to: through the simulator when there is one. Only
// blocks where one of the two states has data are looked at.
func copyBlocks(file *vsstest.File, to, from string, sim *vsstest.Volume) error {
	a, err := os.Open(to)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(from)
	if err != nil {
		return err
	}
	defer b.Close()
	seen := map[int64]bool{}
	p, q := make([]byte, vsstest.BlockSize), make([]byte, vsstest.BlockSize)
	visit := func(block int64) error {
		if seen[block] || (sim != nil && sim.Reserved(uint32(block))) {
			return nil
		}
		seen[block] = true
		off := block * vsstest.BlockSize
		n := min(vsstest.BlockSize, file.Size()-off)
		if _, err := a.ReadAt(p[:n], off); err != nil {
			return err
		}
		if _, err := b.ReadAt(q[:n], off); err != nil {
			return err
		}
		if bytes.Equal(p[:n], q[:n]) {
			return nil
		}
		if sim != nil {
			return sim.Write(off, p[:n])
		}
		_, err := file.WriteAt(p[:n], off)
		return err
	}
	return errors.Join(eachData(a, visit), eachData(b, visit))
}

// eachData visits the blocks that are no hole of a sparse file.
func eachData(f *os.File, visit func(block int64) error) error {
	for off := int64(0); ; {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		for b := start / vsstest.BlockSize; b*vsstest.BlockSize < end; b++ {
			if err := visit(b); err != nil {
				return err
			}
		}
		off = end
	}
}
