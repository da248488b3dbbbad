package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	"snapmount/imagefmt/bitlocker"
	"snapmount/mount/points"
	"snapmount/mount/report"
)

// A key is what is to unlock a volume: what was typed, or a file. Nothing of it is told to anybody.
type key struct {
	Volume string `json:"volume"`
	Text   string `json:"text"` // a recovery password, or a password
	Name   string `json:"name"` // of a file
	File   []byte `json:"file"` // a startup key (.BEK), or a text with keys
}

const (
	maxKey     = 256 << 10              // bytes of a key, and of its file in base 64
	maxSecrets = 16                     // of one file: each of them may cost as much time as it takes to guess a password
	tryTime    = 400 * time.Millisecond // that a try takes at least, so that nobody can guess quickly
)

// unlock tries a key on a volume. One that opens it opens the images again, and all that is served is about those then.
func (s *Server) unlock(w http.ResponseWriter, r *http.Request) {
	if s.Unlock == nil {
		fail(w, fmt.Errorf("%w: volumes cannot be unlocked here: start snapmount with the key", errRequest))
		return
	}
	var k key
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxKey)).Decode(&k); err != nil {
		fail(w, fmt.Errorf("%w: want a key, of %d KiB at most", errRequest, maxKey>>10)) // the error could quote it
		return
	}
	defer clear(k.File)
	v, err := s.volumeOf(k.Volume)
	if err != nil {
		fail(w, err)
		return
	}
	select {
	case s.shared.unlocking <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	defer func() { <-s.shared.unlocking }()
	tried := time.After(tryTime)
	name, err := s.open(r.Context(), v, &k)
	if err != nil {
		<-tried
		answer(w, report.Unlocking{Why: report.OneLine(err)}, nil)
		return
	}
	answer(w, report.Unlocking{Volume: name}, nil)
}

// open unlocks a volume, and gives the name that it has then.
func (s *Server) open(ctx context.Context, v *points.Volume, k *key) (name string, err error) {
	if v.Locked() == nil {
		return v.Name, nil
	}
	if v.Encryption.Volume == nil {
		return "", v.Locked()
	}
	secrets, err := k.secrets(v.Encryption.Volume)
	if err != nil {
		return "", err
	}
	_, err = v.Encryption.Volume.Unlock(ctx, bitlocker.NewKeyring(secrets...))
	if locked, ok := errors.AsType[*bitlocker.LockedError](err); ok {
		return "", errors.New(locked.Refused())
	}
	if err != nil {
		return "", err
	}
	set, err := s.Unlock(secrets)
	if err != nil {
		return "", fmt.Errorf("the key is right, but the images could not be opened again: %w", err)
	}
	for _, x := range set.Volumes {
		if x.Image.Path != v.Image.Path || x.Partition.Off != v.Partition.Off || x.Partition.Number != v.Partition.Number {
			continue
		}
		if err := x.Locked(); err != nil {
			return "", err
		}
		return x.Name, nil
	}
	return "", errors.New("the key is right, but the volume is not there any more: were the images changed?")
}

// secrets are what the key may be, by what the volume has protectors for.
func (k *key) secrets(v *bitlocker.Volume) ([]*bitlocker.Secret, error) {
	if len(k.File) > 0 {
		list, err := bitlocker.ReadKeys(path.Base(strings.ReplaceAll(k.Name, `\`, "/")), k.File)
		if len(list) > maxSecrets {
			return nil, fmt.Errorf("the file holds %d keys, want %d at most", len(list), maxSecrets)
		}
		return list, err
	}
	if strings.TrimSpace(k.Text) == "" {
		return nil, errors.New("nothing was given")
	}
	secret, err := bitlocker.RecoveryPassword(k.Text)
	if err == nil || bitlocker.LooksLikeRecovery(k.Text) || isName(v, k.Text) {
		return []*bitlocker.Secret{secret}, err
	}
	return []*bitlocker.Secret{bitlocker.Password(k.Text)}, nil
}

// isName reports whether a text is that by which a recovery password is looked up.
func isName(v *bitlocker.Volume, text string) bool {
	text = strings.Trim(strings.TrimSpace(text), "{}")
	for _, p := range v.Protectors {
		if strings.EqualFold(text, p.ID.String()) || strings.EqualFold(text, p.Short()) {
			return true
		}
	}
	return false
}
