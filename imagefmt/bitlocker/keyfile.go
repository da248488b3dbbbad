package bitlocker

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

const maxKeyFile = 1 << 20

// ReadKeys reads the secrets of a file: one startup key (.BEK), the raw bytes of a key, the text that Windows saves a recovery
// password in, or a line for each of recovery passwords, passwords and keys of a volume in hex; empty lines and those that
// begin with # are left out. A line that looks like a recovery password, with a group that is none, is an error, as is a file
// over 1 MiB, or without a secret. Keys have 16, 32 or 64 bytes, and those with the 12 bytes of their header 12 more.
func ReadKeys(name string, b []byte) ([]*Secret, error) {
	list, err := readKeys(b)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no secret in the file: %w", layer.ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

func readKeys(b []byte) ([]*Secret, error) {
	switch {
	case len(b) > maxKeyFile:
		return nil, fmt.Errorf("over 1 MiB, and so no file of keys: %w", layer.ErrFormat)
	case len(b) >= datasetHeader && le.Uint32(b[4:]) == 1 && le.Uint32(b[8:]) == datasetHeader:
		s, err := readStartupKey(b)
		return []*Secret{s}, err
	}
	text := string(b)
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		text = wintype.DecodeUTF16(b[2:])
	case !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0:
		if s := rawKey(b); s != nil {
			return []*Secret{s}, nil
		}
		return nil, fmt.Errorf("neither a startup key, nor text, nor a key of 16, 32 or 64 bytes: %w", layer.ErrFormat)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n"), "\n")
	saved := savedByWindows(lines)
	var list []*Secret
	var named error
	for i, line := range lines {
		if len(strings.TrimSpace(line)) > 8 && keyName.MatchString(line) { // 8 digits may be a password
			_, named = RecoveryPassword(line)
			continue
		}
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") || saved && !holdsRecovery(line) {
			continue
		}
		s, err := readLine(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return nil, named
	}
	return list, nil
}

// savedByWindows recognises the text that Windows saves or prints: sentences, which name BitLocker in any language, the
// identifier, and the recovery password. No sentence is a password.
func savedByWindows(lines []string) bool {
	named, identified, digits := false, false, false
	for _, line := range lines {
		if !strings.HasPrefix(line, "#") {
			named = named || strings.Contains(line, "BitLocker") && strings.Contains(line, " ")
			identified = identified || identifier.MatchString(line)
			digits = digits || holdsRecovery(line)
		}
	}
	return named && identified && digits
}

var (
	identifier = regexp.MustCompile(`\b[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b`)
	// labelled is a recovery password as it is noted behind a name of its own: "Recovery Key: 123456-...", "C: 123456 ...".
	labelled = regexp.MustCompile(`\D([0-9]{6}(?:[- ][0-9]{6}){7})\s*$`)
)

func holdsRecovery(line string) bool { return LooksLikeRecovery(line) || labelled.MatchString(line) }

func readLine(line string) (*Secret, error) {
	if LooksLikeRecovery(line) {
		return RecoveryPassword(line)
	}
	if digits := labelled.FindStringSubmatch(line); digits != nil {
		return RecoveryPassword(digits[1])
	}
	if b, err := hex.DecodeString(strings.TrimSpace(line)); err == nil {
		if s := rawKey(b); s != nil {
			return s, nil
		}
	}
	return Password(line), nil
}

// LooksLikeRecovery reports whether a text can be nothing but a recovery password, perhaps with a slip.
func LooksLikeRecovery(s string) bool {
	s = withoutLabel(s)
	digits, others := 0, 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !separates(r):
			others++
		}
	}
	parts := len(strings.FieldsFunc(s, separates))
	if others <= 4 && digits+others == groups*groupDigits && digits >= 40 {
		return true
	}
	return digits+others >= 40 && others == 0 && (parts > 1 || digits == groups*groupDigits) || parts == groups && digits >= 40 && others <= 4
}

// rawKey is a key of a volume: its master key, or the one of the sectors; nil for no length of one.
func rawKey(b []byte) *Secret {
	if len(b) > 12 && int(le.Uint16(b)) == len(b) && le.Uint16(b[4:]) == typeKey {
		b = b[12:]
	}
	switch len(b) {
	case 16, 32, 64:
		return &Secret{&material{kind: keyKind, key: bytes.Clone(b)}}
	}
	return nil
}

// readStartupKey reads a .BEK file: the header of a dataset (u32 size, u32 1, u32 size of the header, u32 end, GUID ...), and
// entries. One is an external key: GUID, FILETIME, and entries with a key of 32 bytes. Windows 11 adds the volume's GUID.
func readStartupKey(b []byte) (*Secret, error) {
	size := int64(le.Uint32(b[12:]))
	if size < datasetHeader || size > int64(len(b)) {
		return nil, layer.Corrupt("startup key", 12, "entries end at 0x%x of 0x%x", size, len(b))
	}
	list, err := entries(b[datasetHeader:size], datasetHeader)
	for _, e := range list {
		if e.typ != typeExternalKey {
			continue
		}
		inner, damage := e.nested(24)
		for _, i := range inner {
			if key, ok := i.key(); ok && len(key) == 32 {
				return &Secret{&material{kind: kindStartup, id: guidAt(e.data), key: bytes.Clone(key)}}, nil
			}
		}
		if err == nil {
			err = damage
		}
	}
	if err != nil {
		return nil, fmt.Errorf("startup key: %w", err)
	}
	return nil, layer.Corrupt("startup key", datasetHeader, "no key of 32 bytes in its entries")
}
