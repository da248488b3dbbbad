package report

import (
	"cmp"
	"time"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/points"
)

// BitLocker is what the metadata of an encrypted volume says, which takes no key.
type BitLocker struct {
	Cipher      string      `json:"cipher"`      // of its sectors, such as XTS-AES 128; empty where no metadata can be read
	State       string      `json:"state"`       // how far encryption is, in words
	Description Name        `json:"description"` // computer, label and date when it was encrypted; no later rename changes it
	Created     *string     `json:"created"`     // when encryption was turned on
	Protectors  []Protector `json:"protectors"`  // each keeps the volume's key for who has something
}

// Protector keeps a volume's key for who has something.
type Protector struct {
	Kind    string  `json:"kind"`    // what it asks for: recovery password, password, startup key, TPM, clear key, ...
	ID      string  `json:"id"`      // GUID, by whose first 8 digits recovery passwords are looked up
	Created *string `json:"created"` // when it was made
}

// Locked is a volume that nothing which was given opens.
type Locked struct {
	BitLocker
	Error string `json:"error"` // what opens it, or why nothing does: a line
}

// Encryption is what lies below an unlocked volume.
type Encryption struct {
	BitLocker
	UnlockedBy Unlocker `json:"unlocked_by"` // what opened it
}

// Unlocker is what opened a volume, without anything of a key.
type Unlocker struct {
	Kind string `json:"kind"`         // of the protector, or of what was given in place of one; none where no sector is encrypted
	ID   string `json:"id,omitempty"` // GUID of the protector
}

// encryptionOf describes the encryption of a volume, which is one of both or none.
func encryptionOf(v *points.Volume) (*Locked, *Encryption) {
	if v.Encryption == nil {
		return nil, nil
	}
	r := bitLockerOf(v.Encryption.Volume)
	if err := v.Locked(); err != nil {
		return &Locked{r, OneLine(v.Encryption.Err)}, nil
	}
	return nil, &Encryption{r, *UnlockerOf(v)}
}

// UnlockerOf tells what opened a volume; nil where none had to.
func UnlockerOf(v *points.Volume) *Unlocker {
	if v.Encryption == nil || v.Encryption.Unlocked == nil {
		return nil
	}
	return unlockerOf(v.Encryption.Unlocked)
}

func unlockerOf(u *bitlocker.Unlocked) *Unlocker {
	if u.Protector.ID.IsZero() {
		return &Unlocker{Kind: cmp.Or(u.Secret, "none")}
	}
	return &Unlocker{u.Protector.Kind.String(), u.Protector.ID.String()}
}

func bitLockerOf(b *bitlocker.Volume) BitLocker {
	r := BitLocker{Protectors: []Protector{}}
	if b == nil {
		return r
	}
	r.Cipher, r.State, r.Description, r.Created = b.Method.String(), b.Progress(), Name(b.Description), moment(b.Created)
	for _, p := range b.Protectors {
		r.Protectors = append(r.Protectors, Protector{p.Kind.String(), p.ID.String(), moment(p.Created)})
	}
	return r
}

// moment is a time as JSON has it; nil where it is not known.
func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return text(t.UTC().Format(wintype.Layout7))
}
