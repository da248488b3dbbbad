package points

import (
	"errors"
	"fmt"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
)

// Encryption is what a volume of BitLocker is, below its file system.
type Encryption struct {
	Volume   *bitlocker.Volume   // what the metadata says; nil where no copy of that can be read
	Unlocked *bitlocker.Unlocked // nil while it is locked
	Err      error               // why it is: a *bitlocker.LockedError, damage, or what is not supported; nil when unlocked

	sealed layer.Mapper // the volume as it lies on the disk
}

// unlock opens a volume if it is one of BitLocker. Where that succeeds, Block is decrypted, and Filesystem is what it holds.
func (v *Volume) unlock() {
	e := &Encryption{sealed: v.Block}
	e.Volume, e.Err = bitlocker.Open(v.Block)
	if errors.Is(e.Err, layer.ErrFormat) {
		return
	}
	if v.Encryption = e; e.Err == nil {
		e.try(v.set, v.Name)
	}
	for _, err := range e.Warnings() {
		if !errors.Is(err, layer.ErrCorrupt) { // that is among the faults
			v.set.warn(fmt.Errorf("%s: %w", v.Name, err))
		}
	}
	if e.Err != nil {
		v.Filesystem = "bitlocker"
		v.set.warn(v.locked())
		return
	}
	v.Block = e.Unlocked
	if v.Filesystem = fileSystem(v.Partition, v.Block); v.Filesystem == "bitlocker" {
		v.Filesystem = "" // as nothing is encrypted twice
	}
}

// try unlocks a volume with the keys of a Set, and with those that are asked for.
func (e *Encryption) try(s *Set, name string) {
	for {
		e.Unlocked, e.Err = e.Volume.Unlock(s.ctx, s.opts.Keys)
		locked, ok := errors.AsType[*bitlocker.LockedError](e.Err)
		if !ok || s.opts.AskKey == nil {
			return
		}
		secret := s.opts.AskKey(name, locked)
		if secret == nil {
			return
		}
		s.opts.Keys.Add(secret)
	}
}

// Locked is a *VolumeError that says why nothing of the volume can be read: it is encrypted by BitLocker, and not unlocked.
// Else it is nil.
func (v *Volume) Locked() error {
	if v.Encryption == nil || v.Encryption.Err == nil {
		return nil
	}
	return v.locked()
}

func (v *Volume) locked() *VolumeError {
	err := v.Encryption.Err
	return &VolumeError{Volume: v.Name, Locked: errors.Is(err, layer.ErrUnsupported), Err: err}
}

// lockedOf joins why the volumes of BitLocker of an image cannot be read; nil where all can.
func (s *Set) lockedOf(img *Image) error {
	var list []error
	for _, v := range s.of(img) {
		list = append(list, v.Locked())
	}
	return errors.Join(list...)
}

// Warnings are what is damaged in the metadata, which other copies make good, and what contradicts itself or, by the key,
// was changed.
func (e *Encryption) Warnings() (list []error) {
	if e.Volume != nil {
		list = append(list, e.Volume.Warnings...)
	}
	if e.Unlocked != nil {
		list = append(list, e.Unlocked.Warnings...)
	}
	for i, err := range list {
		list[i] = fmt.Errorf("BitLocker: %w", err)
	}
	return list
}
