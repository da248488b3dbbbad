package bitlocker

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
)

// A Keyring is the secrets that are tried on each volume. It remembers what is slow to make of them. It is safe for any
// number of goroutines; nil is an empty one.
type Keyring struct {
	mu      sync.Mutex
	secrets []*Secret
	made    map[stretchOf]*stretching
}

type stretchOf struct {
	hash [32]byte
	salt [16]byte
}

// stretching is made by whoever has its turn.
type stretching struct {
	turn chan struct{}
	done bool
	key  [32]byte
}

// NewKeyring returns one of secrets.
func NewKeyring(secrets ...*Secret) *Keyring {
	k := &Keyring{made: map[stretchOf]*stretching{}}
	k.Add(secrets...)
	return k
}

// Add adds secrets, which later Unlocks try.
func (k *Keyring) Add(secrets ...*Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range secrets {
		if s != nil && s.m != nil {
			k.secrets = append(k.secrets, s)
		}
	}
}

// Len is the number of secrets.
func (k *Keyring) Len() int {
	if k == nil {
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.secrets)
}

// Wipe overwrites the secrets and what was made of them, as far as Go lets it. Volumes that are unlocked stay so.
func (k *Keyring) Wipe() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.secrets {
		s.m.wipe()
	}
	for of, s := range k.made {
		select {
		case s.turn <- struct{}{}:
			clear(s.key[:])
			s.done = false
			<-s.turn
		default: // it is being made, for one who has it then
		}
		delete(k.made, of)
	}
	k.secrets = nil
}

// material gives copies of what all secrets are made of, to be wiped after use.
func (k *Keyring) material() (list []material) {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.secrets {
		list = append(list, s.m.copied())
	}
	return list
}

// stretched is the key that the hash of a password and a salt make, computed once. Its error is the cause of ctx.
func (k *Keyring) stretched(ctx context.Context, hash [32]byte, salt [16]byte) ([]byte, error) {
	of := stretchOf{hash, salt}
	k.mu.Lock()
	if k.made == nil {
		k.made = map[stretchOf]*stretching{}
	}
	s := k.made[of]
	if s == nil {
		s = &stretching{turn: make(chan struct{}, 1)}
		k.made[of] = s
	}
	k.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-s.turn }()
	if !s.done {
		key, err := stretch(ctx, hash, salt)
		if err != nil {
			return nil, err
		}
		s.key, s.done = key, true
	}
	return slices.Clone(s.key[:]), nil
}

const (
	rounds = 1 << 20
	asked  = 1 << 14 // rounds between two looks at the context
)

// stretch hashes 32 bytes of the last hash, the hash of the password, the salt, and a u64 counter, over and over.
func stretch(ctx context.Context, hash [32]byte, salt [16]byte) (last [32]byte, err error) {
	var b [88]byte
	copy(b[32:], hash[:])
	copy(b[64:], salt[:])
	for i := uint64(0); i < rounds; i++ {
		if i%asked == 0 && ctx.Err() != nil {
			return last, context.Cause(ctx)
		}
		le.PutUint64(b[80:], i)
		last = sha256.Sum256(b[:])
		copy(b[:], last[:])
	}
	clear(b[:])
	return last, nil
}
