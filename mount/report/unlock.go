package report

import (
	"context"
	"errors"

	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
	"snapmount/mount/points"
)

// Unlock is the document of "unlock --json".
type Unlock struct {
	Schema  int          `json:"schema"`  // the version of this JSON
	Volumes []Unlockable `json:"volumes"` // that BitLocker encrypts
}

// Unlockable is a volume of BitLocker, and what was tried on it.
type Unlockable struct {
	Image  string `json:"image"`  // as it was named
	Volume string `json:"volume"` // its name
	BitLocker
	Unlocked   bool      `json:"unlocked"`              // it can be read
	Locked     bool      `json:"locked"`                // it cannot, for lack of a secret; with neither, for another reason
	UnlockedBy *Unlocker `json:"unlocked_by,omitempty"` // what opened it
	Error      string    `json:"error,omitempty"`       // what opens it, or why nothing does: a line
	Tries      []Try     `json:"tries"`                 // what was given, none of them where no secret is needed
	Warnings   []string  `json:"warnings"`              // what contradicts itself in the metadata, or was changed
	// RecoveryKeys are the recovery passwords that the volume's key opens, where they were asked for.
	RecoveryKeys []RecoveryKey `json:"recovery_keys,omitempty"`
	Damaged      bool          `json:"damaged"` // that it is not unlocked comes of damage, and of no secret
}

// Try is a secret that was given, without anything of it.
type Try struct {
	From  string    `json:"from"`            // a flag, a file, or "typed"
	Kind  string    `json:"kind"`            // recovery password, password, startup key 4381F759, ...
	Opens *Unlocker `json:"opens,omitempty"` // nothing where no protector opens with it
	Error string    `json:"error,omitempty"` // why the volume cannot be read although one opens
}

// RecoveryKey is a recovery password.
type RecoveryKey struct {
	ID       string `json:"id"`       // GUID of its protector
	Password string `json:"password"` // 48 digits
}

// A Secret is one that was given, and where.
type Secret struct {
	From string
	*bitlocker.Secret
}

// UnlockOf tries each secret on the volumes of BitLocker among some, and reads their recovery passwords where that is asked
// for. The error is the cause of the end of ctx.
func UnlockOf(ctx context.Context, volumes []*points.Volume, secrets []Secret, recovery bool, progress layer.Progress) (Unlock, error) {
	r := Unlock{Schema: Schema, Volumes: []Unlockable{}}
	for _, v := range volumes {
		if v.Encryption == nil {
			continue
		}
		u := unlockableOf(v)
		if u.needsSecret() {
			for i, s := range secrets {
				progress.Tell(v.Name+": secrets", int64(i), int64(len(secrets)))
				u.Tries = append(u.Tries, tryOf(ctx, v.Encryption.Volume, s))
				if ctx.Err() != nil {
					return r, context.Cause(ctx)
				}
			}
			progress.Tell(v.Name+": secrets", int64(len(secrets)), int64(len(secrets)))
		}
		if recovery && u.Unlocked {
			u.addRecovery(v.Encryption.Unlocked)
		}
		r.Volumes = append(r.Volumes, u)
	}
	return r, nil
}

func unlockableOf(v *points.Volume) Unlockable {
	e := v.Encryption
	u := Unlockable{Image: v.Image.Path, Volume: v.Name, BitLocker: bitLockerOf(e.Volume), Unlocked: e.Unlocked != nil, Locked: isLocked(e.Err), UnlockedBy: UnlockerOf(v),
		Tries: []Try{}, Warnings: []string{}, Damaged: errors.Is(e.Err, layer.ErrCorrupt)}
	if e.Err != nil {
		u.Error = OneLine(e.Err)
	}
	if e.Volume != nil {
		u.warn(e.Volume.Warnings)
	}
	if e.Unlocked != nil {
		u.warn(e.Unlocked.Warnings)
	}
	return u
}

func (u *Unlockable) warn(list []error) {
	for _, w := range list {
		u.Warnings = append(u.Warnings, OneLine(w))
	}
}

// needsSecret reports whether secrets can be tried: the metadata was read, and a key is not there openly.
func (u *Unlockable) needsSecret() bool {
	return len(u.Protectors) > 0 && (u.UnlockedBy == nil || u.UnlockedBy.Kind != "none" && u.UnlockedBy.Kind != "clear key")
}

// tryOf tries a secret alone.
func tryOf(ctx context.Context, v *bitlocker.Volume, s Secret) Try {
	t := Try{From: s.From, Kind: s.Kind()}
	o, err := v.Unlock(ctx, bitlocker.NewKeyring(s.Secret))
	switch {
	case err == nil:
		t.Opens = unlockerOf(o)
	case !isLocked(err):
		t.Error = OneLine(err)
	}
	return t
}

func isLocked(err error) bool {
	_, locked := errors.AsType[*bitlocker.LockedError](err)
	return locked
}

func (u *Unlockable) addRecovery(o *bitlocker.Unlocked) {
	list, err := o.RecoveryPasswords()
	for _, p := range list {
		u.RecoveryKeys = append(u.RecoveryKeys, RecoveryKey{p.Protector.ID.String(), p.Password})
	}
	if err != nil {
		u.warn([]error{err})
	}
}

// Closed counts the volumes that cannot be read, and those of them that are damaged.
func (r *Unlock) Closed() (closed, damaged int) {
	for _, u := range r.Volumes {
		if !u.Unlocked {
			closed++
		}
		if u.Damaged {
			damaged++
		}
	}
	return closed, damaged
}
