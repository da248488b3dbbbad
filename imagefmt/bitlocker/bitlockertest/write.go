package bitlockertest

import (
	"bytes"
	"fmt"
	"io"

	"snapmount/imagefmt/wintype"
)

// writer writes a volume.
type writer struct {
	*Volume
	Options
	w       io.WriterAt
	plain   io.ReaderAt
	boot    []byte // the plain boot sector
	cluster int64
	zeros   *zeroRuns
	nonce   uint32
}

func (w *writer) write() error {
	w.ID = wintype.GUID(w.noise("volume", 16))
	w.Key, w.Master = w.noise("volume key", KeySize(w.Options.Method)), w.noise("master key", 32)
	w.boot = make([]byte, w.Options.Sector)
	if err := w.read(w.boot, 0); err != nil {
		return err
	}
	if w.cluster = int64(le.Uint16(w.boot[11:])) * int64(w.boot[13]); w.cluster < int64(w.Options.Sector) || w.cluster&(w.cluster-1) != 0 {
		w.cluster = 4096
	}
	if err := w.plan(); err != nil {
		return err
	}
	metadata, err := w.metadata()
	if err != nil {
		return err
	}
	encrypt, err := NewEncrypter(w.Options.Method, w.Key)
	if err != nil {
		return err
	}
	if err := w.sectors(encrypt, Range{0, w.Size}, 0); err != nil {
		return err
	}
	if w.Version == 2 {
		err = w.sectors(encrypt, Range{0, w.Volume.Header.Len}, w.Volume.Header.Off)
	} else {
		b := make([]byte, 8192) // version 1 leaves the start as it is, but for the boot sector
		if err = w.read(b, 0); err == nil {
			err = w.put(b, 0)
		}
	}
	if err != nil {
		return err
	}
	for _, off := range w.Metadata {
		if err := w.put(metadata, off); err != nil {
			return err
		}
	}
	if w.State == OnWrite {
		if err := w.writeOnWrite(); err != nil {
			return err
		}
	}
	return w.put(w.bootSector(), 0)
}

// plan places all that goes into runs of zeros: the copies of the metadata spread over the volume, as Windows does.
func (w *writer) plan() (err error) {
	w.Reserved = 64 << 10
	if w.Version == 1 {
		w.Reserved = (w.cluster + 0x3fff) &^ (w.cluster - 1)
	}
	w.zeros = &zeroRuns{w: w, at: w.Options.Header}
	for i := range w.Metadata {
		w.zeros.at = max(w.zeros.at, w.Size/10*int64(2*i+3))
		if w.Metadata[i], err = w.zeros.next(w.Reserved); err != nil {
			return err
		}
		if i == 0 && w.Version == 2 {
			w.Volume.Header.Len = w.Options.Header
			if w.Volume.Header.Off, err = w.zeros.next(w.Options.Header); err != nil {
				return err
			}
		}
	}
	if w.State == OnWrite {
		return w.planOnWrite()
	}
	return nil
}

// zeroRuns finds runs of zeros, one after the other.
type zeroRuns struct {
	w  *writer
	at int64
}

// next is the first run of n bytes behind those that were given, at a multiple of the cluster and of 4 KiB.
func (z *zeroRuns) next(n int64) (int64, error) {
	step := max(z.w.cluster, 4096)
	b := make([]byte, n)
	for off := (z.at + step - 1) / step * step; off+n <= z.w.Size; {
		if err := z.w.read(b, off); err != nil {
			return 0, err
		}
		used := len(bytes.TrimRight(b, "\x00"))
		if used == 0 {
			z.at = off + n
			return off, nil
		}
		off = (off + int64(used) + step - 1) / step * step
	}
	return 0, fmt.Errorf("no run of 0x%x zeros behind 0x%x", n, z.at)
}

// read fills b from off of the plain volume.
func (w *writer) read(b []byte, off int64) error {
	if n, err := w.plain.ReadAt(b, off); n < len(b) {
		return fmt.Errorf("plain volume: 0x%x bytes at 0x%x: %w", len(b), off, err)
	}
	return nil
}

// put writes b at off of the volume.
func (w *writer) put(b []byte, off int64) error {
	_, err := w.w.WriteAt(b, off)
	return err
}

// sectors writes a range of the plain volume to an offset, encrypted for where it then lies.
func (w *writer) sectors(encrypt Encrypter, r Range, to int64) error {
	buf := make([]byte, 1<<20)
	sector := int64(w.Options.Sector)
	for done := int64(0); done < r.Len; {
		b := buf[:min(int64(len(buf)), r.Len-done)]
		if err := w.read(b, r.Off+done); err != nil {
			return err
		}
		for at := int64(0); at < int64(len(b)); at += sector {
			if p := to + done + at; w.IsEncrypted(p) {
				encrypt(b[at:][:sector], p)
			}
		}
		if err := w.put(b, to+done); err != nil {
			return err
		}
		done += int64(len(b))
	}
	return nil
}
