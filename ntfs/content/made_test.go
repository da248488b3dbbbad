package content

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// A made file is one of which the test knows that it is whole.
type made struct {
	kind Kind
	b    []byte
	full bool // the check proves every byte
}

// madeFiles makes a small whole file of each kind that has a structure check.
func madeFiles() []made {
	return []made{
		{"zip", madeZip(8), true}, {"docx", madeZip(0), true}, {"odt", madeZip(8), true},
		{"png", madePicture("png"), true}, {"jpg", madePicture("jpg"), true}, {"gif", madePicture("gif"), true},
		{"gz", madeGzip(), true}, {"bz2", madeBzip2(), true}, {"xz", madeXz(), false}, {"zst", madeZstd(), true},
		{"tar", madeTar(), false}, {"a", madeAr(), false}, {"7z", made7z(), false}, {"rar", madeRAR4(), false}, {"rar", madeRAR5(), false},
		{"iso", madeISO(), false}, {"vhdx", madeVHDX(), false},
		{"ogg", madeOgg(), true}, {"flac", madeFLAC(), true}, {"mp3", madeMP3(), false},
		{"wav", madeRIFF("WAVE", "fmt ", "data"), false}, {"avi", madeRIFF("AVI ", "avih", "idx1"), false}, {"webp", madeRIFF("WEBP", "VP8X", "VP8L"), false},
		{"mp4", madeBoxes("moov"), false}, {"mov", madeBoxes("moov"), false}, {"heic", madeBoxes("meta"), false}, {"mkv", madeEBML(), false}, {"webm", madeEBML(), false},
		{"bmp", madeBMP(), false}, {"tif", madeTIFF(), false}, {"psd", madePSD(), false},
		{"ttf", madeFont(), true}, {"exe", madePE(), true}, {"so", madeELF(), false}, {"class", madeClass(), false}, {"mo", madeMO(), false},
		{"pdf", madePDF(), false}, {"xls", madeOLE("Workbook"), false}, {"doc", madeOLE("WordDocument"), false}, {"ppt", madeOLE("PowerPoint Document"), false}, {"msg", madeOLE("__x"), false},
		{"sqlite", madeSQLite(), false}, {"accdb", madeJet(), false}, {"edb", madeESE(3), true}, {"pst", madePST(), false},
		{"evtx", madeEVTX(0), false}, {"hive", madeHive(7), false},
		{"json", []byte(`{"a": [1, 2, {"b": "` + strings.Repeat("c", 5000) + `"}]}`), false},
		{"xml", []byte(`<?xml version="1.0"?><a>` + strings.Repeat("<b>text</b>", 500) + "</a>\n"), false},
		{"svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg">` + strings.Repeat("<g/>", 1000) + "</svg>"), false},
	}
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func u16le(v ...int) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return b
}

func u32le(v ...int) (b []byte) {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func u32be(v ...int) (b []byte) {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, uint32(x))
	}
	return b
}

// put copies at offsets.
func put(b []byte, at int, p []byte) { copy(b[at:], p) }

func madeZip(method uint16) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i, b := range [][]byte{prose(9000), noise(9, 20000), nil} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("word/part%d.xml", i), Method: method})
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func madePicture(kind string) []byte {
	m := image.NewPaletted(image.Rect(0, 0, 160, 160), color.Palette{color.White, color.Black, color.RGBA{200, 10, 10, 255}})
	for i, c := range noise(4, len(m.Pix)) {
		m.Pix[i] = c % 3
	}
	var out bytes.Buffer
	var err error
	switch kind {
	case "png":
		err = png.Encode(&out, m)
	case "jpg":
		err = jpeg.Encode(&out, m, nil)
	case "gif":
		err = gif.EncodeAll(&out, &gif.GIF{Image: []*image.Paletted{m, m}, Delay: []int{1, 1}})
	}
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}

func madeGzip() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(cat(prose(30000), noise(3, 30000)))
	_ = w.Close()
	return out.Bytes()
}

func madeBzip2() []byte {
	b, err := hex.DecodeString(bzip2Sample)
	if err != nil {
		panic(err)
	}
	return b
}

func madeZstd() []byte {
	w, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return w.EncodeAll(cat(prose(30000), noise(3, 30000)), nil)
}

// madeXz is a stream of one block of chunks that are not packed.
func madeXz() []byte {
	head := []byte("\xfd7zXZ\x00\x00\x01")
	out := cat(head, u32le(int(crc32.ChecksumIEEE(head[6:]))))
	block := []byte{2, 0, 0x21, 1, 0x16, 0, 0, 0}
	start := len(out)
	out = cat(out, block, u32le(int(crc32.ChecksumIEEE(block))))
	var plain []byte
	for i := range 4 {
		data := noise(uint64(i), 20000)
		plain = append(plain, data...)
		out = cat(out, []byte{1 + byte(min(i, 1)), byte((len(data) - 1) >> 8), byte(len(data) - 1)}, data)
	}
	out = append(out, 0)
	unpadded := len(out) - start + 4
	for (len(out)-start)%4 != 0 {
		out = append(out, 0)
	}
	out = cat(out, u32le(int(crc32.ChecksumIEEE(plain))))
	index := binary.AppendUvarint(binary.AppendUvarint([]byte{0, 1}, uint64(unpadded)), uint64(len(plain)))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = cat(index, u32le(int(crc32.ChecksumIEEE(index))))
	foot := cat(u32le(len(index)/4-1), []byte{0, 1})
	return cat(out, index, u32le(int(crc32.ChecksumIEEE(foot))), foot, []byte("YZ"))
}

func madeTar() []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := range 5 {
		_ = w.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir/file%d", i), Size: 9000, Mode: 0o644})
		_, _ = w.Write(prose(9000))
	}
	_ = w.Close()
	return out.Bytes()
}

func madeAr() []byte {
	out := []byte("!<arch>\n")
	for i := range 3 {
		out = fmt.Appendf(out, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", fmt.Sprintf("m%d.o/", i), 0, 0, 0, 0o644, 5000)
		out = append(out, prose(5000)...)
	}
	return out
}

func made7z() []byte {
	packed, dir := noise(7, 30000), []byte("\x01\x04\x06 a directory")
	start := cat(u32le(len(packed), 0, len(dir), 0), u32le(int(crc32.ChecksumIEEE(dir))))
	return cat([]byte("7z\xbc\xaf\x27\x1c\x00\x04"), u32le(int(crc32.ChecksumIEEE(start))), start, packed, dir)
}

func madeRAR4() []byte {
	block := func(kind byte, flags int, rest, data []byte) []byte {
		h := cat([]byte{kind}, u16le(flags, 7+len(rest)), rest)
		return cat(u16le(int(crc32.ChecksumIEEE(h))), h, data)
	}
	member := cat(u32le(30000, 30000), make([]byte, 17))
	return cat([]byte("Rar!\x1a\x07\x00"), block(0x73, 0, make([]byte, 6), nil), block(0x74, 0x8000, member, noise(8, 30000)), block(0x7b, 0x4000, nil, nil))
}

func madeRAR5() []byte {
	block := func(kind, flags uint64, data []byte) []byte {
		h := binary.AppendUvarint(binary.AppendUvarint(nil, kind), flags)
		if data != nil {
			h = binary.AppendUvarint(h, uint64(len(data)))
		}
		h = cat(binary.AppendUvarint(nil, uint64(len(h))), h)
		return cat(u32le(int(crc32.ChecksumIEEE(h))), h, data)
	}
	return cat([]byte("Rar!\x1a\x07\x01\x00"), block(1, 0, nil), block(2, 2, noise(8, 30000)), block(5, 0, nil))
}

func madeISO() []byte {
	b := make([]byte, 40*2048)
	put(b, 32768, []byte("\x01CD001\x01"))
	put(b, 32768+80, cat(u32le(40), u32be(40)))
	put(b, 32768+128, u16le(2048))
	put(b, 34816, []byte("\xffCD001\x01"))
	put(b, 36864, prose(40000))
	return b
}

func madeVHDX() []byte {
	const kib = 1 << 10
	b := make([]byte, 512*kib)
	put(b, 0, []byte("vhdxfile"))
	sum := func(at, n int, tag string) {
		put(b, at, []byte(tag))
		put(b, at+4, u32le(int(crc32.Checksum(b[at:at+n], crc32.MakeTable(crc32.Castagnoli)))))
	}
	b[64*kib+8], b[128*kib+8] = 1, 2
	sum(64*kib, 4*kib, "head")
	sum(128*kib, 4*kib, "head")
	for _, at := range []int{192 * kib, 256 * kib} {
		put(b, at+8, u32le(1))
		put(b, at+16+16, u32le(500*kib, 0, 8*kib))
	}
	sum(192*kib, 64*kib, "regi")
	sum(256*kib, 64*kib, "regi")
	put(b, 320*kib, prose(180<<10))
	return b
}

func madeOgg() []byte {
	var out []byte
	for i := range 6 {
		body := noise(uint64(i), 4000)
		table := append(bytes.Repeat([]byte{255}, 15), byte(4000-15*255))
		page := cat([]byte("OggS\x00\x00"), make([]byte, 12), u32le(i, 0), []byte{byte(len(table))}, table, body)
		put(page, 22, u32le(int(crcMSB(0x04c11db7, 32, page))))
		out = append(out, page...)
	}
	return out
}

func madeFLAC() []byte {
	out := cat([]byte("fLaC\x80\x00\x00\x22"), make([]byte, 34))
	for i := range 8 {
		h := []byte{0xff, 0xf8, 0xc9, 0x18, byte(i)}
		h = append(h, byte(crcMSB(0x07, 8, h)))
		frame := cat(h, noise(uint64(i), 3000))
		sum := crcMSB(0x8005, 16, frame)
		out = cat(out, frame, []byte{byte(sum >> 8), byte(sum)})
	}
	return out
}

func madeMP3() []byte {
	out := []byte("ID3\x04\x00\x00\x00\x00\x00\x0a0123456789")
	for i := range 60 {
		h := []byte{0xff, 0xfb, 0x90, 0}
		out = cat(out, h, noise(uint64(i), int(mp3Frame(h))-4))
	}
	return append(out, "TAG the end"...)
}

func madeRIFF(form, first, last string) []byte {
	chunk := func(name string, b []byte) []byte { return cat([]byte(name), u32le(len(b)), b) }
	var list []byte
	for i := range 10 {
		list = append(list, chunk("00dc", noise(uint64(i), 3000))...)
	}
	body := cat([]byte(form), chunk(first, make([]byte, 16)), chunk("LIST", append([]byte("movi"), list...)), chunk(last, prose(4000)))
	return cat([]byte("RIFF"), u32le(len(body)), body)
}

func madeBoxes(index string) []byte {
	box := func(name string, b []byte) []byte { return cat(u32be(8+len(b)), []byte(name), b) }
	brand := "isom"
	if index == "meta" {
		brand = "heic"
	}
	return cat(box("ftyp", []byte(brand+"\x00\x00\x00\x00isom")),
		box(index, box("trak", box("mdia", box("minf", box("stbl", box("stsz", make([]byte, 4000))))))), box("mdat", noise(6, 60000)))
}

func madeEBML() []byte {
	element := func(id string, b []byte) []byte {
		return cat([]byte(id), []byte{0x10 | byte(len(b)>>24), byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b))}, b)
	}
	out := cat(element(ebmlSig, []byte("\x42\x82\x84webm")), []byte("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"), element("\x16\x54\xae\x6b", make([]byte, 100)))
	for i := range 4 {
		var blocks []byte
		for j := range 5 {
			blocks = append(blocks, element("\xa3", noise(uint64(i*5+j), 3000))...)
		}
		out = append(out, element("\x1f\x43\xb6\x75", cat(element("\xe7", []byte{byte(i)}), blocks))...)
	}
	return out
}

func madeBMP() []byte {
	return cat([]byte("BM"), u32le(54+120*100*3, 0, 54, 40, 120, 100), u16le(1, 24), make([]byte, 24), prose(120*100*3))
}

func madeTIFF() []byte {
	entry := func(tag, kind, n, v int) []byte { return cat(u16le(tag, kind), u32le(n, v)) }
	return cat([]byte("II*\x00"), u32le(8), u16le(3), entry(256, 4, 1, 100), entry(273, 4, 2, 50), entry(279, 4, 2, 58), u32le(0), u32le(66, 20066), u32le(20000, 20000), noise(5, 40000))
}

func madePSD() []byte {
	return cat([]byte("8BPS\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03"), u32be(80, 80), []byte("\x00\x08\x00\x03"),
		u32be(0), u32be(12), []byte("8BIM\x03\xed\x00\x00\x00\x00\x00\x00"), u32be(20000), noise(5, 20000), []byte{0, 0}, noise(6, 80*80*3))
}

// bzip2Sample is 1,200 letters, packed by bzip2.
const bzip2Sample = "" +
	"425a68393141592653598fdb518800006981803ffffff04003174dd807366edb8c8fd34a7a7ea49e683469a8454fd001a3298d050c9fa9e86104d1ea" +
	"9ed4da8553f04984d3649e824a799971337083b18d644b6fde2f27461da311a5966057e944839eb9a315a51679beaf24b161ae038ac521d3ebb97b54" +
	"b842cdb355a4a2c2d55e547328b66e0dec3139e6c12f0fcc4a599d953b88df16d2a6a1cdf444d491e470abe31a5c70953d3699abaec71a8e78190774" +
	"61fbcee3566b2cdaa0781ea2a64c59133d3512a54a95f7e5f8b350155aac8bd67c37b05d5ca53b58205b7db223fb2b2c2d4c9dd699c486b687a44071" +
	"a1c7406664529ee0f576c1e85263a72b5e91cec6052cbd374e1469f79825afbc2dad7a68c7caa316dbde03caa4d1d770c2df711e5407e0bef6edf50f" +
	"1a8aef1e64a33441b7494fb8bd7204d2395f5758c1ed65a1cb866f92e38526e02cea5f610987c15d4a10864692ad8f9560403aa9dfad27389f16b011" +
	"4189895fdf6bd211f62beb2c284fa3cb1c874eb74118e5de8cfe4b6e3a3a094e9c4240be62cb8dc4d66d561532ef3c9c49a91f65e1863373e501b1b7" +
	"9f6c3d258508192e764efbee695f450d85770f8dbd953b212c4c8c29183f7a8553146f2f49cd8132d3c13523d58e9ec4fed8aba79820749c6b8b9d5b" +
	"986aa873e13f9d8f96f8e43391875eae7072759330a70dd350a28cf67a9a914f1d00ee3644d51e3b400a870757859d1f1ebefb8d6173317d99dc334f" +
	"bb15f78e5f69bcab2acf53f73d2f9685fe8cd7568d01d7064e0633b8b1117650819f02bebf7d2e69cd914e8f31a2c26036127e3df3d9df231f1f36b8" +
	"e39cde4e06eaca19132bf60f2245d3ca81e3e93ee51f9baf5f5ab774f4f7e0bc1584e5ccf3af81b7ca66e4163afb3d913bca03822cfb70aa78acaffb" +
	"7cce00dbb6a070c05110f8fbdc8f9c4ab456187124a77b8b5a69ab3d63ebce9df5dff87e8cdf6250ad72d763b43255cc6dd82e925a6f5337880cf94a" +
	"44f3511755600bd3b93e174b0d7c5927256d610b638cd21e4dd038692b138ea86a0f36f3cad1d04010e00a5b50d8f6d17e6f1543b7c2ee48a70a1211" +
	"fb6a3100"

// random1 is a source of bytes that is the same in each run.
func random1() *rand.Rand { return rand.New(rand.NewPCG(1, 1)) }

// zeroed returns a copy with n zeros at an offset.
func zeroed(b []byte, at, n int) []byte {
	b = bytes.Clone(b)
	clear(b[at : at+n])
	return b
}

// bomb unpacks to a hundred megabytes.
func bomb() []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	for range 100 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	return out.Bytes()
}

// madeSecretZip has members that are marked as encrypted.
func madeSecretZip() []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := range 3 {
		b := noise(uint64(i), 30000)
		w, err := z.CreateRaw(&zip.FileHeader{Name: fmt.Sprintf("secret%d", i), Flags: 1, Method: 8, CompressedSize64: uint64(len(b)), UncompressedSize64: 50000})
		if err == nil {
			_, err = w.Write(b)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = z.Close()
	return out.Bytes()
}

// pictures replaces pages of a database by such as hold a long value: a link to the next, and bytes that look random.
func pictures(b []byte) []byte {
	for page := 4; page < 12; page++ {
		put(b, 4096*page, cat(u32be(0), noise(uint64(page), 4092)))
	}
	return b
}
