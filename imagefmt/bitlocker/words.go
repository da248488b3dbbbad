package bitlocker

import (
	"fmt"
	"strings"
	"time"

	"snapmount/imagefmt/wintype"
)

// A Method is how sectors are encrypted, as the metadata numbers it; 0 is not at all.
type Method uint16

var methodWords = map[Method]string{
	0:                    "not encrypted",
	methodCBC128Elephant: "AES-CBC 128 with Elephant diffuser",
	methodCBC256Elephant: "AES-CBC 256 with Elephant diffuser",
	methodCBC128:         "AES-CBC 128",
	methodCBC256:         "AES-CBC 256",
	methodXTS128:         "XTS-AES 128",
	methodXTS256:         "XTS-AES 256",
}

// String is "XTS-AES 128", "AES-CBC 256 with Elephant diffuser"; the number of one that is not read here.
func (m Method) String() string {
	if s, ok := methodWords[m]; ok {
		return s
	}
	return fmt.Sprintf("unknown method 0x%04x", uint16(m))
}

// A State is how far a conversion is, as the metadata numbers it.
type State uint16

// States of a volume.
const (
	Decrypted   State = 1
	Interrupted State = 2 // within a piece, which is in a conversion log
	Paused      State = 3
	Encrypted   State = 4
	Converting  State = 5
)

// String says it for people: "encrypted", "conversion paused", ...; Volume.Progress tells how far it is.
func (s State) String() string {
	switch s {
	case Decrypted:
		return "decrypted"
	case Interrupted:
		return "conversion interrupted"
	case Paused:
		return "conversion paused"
	case Encrypted:
		return "encrypted"
	case Converting:
		return "conversion under way"
	}
	return fmt.Sprintf("unknown state %d", uint16(s))
}

// Progress says the state for people, and how far the volume is encrypted where it is not as a whole: "encrypted",
// "encryption paused: 12.5 of 40.0 GiB are encrypted".
func (v *Volume) Progress() string {
	words := v.State.String()
	if v.OnWrite {
		words = "encryption under way"
	} else if goal, ok := map[State]string{Encrypted: "encryption", Decrypted: "decryption"}[v.Next]; ok {
		words = strings.Replace(words, "conversion", goal, 1)
	}
	if v.Encrypted == v.src.Size() || v.State == Decrypted {
		return words
	}
	unit, name := float64(1<<30), "GiB"
	if v.src.Size() < 1<<30 {
		unit, name = 1<<20, "MiB"
	}
	return fmt.Sprintf("%s: %.1f of %.1f %s are encrypted", words, float64(v.Encrypted)/unit, float64(v.src.Size())/unit, name)
}

// A Kind is what a protector asks for, as the metadata numbers it.
type Kind uint16

// Kinds of protectors. The lower half of clear keys differs.
const (
	kindClear     Kind = 0
	kindStartup   Kind = 0x200
	kindRecovery  Kind = 0x800
	kindPublicKey Kind = 0x1000
	kindPassword  Kind = 0x2000
)

var kindWords = map[Kind]string{
	kindClear:     "clear key",
	0x100:         "TPM",
	kindStartup:   "startup key",
	0x300:         "TPM and startup key",
	0x500:         "TPM and PIN",
	0x700:         "TPM, PIN and startup key",
	kindRecovery:  "recovery password",
	kindPublicKey: "smart card or certificate",
	kindPassword:  "password",
}

// String is "recovery password", "TPM and PIN", "startup key", "clear key" ...; a number of an unknown one.
func (k Kind) String() string {
	if s, ok := kindWords[k]; ok {
		return s
	}
	if k.clear() {
		return "clear key"
	}
	return fmt.Sprintf("unknown protector 0x%04x", uint16(k))
}

// clear reports whether the key lies beside what it opens: the upper byte tells.
func (k Kind) clear() bool { return k>>8 == 0 }

// A Protector keeps the volume's key for who has something.
type Protector struct {
	ID      wintype.GUID
	Kind    Kind
	Created time.Time
}

// Short is the start of the identifier by which recovery passwords are looked up: 8 digits in upper case.
func (p Protector) Short() string { return short(p.ID) }

func short(id wintype.GUID) string { return strings.ToUpper(id.String()[:8]) }

// Openable reports whether a secret of an image's owner can open it: not where a TPM, a smart card or an account is needed.
func (p Protector) Openable() bool {
	switch p.Kind {
	case kindStartup, kindRecovery, kindPassword:
		return true
	}
	return p.Kind.clear()
}
