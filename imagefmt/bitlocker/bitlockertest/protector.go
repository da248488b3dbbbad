package bitlockertest

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"snapmount/imagefmt/wintype"
)

const stretchRounds = 0x100000

// protector is the entry of protector number i, which keeps the master key.
func (w *writer) protector(i int, p Protector) ([]byte, error) {
	name := fmt.Sprintf("protector %d ", i)
	id := wintype.GUID(w.noise(name+"identifier", 16))
	w.Volume.Protectors = append(w.Volume.Protectors, id)
	head := le.AppendUint64(id[:16:16], uint64(Created))
	head = append(head, 0, 0)
	head = le.AppendUint16(head, uint16(p.Kind))
	master := key(keyMaster, w.Master)
	parts := [][]byte{head}
	switch p.Kind {
	case ClearKey:
		k := w.noise(name+"key", 32)
		parts = append(parts, key(keyExternal, k), w.box(roleProperty, k, master))
	case TPM, TPMAndPIN:
		parts = append(parts, entry(roleProperty, typeTPM, []byte{0x15, 8, 0, 0}, w.noise(name+"blob", 220)), w.box(roleProperty, w.noise(name+"key", 32), master))
	case StartupKey:
		k := w.noise(name+"key", 32)
		parts = append(parts, text(roleProperty, "ExternalKey"),
			entry(roleProperty, typeUse, kind(keyExternal), w.box(roleProperty, w.Master, key(keyExternal, k))), w.box(roleProperty, k, master))
		w.StartupKeys = append(w.StartupKeys, w.startupKey(id, k, p.VolumeID))
	case RecoveryPassword:
		secret, err := recoveryBytes(p.Secret)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(secret)
		salt := w.noise(name+"salt", 16)
		k := stretch(sum, salt)
		parts = append(parts, text(roleProperty, "DiskPassword"),
			entry(roleProperty, typeStretch, kind(keyRecovery), salt, w.box(roleRecovery, w.Master, key(keyRecovery, secret)), w.box(roleStretched, w.Master, key(keyStretched, k))),
			w.box(roleProperty, k, master))
	case Password:
		sum := sha256.Sum256(utf16le(p.Secret))
		salt := w.noise(name+"salt", 16)
		k := stretch(sha256.Sum256(sum[:]), salt)
		parts = append(parts, entry(roleProperty, typeStretch, kind(keyPassword), salt, w.box(roleProperty, w.Master, key(keyStretched-1, k))),
			w.box(roleProperty, k, master))
	default:
		return nil, fmt.Errorf("protector %d: kind 0x%x", i, uint16(p.Kind))
	}
	return entry(roleProtector, typeProtector, parts...), nil
}

// stretch makes guesses slow: 88 bytes (32 of the last round, 32 of the secret, 16 salt, u64 number) are hashed again and again.
func stretch(secret [32]byte, salt []byte) []byte {
	var b [88]byte
	copy(b[32:], secret[:])
	copy(b[64:], salt)
	for i := range uint64(stretchRounds) {
		le.PutUint64(b[80:], i)
		last := sha256.Sum256(b[:])
		copy(b[:], last[:])
	}
	return b[:32]
}

// recoveryBytes is what the 48 digits are made of: 8 numbers of 16 bits, each times 11.
func recoveryBytes(digits string) ([]byte, error) {
	groups := strings.Split(digits, "-")
	var b []byte
	for _, group := range groups {
		n, err := strconv.Atoi(group)
		if err != nil || len(group) != 6 || n%11 != 0 || n/11 > 0xffff {
			return nil, fmt.Errorf("recovery password: group %q", group)
		}
		b = le.AppendUint16(b, uint16(n/11))
	}
	if len(b) != 16 {
		return nil, fmt.Errorf("recovery password: %d groups", len(groups))
	}
	return b, nil
}

// NewRecoveryPassword is one that depends on a seed.
func NewRecoveryPassword(seed string) string {
	o := Options{Seed: seed}
	b := o.noise("recovery password", 16)
	var groups []string
	for i := 0; i < len(b); i += 2 {
		groups = append(groups, fmt.Sprintf("%06d", 11*int(le.Uint16(b[i:]))))
	}
	return strings.Join(groups, "-")
}

// startupKey is a .BEK file.
func (w *writer) startupKey(id wintype.GUID, k []byte, volumeID bool) []byte {
	parts := [][]byte{id[:], le.AppendUint64(nil, uint64(Created)), text(roleProperty, "ExternalKey"), key(keyExternal, k)}
	if volumeID {
		parts = append(parts, entry(roleVolumeID, typeIdentifier, w.ID[:]))
	}
	return dataset(id, 0, 1, entry(roleStartup, typeExternal, parts...))
}
