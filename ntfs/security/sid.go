package security

import (
	"encoding/binary"
	"fmt"
	"strings"

	"snapmount/imagefmt/layer"
)

const maxSubAuthorities = 15

// A SID is a security identifier, [MS-DTYP] 2.4.2. The zero value stands for none; == compares.
type SID struct {
	revision  uint8 // 1, but 0 for none
	count     uint8
	authority uint64 // 48 bits
	sub       [maxSubAuthorities]uint32
}

// DecodeSID decodes the SID that b starts with. It wraps layer.ErrCorrupt.
func DecodeSID(b []byte) (SID, error) { return decodeSID(b, 0) }

// decodeSID decodes a SID; off is where b lies, for errors.
func decodeSID(b []byte, off int64) (SID, error) {
	if len(b) < 8 {
		return SID{}, layer.Corrupt("SID", off, "%d bytes, want 8 at least", len(b))
	}
	s := SID{revision: b[0], count: b[1], authority: binary.BigEndian.Uint64(b[0:]) & (1<<48 - 1)}
	if s.revision != 1 || s.count > maxSubAuthorities || s.size() > len(b) {
		return SID{}, layer.Corrupt("SID", off, "revision %d with %d subauthorities in %d bytes, want 1 with %d at most",
			s.revision, s.count, len(b), maxSubAuthorities)
	}
	for i := range s.count {
		s.sub[i] = binary.LittleEndian.Uint32(b[8+4*int(i):])
	}
	return s, nil
}

func (s SID) size() int { return 8 + 4*int(s.count) }

// IsZero reports whether s is none.
func (s SID) IsZero() bool { return s == SID{} }

// String gives S-1-5-... as Windows does: an identifier authority of 2^32 or more is in hexadecimal. None is "".
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	var out strings.Builder
	if s.authority < 1<<32 {
		fmt.Fprintf(&out, "S-1-%d", s.authority)
	} else {
		fmt.Fprintf(&out, "S-1-0x%X", s.authority)
	}
	for _, v := range s.sub[:s.count] {
		fmt.Fprintf(&out, "-%d", v)
	}
	return out.String()
}

// sddl gives the SID as SDDL: two letters where they mean the same SID on every machine, else its text. The letters of
// domain accounts, such as LA and DA, are not written: they are short only for the domain of the machine that reads.
func (s SID) sddl() string {
	text := s.String()
	if alias, ok := aliases[text]; ok {
		return alias
	}
	return text
}

// aliases are the SDDL letters of well-known SIDs ([MS-DTYP] 2.5.1.1, sddl.h).
var aliases = map[string]string{
	"S-1-1-0": "WD", "S-1-3-0": "CO", "S-1-3-1": "CG", "S-1-3-4": "OW",
	"S-1-5-2": "NU", "S-1-5-4": "IU", "S-1-5-6": "SU", "S-1-5-7": "AN", "S-1-5-9": "ED", "S-1-5-10": "PS",
	"S-1-5-11": "AU", "S-1-5-12": "RC", "S-1-5-18": "SY", "S-1-5-19": "LS", "S-1-5-20": "NS", "S-1-5-33": "WR",
	"S-1-5-32-544": "BA", "S-1-5-32-545": "BU", "S-1-5-32-546": "BG", "S-1-5-32-547": "PU", "S-1-5-32-548": "AO",
	"S-1-5-32-549": "SO", "S-1-5-32-550": "PO", "S-1-5-32-551": "BO", "S-1-5-32-552": "RE", "S-1-5-32-554": "RU",
	"S-1-5-32-555": "RD", "S-1-5-32-556": "NO", "S-1-5-32-558": "MU", "S-1-5-32-559": "LU", "S-1-5-32-568": "IS",
	"S-1-5-32-569": "CY", "S-1-5-32-573": "ER", "S-1-5-32-574": "CD", "S-1-5-32-575": "RA", "S-1-5-32-576": "ES",
	"S-1-5-32-577": "MS", "S-1-5-32-578": "HA", "S-1-5-32-579": "AA", "S-1-5-32-580": "RM",
	"S-1-5-84-0-0-0-0-0": "UD", "S-1-15-2-1": "AC", "S-1-18-1": "AS", "S-1-18-2": "SS",
	"S-1-16-4096": "LW", "S-1-16-8192": "ME", "S-1-16-8448": "MP", "S-1-16-12288": "HI", "S-1-16-16384": "SI",
}
