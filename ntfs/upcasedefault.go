package ntfs

import (
	"fmt"
	"sync"
	"unicode"

	"snapmount/imagefmt/layer"
)

// defaultUpcase is the table that Windows has written to volumes since Windows 7: the simple upper case of Unicode 5.1,
// of those characters that the lower case leads back to.
var defaultUpcase = sync.OnceValue(func() *upcase {
	u := new(upcase)
	for i := range u {
		u[i] = uint16(i)
		if up := unicode.ToUpper(rune(i)); up < 1<<16 && unicode.ToLower(up) == rune(i) && !caseIsNewer(uint16(i)) {
			u[i] = uint16(up)
		}
	}
	return u
})

// newerCase are ranges of characters that got an upper case after Unicode 5.1; what else is in them has none.
var newerCase = [...][2]uint16{
	{0x023f, 0x0240}, {0x0252, 0x0252}, {0x025c, 0x025c}, {0x0261, 0x0261}, {0x0265, 0x0266}, {0x026a, 0x026a}, {0x026c, 0x026c},
	{0x0282, 0x0282}, {0x0287, 0x0287}, {0x029d, 0x029e}, {0x03f3, 0x03f3}, {0x0525, 0x052f}, {0x10d0, 0x13fd}, {0x1d8e, 0x1d8e},
	{0x2c5f, 0x2c5f}, {0x2cec, 0x2cf3}, {0x2d27, 0x2d2d}, {0xa661, 0xa661}, {0xa699, 0xa69b}, {0xa791, 0xabbf},
}

func caseIsNewer(c uint16) bool {
	for _, r := range newerCase {
		if r[0] <= c && c <= r[1] {
			return true
		}
	}
	return false
}

// commonCase is the first character in which the tables of different versions of Windows differ.
const commonCase = 0x180

// check tells what speaks against a table that was read. Windows has written several, of which the later ones have more
// characters; but in all of them a character stands for itself or for one that Unicode has as its other case, the upper
// case of an upper case is itself, and the scripts of Western Europe are the same.
func (u *upcase) check() error {
	known := defaultUpcase()
	for i, up := range u {
		switch {
		case u[up] != up:
			return u.wrong(i, "whose upper case is 0x%04x", u[up])
		case i < commonCase && up != known[i]:
			return u.wrong(i, "want 0x%04x", known[i])
		case int(up) != i && up != known[i] && rune(up) != unicode.ToUpper(rune(i)) && rune(up) != unicode.ToLower(rune(i)):
			return u.wrong(i, "which is no other case of it")
		}
	}
	return nil
}

func (u *upcase) wrong(i int, format string, args ...any) error {
	return layer.Corrupt("upcase table", int64(2*i), "character 0x%04x has the upper case 0x%04x, %s", i, u[i], fmt.Sprintf(format, args...))
}
