package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"snapmount/imagefmt/bitlocker/bitlockertest"
)

// makeEncrypted writes a volume of 3 GiB encrypted by BitLocker, with one file of 2 GiB, sequential.bin. FILE.key holds the
// recovery password that opens it, FILE.sha256 the sum of the file.
func makeEncrypted(method uint16) func(work, out string) error {
	return func(work, out string) error {
		v, err := newVolume(work, "Locked", 3<<30, nil)
		if err != nil {
			return err
		}
		h := sha256.New()
		if err := v.edit(func(dir string) error { return fillEncrypted(filepath.Join(dir, "sequential.bin"), h.Write) }); err != nil {
			return err
		}
		recovery := bitlockertest.NewRecoveryPassword("measure")
		err = errors.Join(os.WriteFile(out+".key", []byte(recovery+"\n"), 0o600), os.WriteFile(out+".sha256", fmt.Appendf(nil, "%x\n", h.Sum(nil)), 0o600))
		if err != nil {
			return err
		}
		plain, err := os.Open(v.img)
		if err != nil {
			return err
		}
		defer plain.Close()
		f, err := os.Create(out)
		if err != nil {
			return err
		}
		o := bitlockertest.Options{Method: method, Protectors: []bitlockertest.Protector{{Kind: bitlockertest.RecoveryPassword, Secret: recovery}}}
		_, err = bitlockertest.Write(f, plain, 3<<30, o)
		return errors.Join(err, f.Close())
	}
}

// fillEncrypted writes 2 GiB of noise.
func fillEncrypted(path string, sum func([]byte) (int, error)) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, p := bufio.NewWriterSize(f, mib), cut(2048, 1, 5)
	for i := range p.version {
		b := p.content("locked", i)
		_, _ = sum(b) // a hash does not fail
		w.Write(b)    // Flush gives its error
	}
	return errors.Join(w.Flush(), f.Close())
}
