package bitlocker

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"snapmount/imagefmt/wintype"
)

// A Secret opens protectors. No verb of package fmt prints it.
type Secret struct {
	m *material // behind a pointer, which is all that fmt shows of a field
}

// material is what a secret is made of.
type material struct {
	kind Kind     // of the protectors that it could open; keyKind for a key of the volume itself
	hash [32]byte // of a password, recovery or not: what is stretched
	id   wintype.GUID
	key  []byte
	pin  bool // a password that could be a PIN of Windows
}

const keyKind = Kind(0xffff)

// Kind says what it is, without any of it: "recovery password", "password", "startup key 4381F759", "key of 32 bytes".
func (s Secret) Kind() string {
	if s.m == nil {
		return "no secret"
	}
	return s.m.words()
}

func (m *material) words() string {
	switch m.kind {
	case keyKind:
		return fmt.Sprintf("key of %d bytes", len(m.key))
	case kindStartup:
		return fmt.Sprintf("startup key %s", short(m.id))
	}
	return m.kind.String()
}

// Format writes Kind, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.Kind()) }

// copied is a copy that wipe does not reach.
func (m *material) copied() material {
	c := *m
	c.key = slices.Clone(m.key)
	return c
}

func (m *material) wipe() {
	clear(m.hash[:])
	clear(m.key)
}

// longestPIN is the most digits that a PIN of a TPM has; passwords of BitLocker have 8 characters at least.
const longestPIN = 20

// Password is a password as it is typed, with nothing normalised.
func Password(text string) *Secret {
	units := wintype.EncodeUTF16(text)
	b := make([]byte, 0, 2*len(units))
	for _, u := range units {
		b = le.AppendUint16(b, u)
	}
	once := sha256.Sum256(b)
	m := &material{kind: kindPassword, hash: sha256.Sum256(once[:])}
	m.pin = len(text) <= longestPIN && strings.Trim(text, "0123456789") == ""
	clear(units)
	clear(b)
	clear(once[:])
	return &Secret{m}
}

// A recovery password has 8 groups of 6 digits, each a u16 multiplied by 11.
const (
	groups      = 8
	groupDigits = 6
)

// separates reports whether a character may stand between the digits of a recovery password.
func separates(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) || r == '.' || r == ',' || r == '_' || r == ':' || r == '\u00ad' || r == '\ufeff'
}

var (
	keyName  = regexp.MustCompile(`(?i)^\s*\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?\s*$|^\s*[0-9a-f]{8}\s*$`)
	keyLabel = regexp.MustCompile(`^\s*[^0-9:]*\pL[^0-9:]*:`)
)

// withoutLabel is a text without words before it, as "Recovery Key:".
func withoutLabel(text string) string { return text[len(keyLabel.FindString(text)):] }

// RecoveryPassword reads 48 digits, whatever separates their groups, and words with a colon before them. The error names the group that is wrong.
func RecoveryPassword(text string) (*Secret, error) {
	text = withoutLabel(text)
	if keyName.MatchString(text) {
		return nil, errors.New("recovery password: that is the ID of the key: look for the 48 digits beside it")
	}
	number, err := recoveryBytes(text)
	if err != nil {
		return nil, fmt.Errorf("recovery password: %w", err)
	}
	defer clear(number)
	return &Secret{&material{kind: kindRecovery, hash: sha256.Sum256(number)}}, nil
}

// recoveryBytes gives the 16 bytes that a recovery password stands for.
func recoveryBytes(text string) ([]byte, error) {
	parts := strings.FieldsFunc(text, separates)
	before := 0 // digits
	for i, p := range parts {
		if at := strings.IndexFunc(p, func(r rune) bool { return r < '0' || r > '9' }); at >= 0 {
			group := i + 1
			if len(parts) != groups {
				group = (before+at)/groupDigits + 1
			}
			r, _ := utf8.DecodeRuneInString(p[at:])
			return nil, fmt.Errorf("group %d: %q is no digit", group, r)
		}
		before += len(p)
	}
	digits := strings.Join(parts, "")
	if len(digits) != groups*groupDigits {
		at := slices.IndexFunc(parts, func(p string) bool { return len(p) != groupDigits })
		if len(parts) == groups && at >= 0 {
			return nil, fmt.Errorf("group %d has %d digits, want %d", at+1, len(parts[at]), groupDigits)
		}
		plural := "s"
		if len(parts) == 1 {
			plural = ""
		}
		return nil, fmt.Errorf("%d digits in %d group%s, want %d in %d", len(digits), len(parts), plural, groups*groupDigits, groups)
	}
	var out []byte
	for i := range groups {
		group := digits[groupDigits*i:][:groupDigits]
		n := 0
		for _, d := range group {
			n = 10*n + int(d-'0')
		}
		switch {
		case n%11 != 0:
			return nil, fmt.Errorf("group %d (%s) has a wrong digit: compare it with the paper", i+1, group)
		case n >= 11<<16:
			return nil, fmt.Errorf("group %d (%s) is over %d", i+1, group, 11<<16-1)
		}
		out = le.AppendUint16(out, uint16(n/11))
	}
	return out, nil
}

// recoveryText is the recovery password of 16 bytes.
func recoveryText(b []byte) string {
	var list []string
	for i := 0; i+1 < len(b); i += 2 {
		list = append(list, fmt.Sprintf("%06d", 11*int(le.Uint16(b[i:]))))
	}
	return strings.Join(list, "-")
}
