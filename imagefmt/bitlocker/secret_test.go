package bitlocker

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"snapmount/imagefmt/bitlocker/bitlockertest"
	"snapmount/imagefmt/layer"
)

const aRecovery = "235818-357951-253979-013365-241120-245575-342914-591910"

func TestRecoveryPassword(t *testing.T) {
	want, err := RecoveryPassword(aRecovery)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"blanks":      strings.ReplaceAll(aRecovery, "-", " "),
		"dots":        strings.ReplaceAll(aRecovery, "-", "."),
		"nothing":     strings.ReplaceAll(aRecovery, "-", ""),
		"lines":       "\ufeff" + strings.ReplaceAll(aRecovery, "-", "\r\n") + "\r\n",
		"wide dashes": strings.ReplaceAll(aRecovery, "-", " \u2013\u00a0"),
		"a label":     "BitLocker Recovery Key: " + aRecovery,
		"some":        strings.Replace(strings.Replace(aRecovery, "-", "", 3), "-", "\t", 2),
	} {
		if s, err := RecoveryPassword(text); err != nil || s.m.hash != want.m.hash {
			t.Errorf("%s: %v", name, err)
		}
	}
	if b, _ := recoveryBytes(aRecovery); recoveryText(b) != aRecovery {
		t.Errorf("%s, want %s", recoveryText(b), aRecovery)
	}
	for text, want := range map[string]string{
		strings.Replace(aRecovery, "253979", "253978", 1): "recovery password: group 3 (253978) has a wrong digit: compare it with the paper",
		strings.Replace(aRecovery, "591910", "720896", 1): "recovery password: group 8 (720896) is over 720895",
		strings.Replace(aRecovery, "013365", "13365", 1):  "recovery password: group 4 has 5 digits, want 6",
		strings.Replace(aRecovery, "013365", "O13365", 1): "recovery password: group 4: 'O' is no digit",
		aRecovery[:40]:                                    "recovery password: 35 digits in 6 groups, want 48 in 8",
		"Recovery Key: l" + aRecovery[1:]:                 "recovery password: group 1: 'l' is no digit",
		strings.ReplaceAll(aRecovery[:54], "-", "") + "S": "recovery password: group 8: 'S' is no digit",
		"64311DEA": "recovery password: that is the ID of the key: look for the 48 digits beside it",
		"Key ID: {64311DEA-4587-4029-924A-BA299647998E}": "recovery password: that is the ID of the key: look for the 48 digits beside it",
		"12345": "recovery password: 5 digits in 1 group, want 48 in 8",
		"":      "recovery password: 0 digits in 0 groups, want 48 in 8",
	} {
		if _, err := RecoveryPassword(text); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestNothingIsPrinted prints whatever could hold a secret by all verbs.
func TestNothingIsPrinted(t *testing.T) {
	const password = "geheim 77"
	key := bytes.Repeat([]byte("K"), 32)
	w := write(t, bitlockertest.Options{Protectors: clearKey})
	s, k := Password(password), rawKey(key)
	u := w.mustUnlock(t)
	ring := NewKeyring(s, k)
	type holder struct {
		s *Secret
		u *Unlocked
	}
	for _, value := range []any{s, *s, k, *k, ring, []*Secret{s, k}, holder{s, u}, &holder{k, u}, u, u.Volume, &LockedError{Volume: u.Volume, Tried: []string{s.Kind()}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			got := fmt.Sprintf(verb, value)
			for _, bad := range []string{password, "geheim", string(key), hex.EncodeToString(key[:8]), strings.Trim(fmt.Sprint(key[:8]), "[]"), hex.EncodeToString(w.Master[:8]), strings.Trim(fmt.Sprint(w.Master[:8]), "[]"), string(w.Master[:8])} {
				if strings.Contains(got, bad) {
					t.Errorf("%T by %s: %s", value, verb, got)
				}
			}
		}
	}
	if got := fmt.Sprint(s, " ", k, " ", Secret{}); got != "password key of 32 bytes no secret" {
		t.Error(got)
	}
}

func TestReadKeys(t *testing.T) {
	w := write(t, bitlockertest.Options{Protectors: []bitlockertest.Protector{{Kind: bitlockertest.StartupKey}, {Kind: bitlockertest.StartupKey, VolumeID: true}}})
	startup := func(i int) string { return "startup key " + short(w.Protectors[i]) }
	utf16le := func(s string) []byte {
		b := []byte("\xff\xfe")
		for _, u := range utf16.Encode([]rune(s)) {
			b = append(b, byte(u), byte(u>>8))
		}
		return b
	}
	windows := "BitLocker Drive Encryption recovery key \r\n\r\nTo verify that this is the correct recovery key, compare the start of the following identifier\r\n\r\nIdentifier:\r\n\r\n\t64311DEA-4587-4029-924A-BA299647998E\r\n\r\nRecovery Key:\r\n\r\n\t" + aRecovery + "\r\n"
	key := bytes.Repeat([]byte{0xab, 1}, 16)
	for _, c := range []struct {
		name string
		b    []byte
		want string // kinds, or an error
	}{
		{"156 bytes", w.StartupKeys[0], startup(0)},
		{"180 bytes", w.StartupKeys[1], startup(1)},
		{"behind it more", append(bytes.Clone(w.StartupKeys[0]), make([]byte, 100)...), startup(0)},
		{"lines", []byte("# mine\r\n\r\nhello world\r\n" + aRecovery + "\n" + hex.EncodeToString(key) + "\n  \nab01\n"), "password; recovery password; key of 32 bytes; password"},
		{"no end of line", []byte("x"), "password"},
		{"as Windows saves it", utf16le(windows), "recovery password"},
		{"the same in UTF-8", []byte("\ufeff" + windows), "recovery password"},
		{"two of them in one", utf16le(windows + windows), "recovery password; recovery password"},
		{"two, and a slip in one", []byte(windows + strings.Replace(windows, "253979", "253978", 1)), "k: line 22: recovery password: group 3 (253978) has a wrong digit: compare it with the paper"},
		{"a comment on BitLocker", []byte("# BitLocker keys, 64311DEA-4587-4029-924A-BA299647998E\n" + aRecovery + "\nhello world\n"), "recovery password; password"},
		{"a password of BitLocker", []byte("my BitLocker word\n" + aRecovery + "\n"), "password; recovery password"},
		{"with labels", []byte("Recovery Key: " + aRecovery + "\nC: " + strings.ReplaceAll(aRecovery, "-", " ") + "\n"), "recovery password; recovery password"},
		{"a slip behind a label", []byte("Recovery Key: " + strings.Replace(aRecovery, "253979", "253978", 1)), "k: line 1: recovery password: group 3 (253978) has a wrong digit: compare it with the paper"},
		{"raw bytes", key, "key of 32 bytes"},
		{"with its header", append([]byte{44, 0, 0, 0, 1, 0, 0, 0, 3, 0x20, 0, 0}, key...), "key of 32 bytes"},
		{"64 bytes in hex", []byte(strings.Repeat(hex.EncodeToString(key), 2)), "key of 64 bytes"},
		{"a wrong group", []byte("hello\n" + strings.Replace(aRecovery, "253979", "253978", 1)), "k: line 2: recovery password: group 3 (253978) has a wrong digit: compare it with the paper"},
		{"a letter", []byte(strings.Replace(aRecovery, "013365", "O13365", 1)), "k: line 1: recovery password: group 4: 'O' is no digit"},
		{"a label", []byte("Recovery Key: " + aRecovery + "\n"), "recovery password"},
		{"only its ID", []byte("64311DEA-4587-4029-924A-BA299647998E\n"), "k: recovery password: that is the ID of the key: look for the 48 digits beside it"},
		{"its ID too", []byte("64311DEA-4587-4029-924A-BA299647998E\n" + aRecovery), "recovery password"},
		{"misread", []byte("l" + strings.ReplaceAll(aRecovery, "-", "")[1:]), "k: line 1: recovery password: group 1: 'l' is no digit"},
		{"a digit less", []byte(aRecovery[1:]), "k: line 1: recovery password: group 1 has 5 digits, want 6"},
		{"nothing", []byte("\n# nothing\n"), "k: no secret in the file: not this format"},
		{"too much", make([]byte, maxKeyFile+1), "k: over 1 MiB, and so no file of keys: not this format"},
		{"noise", noise(100, 1), "k: neither a startup key, nor text, nor a key of 16, 32 or 64 bytes: not this format"},
		{"a cut one", w.StartupKeys[0][:100], "k: startup key at 0xc: entries end at 0x9c of 0x64"},
		{"one with a damaged entry", func() []byte { b := bytes.Clone(w.StartupKeys[0]); b[48] = 7; return b }(), "k: startup key: entry at 0x30: a size of 7, want 8 to 108"},
		{"one of another kind", func() []byte { b := bytes.Clone(w.StartupKeys[0]); b[52] = 77; return b }(), "k: startup key at 0x30: no key of 32 bytes in its entries"},
	} {
		list, err := ReadKeys("k", c.b)
		var kinds []string
		for _, s := range list {
			kinds = append(kinds, s.Kind())
		}
		got := strings.Join(kinds, "; ")
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestKeyring stretches each secret once for a salt, whoever asks for it, and stops when it is told to.
func TestKeyring(t *testing.T) {
	s := Password("one")
	ring := NewKeyring(s, nil)
	if ring.Len() != 1 || (*Keyring)(nil).Len() != 0 {
		t.Errorf("%d secrets", ring.Len())
	}
	ended := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ended)
	if _, err := ring.stretched(ctx, s.m.hash, [16]byte{}); !errors.Is(err, ended) {
		t.Errorf("error %v", err)
	}
	var wg sync.WaitGroup
	keys := make([][]byte, 8)
	for i := range keys {
		wg.Go(func() { keys[i], _ = ring.stretched(t.Context(), s.m.hash, [16]byte{}) })
	}
	wg.Wait()
	for _, k := range keys {
		if !bytes.Equal(k, keys[0]) || len(k) != 32 {
			t.Errorf("%x, want %x", k, keys[0])
		}
	}
	if len(ring.made) != 1 {
		t.Errorf("%d keys", len(ring.made))
	}
	was := ring.made[stretchOf{s.m.hash, [16]byte{}}]
	ring.Wipe()
	(*Keyring)(nil).Wipe()
	if ring.Len() != 0 || len(ring.made) != 0 || was.key != [32]byte{} || s.m.hash != [32]byte{} {
		t.Errorf("left: %d, %v, %v", ring.Len(), was.key, s.m.hash)
	}
}

// TestUnlock opens a volume by each of its protectors, and by its keys.
func TestUnlock(t *testing.T) {
	recovery := bitlockertest.NewRecoveryPassword("one")
	o := bitlockertest.Options{Method: bitlockertest.XTS256, Protectors: []bitlockertest.Protector{
		{Kind: bitlockertest.TPM}, {Kind: bitlockertest.Password, Secret: "Pässwörd 🔑"}, {Kind: bitlockertest.RecoveryPassword, Secret: recovery},
		{Kind: bitlockertest.StartupKey}, {Kind: bitlockertest.StartupKey, VolumeID: true},
	}}
	w := write(t, o)
	v := w.mustOpen(t)
	byDigits, err := RecoveryPassword(recovery)
	if err != nil {
		t.Fatal(err)
	}
	ring := func(list ...*Secret) *Keyring {
		return NewKeyring(append([]*Secret{Password("wrong one")}, list...)...)
	}
	startup, err := ReadKeys("k", w.StartupKeys[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ring      *Keyring
		secret    string
		protector int // -1 for none
	}{
		{ring(Password("Pässwörd 🔑")), "password", 1},
		{ring(byDigits), "recovery password", 2},
		{ring(startup...), startup[0].Kind(), 4},
		{ring(rawKey(w.Master)), "key of 32 bytes", -1},
		{ring(rawKey(w.Key)), "key of 64 bytes", -1},
	} {
		u, err := v.Unlock(t.Context(), c.ring)
		if err != nil {
			t.Errorf("%s: %v", c.secret, err)
			continue
		}
		if list := w.differs(t, u); list != nil || len(u.Warnings) > 0 || u.Secret != c.secret {
			t.Errorf("%s: not read: %x; warnings %v; by %s", c.secret, list, u.Warnings, u.Secret)
		}
		if c.protector < 0 && u.Protector != (Protector{}) || c.protector >= 0 && u.Protector != v.Protectors[c.protector] {
			t.Errorf("%s: protector %v", c.secret, u.Protector)
		}
		switch got, err := u.RecoveryPasswords(); {
		case len(w.Key) == 64 && c.secret == "key of 64 bytes":
			if !errors.Is(err, layer.ErrUnsupported) {
				t.Errorf("recovery passwords without the master key: %v, %v", got, err)
			}
		case err != nil || len(got) != 1 || got[0].Password != recovery || got[0].Protector != v.Protectors[2]:
			t.Errorf("%s: recovery passwords %v, %v", c.secret, got, err)
		}
	}
}
