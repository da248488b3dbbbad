package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"snapmount/imagefmt/layer"
)

// Chunks made by wimlib 1.13.5.
const (
	xpressText = "0000000000066000000000000000000004000000000006060000000000000000000000000000000000000000000000005057456445586554" +
		"7755545569080000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" +
		"0000000000000000000000000000000009000000000000000000000000000000000090000000000000000000000000009880000000000000" +
		"0789000000000000078880000000000076898700000000009790080000000000080000000000000000000000000000000000000000000000" +
		"00000000000000000000000000000000000000000000000000000000000000000656f7a0940c5a23655b3896d1258ed38140f9081a3f26f8" +
		"1041415502b4db6434ccd733e2f17441c8b04a6950cf3f67c68503ec73bb0a0a204f40284b1a9e59b5414716d75fadfbcb5c4c2c910fe4a3" +
		"88168dd103c7647cf5b152fe907c70cb6b12ed66f227d920701c9074de89b0da33b883aa8f9e02a38239464de1bc942d9197aa068b3e0177" +
		"1bec542099559c1f8bf2804ecf5791e4634e7c19e80aa5e70573a90ea9bda97492ca7472c9c60a8e63b4d4edec4e6df5c92a1cd7ee3d5ae6" +
		"872dfa2f60de66c303a89e423fefe5a0377860ca557b9f5f70fa6c5fbb70fa28ba376fbfe8fd1a044eb079847c9e8ef7e41bcbdfe3aa8f63" +
		"06b5e1eac7f5a74e9fffc286499b01f933f8ba8fca82bfc9d1497904c1402e46e0cb53a81a87bc45c0713392e42eb583b983783927f472ec" +
		"11a886d0506d80fc0000"
	lzxText = "252000840000430535324300670efb98cebf7c618220b82690c8bf41bf3dabbf00100000502400005003cbff255c8b6021242e58d743c5ae" +
		"bb627f87f0ff00800000000000008700ffff2dffa80189a42658b72fb90c5de52beb852388463ac1c26308aeaa19685b382d61efcfcc775f" +
		"c68cd8f5af945b7c0f5146b8bce5ef018b176c953de11134629be1c6d9c51e4fe5f7943564367d30b44eb251e115f21c223a7fb25501d4a2" +
		"10e6632c736999b7044729cf672d7939135e0ee51dd5d2b908f05bf160312f33360d31eb17ab65d7bfc838a4593533adbef913a99eb8f3ef" +
		"765222b130f7d92718dea37672c9f55bcabaf1a873b59ac9a6f08bddba40f8c6b1855f9e23b8dbc57762ebfe0ec4d41ae7153b68abb891be" +
		"bdf88c0f1f3578ecb6a96f79d20b8bf140fd81a3b608469557f8df85b53c7862b1ac8423fc8f75947e91cfa7bf3cd301af82470bf0034f87" +
		"8acd581850fa5a41434f490c77275f5c4b977aa4946796eac19b1b97fa038d57171c9a3c39a1adcc0016"
	lzxCalls = "192000030000000022003200050747f91537fc4ba69930cc00000000000000200c21f0e77d9fc0f000000000000008001f84b97fc8f735ab" +
		"00b9f9aa80cb000a"
	lzxZeros = "7d2000000000000000000101ff07ffff00e00000000000004204cf19fbbe00e400000000000011003e08e8fbe5cfff3700c0"
)

// xpressZeros is a 0, and a match for the rest whose length has 16 bits.
func xpressZeros() []byte {
	b := make([]byte, xpressLens, xpressLens+7)
	b[0], b[128], b[135] = 1, 2, 0x20
	return append(b, 0, 0x38, 0, 0, 0xff, 0xcb, 7)
}

// calls is code with call instructions to one place.
func calls() []byte {
	b := bytes.Repeat([]byte("\x55\x89\xe5\xe8\x00\x00\x00\x00\x5d\xc3"), 40)
	for i := 3; i < len(b); i += 10 {
		le.PutUint32(b[i+1:], uint32(1000-i))
	}
	return b
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	text := words(1 << 20)[:600]
	for _, c := range []struct {
		name   string
		decode decoder
		in     []byte
		want   []byte
	}{
		{"XPRESS text", XPRESS, unhex(t, xpressText), text},
		{"XPRESS zeros", XPRESS, xpressZeros(), make([]byte, 2000)},
		{"LZX text", LZX, unhex(t, lzxText), text},
		{"LZX calls", LZX, unhex(t, lzxCalls), calls()},
		{"LZX zeros", LZX, unhex(t, lzxZeros), make([]byte, 2000)},
	} {
		out := bytes.Repeat([]byte{0xa5}, len(c.want))
		if err := c.decode(out, c.in); err != nil || !bytes.Equal(out, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		for n := range len(c.in) - 8 { // the last bytes may be unused
			if err := c.decode(out, c.in[:n]); !errors.Is(err, layer.ErrCorrupt) {
				t.Errorf("%s, %d of %d bytes: %v", c.name, n, len(c.in), err)
			}
		}
		if err := c.decode(out, append(bytes.Clone(c.in), 1, 2, 3)); err != nil {
			t.Errorf("%s, bytes after it: %v", c.name, err)
		}
		if err := c.decode(nil, c.in); err != nil {
			t.Errorf("%s, nothing asked: %v", c.name, err)
		}
		if err := c.decode(make([]byte, 1<<16+1), c.in); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s, too much asked: %v", c.name, err)
		}
		if err := c.decode(out, make([]byte, maxInput+1)); !errors.Is(err, layer.ErrCorrupt) {
			t.Errorf("%s, too much given: %v", c.name, err)
		}
	}
	if err := LZX(make([]byte, 700), unhex(t, lzxText)); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("more asked than the chunk has: %v", err)
	}
}

// storedBlock is an uncompressed block of LZX.
func storedBlock(recent [3]uint32, data []byte) []byte {
	head := uint64(lzxUncompressedBlock)<<29 | uint64(len(data))<<12 // 3 bits, a 0, 16 bits, then 12 to the next word
	b := le.AppendUint16(nil, uint16(head>>16))
	b = le.AppendUint16(b, uint16(head))
	for _, r := range recent {
		b = le.AppendUint32(b, r)
	}
	b = append(b, data...)
	return append(b, make([]byte, len(data)%2)...)
}

// A real compressed block after uncompressed ones, of even and odd sizes: wimlib makes none of those.
func TestLZXUncompressed(t *testing.T) {
	text := words(1 << 20)[:600]
	one := [3]uint32{1, 1, 1}
	none := append(storedBlock([3]uint32{0, 1, 1}, text[:2]), unhex(t, lzxZeros)...)
	if err := LZX(make([]byte, 2002), none); !errors.Is(err, layer.ErrCorrupt) {
		t.Errorf("a match from 0 before: %v", err)
	}
	for n := range 40 {
		a, b := text[100:][:1+n], text[200:][:1+n/2]
		in := bytes.Join([][]byte{storedBlock([3]uint32{9, 8, 7}, a), storedBlock(one, b), unhex(t, lzxText)}, nil)
		want := bytes.Join([][]byte{a, b, text}, nil)
		out := make([]byte, len(want))
		if err := LZX(out, in); err != nil || !bytes.Equal(out, want) {
			t.Fatalf("blocks of %d and %d bytes: %v", len(a), len(b), err)
		}
		peer := make([]byte, len(want))
		if err := peerLZX(peer, in); err != nil || !bytes.Equal(out, peer) {
			t.Fatalf("the peer, blocks of %d and %d bytes: %v", len(a), len(b), err)
		}
		last := storedBlock(one, a)
		if err := LZX(out[:len(a)], last[:16+len(a)]); err != nil || !bytes.Equal(out[:len(a)], a) {
			t.Fatalf("without the byte to an even size: %v", err)
		}
		if err := LZX(out[:len(a)], last[:16+n]); !errors.Is(err, layer.ErrCorrupt) {
			t.Fatalf("cut: %v", err)
		}
	}
}

// The limits of what is a call target, by the peer.
func TestLZXCalls(t *testing.T) {
	const fileSize = 12_000_000
	for at := range 47 {
		for _, target := range []int{0, 1, -1, -at - 1, -at, -at + 1, fileSize - 1, fileSize, fileSize + 1, -fileSize, 1<<31 - 1, -1 << 31} {
			data := make([]byte, 52)
			data[at] = 0xe8
			le.PutUint32(data[at+1:], uint32(target))
			in := storedBlock([3]uint32{1, 1, 1}, data)
			out, peer := make([]byte, len(data)), make([]byte, len(data))
			if err := errors.Join(LZX(out, in), peerLZX(peer, in)); err != nil || !bytes.Equal(out, peer) {
				t.Errorf("target %d at %d: %x, the peer has %x, %v", target, at, out, peer, err)
			}
		}
	}
}

func TestHuffman(t *testing.T) {
	long := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16}
	for _, c := range []struct {
		name string
		lens []uint8
		ok   bool
	}{
		{"none", make([]uint8, 8), true}, {"one symbol", []uint8{0, 0, 1}, true}, {"one symbol of two bits", []uint8{0, 2}, true},
		{"two", []uint8{1, 0, 1}, true}, {"long", long, true}, {"full", bytes.Repeat([]uint8{9}, 512), true},
		{"too many", []uint8{1, 1, 1}, false}, {"too many long ones", append(long, 16), false}, {"too few", []uint8{1, 2}, false},
		{"too few long ones", long[:16], false}, {"too many of one bit", bytes.Repeat([]uint8{1}, 512), false},
	} {
		var h huffman
		if ok := h.build(c.lens); ok != c.ok || !ok {
			if ok != c.ok {
				t.Errorf("%s: %v", c.name, ok)
			}
			continue
		}
		code, found := uint64(0), 0
		for l := uint(1); l <= maxCodeLen; l++ { // all codes by the definition of a canonical code
			for s, n := range c.lens {
				if uint(n) == l {
					if e := h.find(code << (64 - l)); e != uint(s)<<entryShift|l {
						t.Errorf("%s: code %0*b gives %d of %d bits, want %d", c.name, l, code, e>>entryShift, e&entryLen, s)
					}
					code, found = code+1, found+1
				}
			}
			code <<= 1
		}
		if e := h.find(1<<64 - 1); found < 2 && e != noCode {
			t.Errorf("%s: a code that is not assigned gives %d", c.name, e)
		}
	}
}
