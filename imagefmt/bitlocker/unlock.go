package bitlocker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"snapmount/imagefmt/layer"
)

// Unlocked is a decrypted volume: same size, same offsets.
type Unlocked struct {
	layer.Mapper
	Volume    *Volume
	Protector Protector // that was opened; the zero one where a key of the volume fits, or none is needed
	Secret    string    // the kind of what opened it, "recovery password"; nothing of itself. "clear key": no secret was needed; "": it is decrypted
	Warnings  []error   // what the key shows: metadata that was changed

	vmk *[32]byte // the volume's master key; nil where it is not known
}

// Format says how it was unlocked, whatever the verb, and prints no key.
func (u *Unlocked) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "volume %v, unlocked by %s", u.Volume.ID, cmp.Or(u.Secret, "nothing"))
}

// opened is what a secret gives.
type opened struct {
	protector Protector
	secret    string
	vmk       *[32]byte
	key       []byte // of the sectors
	method    Method // as it is boxed with the key; 0 where nothing tells
}

// Unlock opens the volume with the first secret that fits, by a protector's identifier first. A clear key opens it without
// any. The error is a *LockedError where none fits; else the volume is unlocked and cannot be read (an unsupported method).
func (v *Volume) Unlock(ctx context.Context, keys *Keyring) (*Unlocked, error) {
	u := &Unlocked{Volume: v}
	o := &opened{}
	if v.State != Decrypted {
		secrets := keys.material()
		defer func() {
			for i := range secrets {
				secrets[i].wipe()
			}
		}()
		var err error
		if o, err = v.open(ctx, keys, secrets); err != nil {
			return nil, err
		}
		defer clear(o.key)
		u.Protector, u.Secret, u.vmk = o.protector, o.secret, o.vmk
	}
	var err error
	if u.Mapper, err = v.mapper(o); err != nil {
		return nil, err
	}
	u.judge(o)
	return u, nil
}

// mapper is the decrypted volume.
func (v *Volume) mapper(o *opened) (layer.Mapper, error) {
	if v.refused != nil {
		return nil, fmt.Errorf("BitLocker, unlocked, but not to be read: %w", v.refused)
	}
	method := v.Method
	if o.method != 0 {
		method = o.method // the box is proven, and the header is not
	}
	m, err := decrypted(v.src, v.src.Size(), v.pieces, method, o.key, int(v.sector))
	if err != nil && !errors.Is(err, layer.ErrUnsupported) {
		err = layer.Corrupt("metadata block", v.meta.off, "%w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("BitLocker, unlocked, but not to be read: %w", err)
	}
	return m, nil
}

// judge warns of what the key shows.
func (u *Unlocked) judge(o *opened) {
	m := u.Volume.meta
	warn := func(format string, args ...any) {
		u.Warnings = append(u.Warnings, layer.Corrupt("metadata block", m.off, format, args...))
	}
	if o.method != 0 && o.method != u.Volume.Method {
		warn("its method is %v, but the key is for %v, which is used", u.Volume.Method, o.method)
	}
	if o.vmk != nil {
		if kind, sum, ok := openKey(o.vmk[:], m.hash); !ok || kind != kindHash {
			warn("its SHA-256 does not open with the volume's key: it was changed, or is damaged")
		} else if got := sha256.Sum256(m.raw); string(sum) != string(got[:]) {
			warn("its SHA-256 is not the one that the volume's key locks: it was changed")
		}
	}
	if err := readsAsVolume(u.Mapper); err != nil {
		u.Warnings = append(u.Warnings, err)
	}
}

const kindHash = 0x2005 // of a key in a box, which is a SHA-256

// readsAsVolume says why the first sector is of no file system that is known.
func readsAsVolume(m layer.Mapper) error {
	b := make([]byte, 512)
	if err := layer.ReadFull(m, b, 0); err != nil {
		return fmt.Errorf("decrypted volume: its first sector cannot be read: %w", err)
	}
	switch string(b[3:11]) {
	case "NTFS    ", "EXFAT   ", "ReFS\x00\x00\x00\x00":
		return nil
	}
	if b[510] == 0x55 && b[511] == 0xaa && (string(b[54:57]) == "FAT" || string(b[82:85]) == "FAT") {
		return nil
	}
	return fmt.Errorf("decrypted volume: its first sector is of no file system that is known")
}

// open finds a secret that opens the volume: what costs nothing first.
func (v *Volume) open(ctx context.Context, keys *Keyring, secrets []material) (*opened, error) {
	for _, p := range v.protectors {
		for _, e := range p.entries {
			if key, ok := e.key(); ok && p.Kind.clear() {
				if o, err := v.with(p, key, p.Kind.String()); o != nil || err != nil {
					return o, err
				}
			}
		}
	}
	for _, same := range []bool{true, false} {
		for i := range secrets {
			if o, err := v.byKey(&secrets[i], same); o != nil || err != nil {
				return o, err
			}
		}
	}
	tried := &LockedError{Volume: v}
	for i := range secrets {
		s := &secrets[i]
		tried.Tried, tried.pin = append(tried.Tried, s.words()), tried.pin || s.pin
		if o, err := v.byPassword(ctx, keys, s); o != nil || err != nil {
			return o, err
		}
	}
	return nil, tried
}

// byKey opens with a secret that is a key: of a protector, the same or not that it was made for, or of the volume.
func (v *Volume) byKey(s *material, same bool) (*opened, error) {
	switch {
	case s.kind == kindStartup:
		for _, p := range v.protectors {
			if (p.ID == s.id) == same {
				if o, err := v.with(p, s.key, s.words()); o != nil || err != nil {
					return o, err
				}
			}
		}
	case s.kind == keyKind && !same:
		return v.byVolumeKey(s)
	}
	return nil, nil
}

// byVolumeKey opens with the master key, or the key of the sectors, which nothing proves but a file system behind it.
func (v *Volume) byVolumeKey(s *material) (*opened, error) {
	if len(s.key) == 32 {
		vmk := [32]byte(s.key)
		if o := v.master(&vmk); o != nil {
			o.secret = s.words()
			return o, nil
		}
	}
	o := &opened{secret: s.words(), key: append([]byte(nil), s.key...)}
	if _, err := newSectorCipher(v.Method, o.key, int(v.sector)); err != nil {
		return nil, nil
	}
	if m, err := v.mapper(o); err != nil || readsAsVolume(m) != nil {
		return nil, nil
	}
	return o, nil
}

// byPassword opens with a secret that is stretched.
func (v *Volume) byPassword(ctx context.Context, keys *Keyring, s *material) (*opened, error) {
	if s.kind != kindPassword && s.kind != kindRecovery {
		return nil, nil
	}
	for _, p := range v.protectors {
		if p.Kind != s.kind {
			continue
		}
		for _, e := range p.entries {
			salt, ok := e.salt()
			if !ok {
				continue
			}
			key, err := keys.stretched(ctx, s.hash, salt)
			if err != nil {
				return nil, err
			}
			o, err := v.with(p, key, s.words())
			clear(key)
			if o != nil || err != nil {
				return o, err
			}
		}
	}
	return nil, nil
}

// with opens a protector's box with its key, and with what is in that the volume's. It is nil where the box stays closed.
func (v *Volume) with(p protector, key []byte, secret string) (*opened, error) {
	for _, e := range p.entries {
		_, b, ok := openKey(key, e)
		if !ok || len(b) != 32 {
			continue
		}
		vmk := [32]byte(b)
		clear(b)
		if o := v.master(&vmk); o != nil {
			o.protector, o.secret = p.Protector, secret
			return o, nil
		}
		return nil, layer.Corrupt("metadata block", v.meta.off, "%s %s opens, but no key of the sectors with what is in it", p.Kind, p.Short())
	}
	return nil, nil
}

// master opens the key of the sectors with the master key.
func (v *Volume) master(vmk *[32]byte) *opened {
	for _, e := range v.meta.find(roleVolumeKey, typeBox) {
		if kind, key, ok := openKey(vmk[:], e); ok {
			o := &opened{vmk: vmk, key: key}
			if _, known := methodWords[Method(kind)]; known {
				o.method = Method(kind)
			}
			return o
		}
	}
	return nil
}

// Recovery is a recovery password of 48 digits.
type Recovery struct {
	Protector Protector
	Password  string
}

// RecoveryPasswords are those that the volume's master key opens. It is a layer.ErrUnsupported where that is not known: the
// volume was opened by the key of its sectors.
func (u *Unlocked) RecoveryPasswords() (list []Recovery, err error) {
	if u.vmk == nil {
		return nil, fmt.Errorf("recovery passwords: they are locked with the volume's master key, which is not known here: %w", layer.ErrUnsupported)
	}
	for _, p := range u.Volume.protectors {
		for _, e := range p.entries {
			if _, ok := e.salt(); !ok || p.Kind != kindRecovery {
				continue
			}
			inner, _ := e.nested(20)
			for _, i := range inner {
				if i.role != roleRecovery {
					continue
				}
				if _, b, ok := openKey(u.vmk[:], i); ok && len(b) == 16 {
					list = append(list, Recovery{p.Protector, recoveryText(b)})
				} else {
					err = layer.Corrupt("entry", i.off, "the recovery password of %s does not open with the volume's key", p.Short())
				}
			}
		}
	}
	return list, err
}
