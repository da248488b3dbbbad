package security

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/wintype"
)

// conditionMagic starts the condition of a callback ACE, [MS-DTYP] 2.4.4.17.4.
const conditionMagic = "artx"

// maxDepth bounds the nesting of a condition; there is no use for so much.
const maxDepth = 500

// Tokens of operands. The ones of operators are in operators.
const (
	tokenInt64     = 0x04 // and 0x01 to 0x03, of 8, 16 and 32 bits, which are kept in 64 all the same
	tokenString    = 0x10
	tokenOctets    = 0x18
	tokenComposite = 0x50
	tokenSID       = 0x51
	tokenAttribute = 0xf8 // to 0xfb
)

// attributePrefixes are those of the tokens from tokenAttribute on.
var attributePrefixes = [...]string{"", "@USER.", "@RESOURCE.", "@DEVICE."}

type operator struct {
	text    string
	args    int
	logical bool // of expressions; else of operands
}

var operators = map[byte]operator{
	0x80: {"==", 2, false}, 0x81: {"!=", 2, false}, 0x82: {"<", 2, false}, 0x83: {"<=", 2, false}, 0x84: {">", 2, false}, 0x85: {">=", 2, false},
	0x86: {"Contains", 2, false}, 0x88: {"Any_of", 2, false}, 0x8e: {"Not_Contains", 2, false}, 0x8f: {"Not_Any_of", 2, false},
	0x87: {"Exists", 1, false}, 0x8d: {"Not_Exists", 1, false},
	0x89: {"Member_of", 1, false}, 0x8a: {"Device_Member_of", 1, false}, 0x8b: {"Member_of_any", 1, false}, 0x8c: {"Device_Member_of_Any", 1, false},
	0x90: {"Not_Member_of", 1, false}, 0x91: {"Not_Device_Member_of", 1, false}, 0x92: {"Not_Member_of_Any", 1, false}, 0x93: {"Not_Device_Member_of_Any", 1, false},
	0xa0: {"&&", 2, true}, 0xa1: {"||", 2, true}, 0xa2: {"!", 1, true},
}

// A term is an operand, or an operator with what it is applied to.
type term struct {
	text  string // of an operand
	op    operator
	args  []*term
	depth int
}

// condition writes the condition of a callback ACE, which is in reverse Polish notation, as SDDL.
func condition(b []byte) (string, error) {
	if !strings.HasPrefix(string(b), conditionMagic) {
		return "", layer.Corrupt("condition", 0, "no magic %q", conditionMagic)
	}
	var stack []*term
	for b = b[4:]; len(b) > 0; {
		op, isOperator := operators[b[0]]
		if !isOperator {
			if b[0] == 0 && strings.Trim(string(b), "\x00") == "" { // padding
				break
			}
			text, rest, err := operand(b)
			if err != nil {
				return "", err
			}
			stack, b = append(stack, &term{text: text}), rest
			continue
		}
		if len(stack) < op.args {
			return "", fmt.Errorf("condition: %s of %d operands: %w", op.text, len(stack), layer.ErrCorrupt)
		}
		t := &term{op: op, args: append([]*term(nil), stack[len(stack)-op.args:]...)}
		for _, arg := range t.args {
			t.depth = max(t.depth, arg.depth+1)
			if !op.logical && arg.args != nil || t.depth > maxDepth {
				return "", fmt.Errorf("condition: %s of an expression, or too deep: %w", op.text, layer.ErrUnsupported)
			}
		}
		stack, b = append(stack[:len(stack)-op.args], t), b[1:]
	}
	if len(stack) != 1 {
		return "", fmt.Errorf("condition: %d results, want 1: %w", len(stack), layer.ErrCorrupt)
	}
	var out strings.Builder
	out.WriteString("(")
	stack[0].write(&out)
	out.WriteString(")")
	return out.String(), nil
}

// write writes a term with the blanks and parentheses of Windows.
func (t *term) write(out *strings.Builder) {
	space := " "
	if t.op.text == "!" {
		space = ""
	}
	switch len(t.args) {
	case 0:
		out.WriteString(t.text)
	case 1:
		out.WriteString(t.op.text + space)
		t.args[0].writeIn(out, t.op.logical)
	default:
		t.args[0].writeIn(out, t.op.logical)
		out.WriteString(" " + t.op.text + " ")
		t.args[1].writeIn(out, t.op.logical)
	}
}

func (t *term) writeIn(out *strings.Builder, parentheses bool) {
	if parentheses {
		out.WriteString("(")
		defer out.WriteString(")")
	}
	t.write(out)
}

// operand writes the first token of b, a literal or an attribute, and returns what follows it.
func operand(b []byte) (string, []byte, error) {
	if b[0] != tokenComposite {
		return simpleOperand(b)
	}
	list, rest, err := counted(b)
	var items []string
	for err == nil && len(list) > 0 {
		var item string
		if list[0] >= tokenAttribute {
			err = layer.Corrupt("condition", 0, "an attribute in a list")
		} else if item, list, err = simpleOperand(list); err == nil {
			items = append(items, item)
		}
	}
	return "{" + strings.Join(items, ", ") + "}", rest, err
}

func simpleOperand(b []byte) (string, []byte, error) {
	if b[0] >= 1 && b[0] <= tokenInt64 {
		return integer(b)
	}
	v, rest, err := counted(b)
	if err != nil {
		return "", nil, err
	}
	text := ""
	switch token := b[0]; {
	case token == tokenString:
		text, err = quoted(v)
	case token == tokenOctets:
		text = fmt.Sprintf("#%x", v)
	case token == tokenSID:
		var s SID
		s, err = decodeSID(v, 0)
		text = "SID(" + s.sddl() + ")"
	case token >= tokenAttribute && int(token-tokenAttribute) < len(attributePrefixes):
		text = attributePrefixes[token-tokenAttribute] + attributeName(v)
	default:
		err = fmt.Errorf("condition: token 0x%02x: %w", token, layer.ErrUnsupported)
	}
	return text, rest, err
}

// counted returns what follows a token and its 32-bit length, and what follows that.
func counted(b []byte) (v, rest []byte, err error) {
	if len(b) < 5 {
		return nil, nil, layer.Corrupt("condition", 0, "token 0x%02x in %d bytes", b[0], len(b))
	}
	n := binary.LittleEndian.Uint32(b[1:])
	if uint64(n) > uint64(len(b)-5) {
		return nil, nil, layer.Corrupt("condition", 0, "token 0x%02x of 0x%x bytes, 0x%x left", b[0], n, len(b)-5)
	}
	return b[5:][:n], b[5+n:], nil
}

// integer writes an integer: 64 bits, a sign (1 plus, 2 minus, 3 none) and a base (1 octal, 2 decimal, 3 hexadecimal).
func integer(b []byte) (string, []byte, error) {
	if len(b) < 11 {
		return "", nil, layer.Corrupt("condition", 0, "integer in %d bytes, want 11", len(b))
	}
	v, sign, base := binary.LittleEndian.Uint64(b[1:]), b[9], b[10]
	if sign < 1 || sign > 3 || base < 1 || base > 3 {
		return "", nil, layer.Corrupt("condition", 0, "integer of sign %d and base %d", sign, base)
	}
	text := [...]string{"", "+", "-", ""}[sign]
	if sign == 2 || sign == 3 && base == 2 && int64(v) < 0 {
		text, v = "-", -v
	}
	return text + [...]string{"", "0", "", "0x"}[base] + strconv.FormatUint(v, [...]int{0, 8, 10, 16}[base]), b[11:], nil
}

// quoted writes UTF-16 in quotation marks, which SDDL has no way to write themselves.
func quoted(v []byte) (string, error) {
	s := wintype.DecodeUTF16(v)
	if strings.ContainsAny(s, "\"\x00") || len(v)%2 != 0 {
		return "", fmt.Errorf("string %q: %w", s, layer.ErrUnsupported)
	}
	return `"` + s + `"`, nil
}

// attributeName writes a name, with %XXXX for the code units that SDDL wants so.
func attributeName(v []byte) string {
	var out strings.Builder
	for ; len(v) >= 2; v = v[2:] {
		c := binary.LittleEndian.Uint16(v)
		if c < 0x80 && (c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte(":./_-", byte(c)) >= 0) {
			out.WriteByte(byte(c))
		} else {
			fmt.Fprintf(&out, "%%%04x", c)
		}
	}
	return out.String()
}
