package content

import (
	"strings"
	"sync"
)

// A Kind is a type of file, by its usual extension in lower case: "docx", "jpg", "txt". "" is a kind that is not known, of
// which no rule but that of changed places speaks.
type Kind string

// Unknown kinds, and texts of no particular format.
const (
	NoKind Kind = ""
	Text   Kind = "txt"
)

// A class is what honest bytes of a kind look like.
type class uint8

const (
	mixed  class = iota // anything: containers, databases
	plain               // no compression
	packed              // compressed: random bytes are honest
	text
)

// A format is what is known of one kind.
type format struct {
	kind  Kind
	exts  string // further extensions, between blanks
	class class
	sig   []sig // any of them; none is a kind without signature
	// head says that the first window is never random, whatever follows it.
	head bool
	// once says that programs write such a file as a whole, and change nothing in place.
	once bool
	// paged says that the check looks at every page, so that what programs put into a page need not be judged by its bytes.
	paged bool
	check func(f *file) finding // nil when the kind has no structure to check
}

// A sig is bytes at an offset; '?' is any byte.
type sig struct {
	off     int
	pattern string
}

// headSize is how much of a file signatures need.
const headSize = 512

func (s sig) in(head []byte) bool {
	if len(head) < s.off+len(s.pattern) {
		return false
	}
	for i := range len(s.pattern) {
		if c := s.pattern[i]; c != '?' && c != head[s.off+i] {
			return false
		}
	}
	return true
}

// strong reports whether the signature alone is enough to believe a kind that no name tells: three bytes that are not zero.
func (s sig) strong() bool {
	return len(s.pattern)-strings.Count(s.pattern, "?")-strings.Count(s.pattern, "\x00") >= 3
}

// signed reports whether head has the signature of the format; true when it has none.
func (f *format) signed(head []byte) bool {
	for _, s := range f.sig {
		if s.in(head) {
			return true
		}
	}
	if f.kind == "tar" && len(head) >= 512 {
		return tarSum(head[:512]) // before POSIX there was no signature
	}
	return len(f.sig) == 0
}

// likely reports whether head has a signature of the format, a short and one that is enough alone.
func (f *format) likely(head []byte) (weak, strong bool) {
	for _, s := range f.sig {
		if s.in(head) {
			weak, strong = true, strong || s.strong()
		}
	}
	return weak, strong
}

// byExt is the formats by extension and kind.
var byExt = sync.OnceValue(func() map[string]*format {
	m := map[string]*format{}
	for i := range formats {
		f := &formats[i]
		m[string(f.kind)] = f
		for _, ext := range strings.Fields(f.exts) {
			m[ext] = f
		}
	}
	return m
})

// formatOf returns what is known of a kind; a format without any rule for those that are not known.
func formatOf(k Kind) *format {
	if f := byExt()[string(k)]; f != nil && k != NoKind {
		return f
	}
	return &format{}
}

// KindOf returns the kind of a file by its name in the older version, and by its first bytes (512 are enough; none are
// allowed). An unknown last extension, as ransomware appends it, is taken off, up to four times: "a.docx.locked" is a docx.
// First bytes that are of another known kind win over a name, for extensions lie; those that tell nothing do not, for they
// may be encrypted. A name that tells nothing is NoKind, whatever the first bytes are: Judge and Compare look at them.
func KindOf(name string, head []byte) Kind {
	f := named(name)
	switch {
	case f == nil:
		return NoKind
	case len(head) == 0 || len(f.sig) > 0 && f.signed(head):
		return f.kind
	}
	if other := sniff(head); other != NoKind && (len(f.sig) > 0 || other != Text) {
		return other
	}
	return f.kind
}

// named returns the format that a name tells; nil when it tells none.
func named(name string) *format {
	name = strings.ToLower(name)
	for range 5 {
		dot := strings.LastIndexByte(name, '.')
		if dot < 0 {
			return nil
		}
		if f := byExt()[name[dot+1:]]; f != nil {
			return f
		}
		name = name[:dot]
	}
	return nil
}

// sniff returns the kind that first bytes tell alone: by a signature that is enough alone, or a text.
func sniff(head []byte) Kind {
	for i := range formats {
		if _, strong := formats[i].likely(head); strong {
			return formats[i].kind
		}
	}
	if len(head) >= 16 && looksText(head) {
		return Text
	}
	return NoKind
}

// Kinds that come in the clothes of a zip file and the like share signature and check.
const (
	zipSig  = "PK\x03\x04"
	oleSig  = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	peSig   = "MZ"
	ebmlSig = "\x1a\x45\xdf\xa3"
)

var (
	zipSigs  = []sig{{0, zipSig}, {0, "PK\x05\x06"}, {0, "PK\x07\x08"}, {0, "PK00PK\x03\x04"}}
	oleSigs  = []sig{{0, oleSig}}
	docSigs  = []sig{{0, oleSig}, {0, "{\\rtf"}, {0, zipSig}, {0, "\xdb\xa5-\x00"}, {0, "\x31\xbe\x00\x00"}}
	xlsSigs  = []sig{{0, oleSig}, {0, "\x09\x08??\x00\x00"}, {0, "\x09\x04??\x00\x00"}, {0, "\x09\x02??\x00\x00"}, {0, "\x09\x00\x04\x00"}, {0, zipSig}}
	elfSigs  = []sig{{0, "\x7fELF"}, {0, "\xcf\xfa\xed\xfe"}, {0, "\xce\xfa\xed\xfe"}, {0, "\xca\xfe\xba\xbe\x00\x00\x00"}}
	ftypSigs = []sig{{4, "ftyp"}, {4, "moov"}, {4, "mdat"}, {4, "wide"}, {4, "free"}, {4, "skip"}, {4, "pnot"}}
	fontSigs = []sig{{0, "\x00\x01\x00\x00\x00"}, {0, "OTTO"}, {0, "true\x00"}, {0, "ttcf"}, {0, "typ1\x00"}}
	mp3Sigs  = []sig{{0, "ID3"}, {0, "\xff\xfb"}, {0, "\xff\xfa"}, {0, "\xff\xf3"}, {0, "\xff\xf2"}, {0, "\xff\xe3"}, {0, "\xff\xfd"}, {0, "RIFF"}}
	tarSigs  = []sig{{257, "ustar"}}
	eseSigs  = []sig{{4, "\xef\xcd\xab\x89"}}
	asfSigs  = []sig{{0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"}}
)

// formats is all that is known, in the order in which signatures are tried.
var formats = []format{
	// Documents.
	{kind: "zip", exts: "jar apk aar war ear xpi vsix nupkg whl epub kmz cbz egg ipa appx msix maff", class: packed, sig: zipSigs, check: checkZip},
	{kind: "docx", exts: "docm dotx dotm", class: packed, sig: append(zipSigs[:1:1], oleSigs...), check: checkOffice},
	{kind: "xlsx", exts: "xlsm xltx xltm xlsb xlam", class: packed, sig: append(zipSigs[:1:1], oleSigs...), check: checkOffice},
	{kind: "pptx", exts: "pptm potx ppsx ppsm sldx", class: packed, sig: append(zipSigs[:1:1], oleSigs...), check: checkOffice},
	{kind: "vsdx", exts: "xps oxps 3mf", class: packed, sig: zipSigs, check: checkZip},
	{kind: "odt", exts: "ott", class: packed, sig: zipSigs, check: checkZip},
	{kind: "ods", exts: "ots", class: packed, sig: zipSigs, check: checkZip},
	{kind: "odp", exts: "otp odg odf odb", class: packed, sig: zipSigs, check: checkZip},
	{kind: "pdf", exts: "ai", class: packed, sig: []sig{{0, "%PDF-"}, {0, "%!PS-Adobe"}}, check: checkPDF},
	{kind: "rtf", class: text, sig: []sig{{0, "{\\rtf"}}},
	{kind: "doc", exts: "dot wiz", class: mixed, sig: docSigs, head: true, check: checkOffice},
	{kind: "xls", exts: "xlt xla", class: mixed, sig: xlsSigs, head: true, check: checkOffice},
	{kind: "ppt", exts: "pot pps", class: mixed, sig: docSigs, head: true, check: checkOffice},
	{kind: "msg", exts: "oft", class: mixed, sig: oleSigs, head: true, check: checkOLE},
	{kind: "msi", exts: "msp mst vsd pub mpp suo wps", class: mixed, sig: oleSigs, head: true, once: true, check: checkOLE},
	{kind: "pst", exts: "ost pab", class: mixed, sig: []sig{{0, "!BDN"}}, head: true, check: checkPST},
	{kind: "one", class: mixed, sig: []sig{{0, "\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d"}}},
	{kind: "ps", exts: "eps epsf", class: mixed, sig: []sig{{0, "%!"}, {0, "\xc5\xd0\xd3\xc6"}, {0, "\x04%!"}}},
	{kind: "djvu", exts: "djv", class: packed, sig: []sig{{0, "AT&TFORM"}}},
	{kind: "chm", class: packed, sig: []sig{{0, "ITSF"}}},
	{kind: "dwg", class: mixed, sig: []sig{{0, "AC10"}, {0, "AC1."}, {0, "AC2."}}},
	// Pictures.
	{kind: "png", exts: "apng", class: packed, sig: []sig{{0, "\x89PNG\r\n\x1a\n"}}, check: checkPNG},
	{kind: "jpg", exts: "jpeg jpe jfif", class: packed, sig: []sig{{0, "\xff\xd8\xff"}}, check: checkJPEG},
	{kind: "gif", class: packed, sig: []sig{{0, "GIF87a"}, {0, "GIF89a"}}, check: checkGIF},
	{kind: "webp", class: packed, sig: []sig{{0, "RIFF????WEBP"}}, check: checkRIFF},
	{kind: "tif", exts: "tiff dng nef arw cr2", class: packed, sig: []sig{{0, "II*\x00"}, {0, "MM\x00*"}, {0, "II+\x00"}, {0, "MM\x00+"}}, check: checkTIFF},
	{kind: "psd", exts: "psb", class: packed, sig: []sig{{0, "8BPS\x00"}}, check: checkPSD},
	{kind: "heic", exts: "heif avif", class: packed, sig: []sig{{4, "ftyphe"}, {4, "ftypmif1"}, {4, "ftypmsf1"}, {4, "ftypavi"}}, check: checkBoxes},
	{kind: "jp2", exts: "j2k jpx", class: packed, sig: []sig{{4, "jP  "}, {0, "\xff\x4f\xff\x51"}}},
	{kind: "ico", exts: "cur", class: mixed, sig: []sig{{0, "\x00\x00\x01\x00"}, {0, "\x00\x00\x02\x00"}}},
	{kind: "bmp", exts: "dib", class: plain, sig: []sig{{0, "BM"}}, check: checkBMP},
	{kind: "xcf", class: packed, sig: []sig{{0, "gimp xcf"}}},
	{kind: "emf", class: mixed, sig: []sig{{40, " EMF"}}},
	{kind: "wmf", class: mixed, sig: []sig{{0, "\xd7\xcd\xc6\x9a"}}},
	{kind: "svgz", class: packed, sig: []sig{{0, "\x1f\x8b"}}, check: checkGzip},
	// Sound and film.
	{kind: "wav", class: mixed, sig: []sig{{0, "RIFF????WAVE"}, {0, "RIFX????WAVE"}, {0, "RF64????WAVE"}}, check: checkRIFF},
	{kind: "avi", class: packed, sig: []sig{{0, "RIFF????AVI "}}, check: checkRIFF},
	{kind: "mp4", exts: "m4a m4v m4b f4v 3gp 3g2", class: packed, sig: ftypSigs, check: checkBoxes},
	{kind: "mov", exts: "qt", class: packed, sig: ftypSigs, check: checkBoxes},
	{kind: "mkv", exts: "mka mks", class: packed, sig: []sig{{0, ebmlSig}}, check: checkEBML},
	{kind: "webm", class: packed, sig: []sig{{0, ebmlSig}}, check: checkEBML},
	{kind: "flac", class: packed, sig: []sig{{0, "fLaC"}}, check: checkFLAC},
	{kind: "ogg", exts: "oga ogv ogx opus spx", class: packed, sig: []sig{{0, "OggS\x00"}}, check: checkOgg},
	{kind: "mp3", class: packed, sig: mp3Sigs, check: checkMP3},
	{kind: "wma", exts: "wmv asf", class: packed, sig: asfSigs},
	{kind: "flv", class: packed, sig: []sig{{0, "FLV\x01"}}},
	{kind: "mpg", exts: "mpeg vob", class: packed, sig: []sig{{0, "\x00\x00\x01\xba"}, {0, "\x00\x00\x01\xb3"}}},
	{kind: "aiff", exts: "aif aifc", class: mixed, sig: []sig{{0, "FORM????AIF"}}},
	{kind: "au", exts: "snd", class: mixed, sig: []sig{{0, ".snd"}}},
	{kind: "mid", exts: "midi", class: mixed, sig: []sig{{0, "MThd\x00\x00\x00\x06"}}},
	// Archives and disks.
	{kind: "7z", class: packed, sig: []sig{{0, "7z\xbc\xaf\x27\x1c"}}, check: check7z},
	{kind: "rar", exts: "cbr", class: packed, sig: []sig{{0, "Rar!\x1a\x07"}}, check: checkRAR},
	{kind: "gz", exts: "tgz", class: packed, sig: []sig{{0, "\x1f\x8b\x08"}}, check: checkGzip},
	{kind: "bz2", exts: "tbz tbz2", class: packed, sig: []sig{{0, "BZh?1AY&SY"}, {0, "BZh?\x17\x72\x45\x38\x50\x90"}}, check: checkBzip2},
	{kind: "xz", exts: "txz", class: packed, sig: []sig{{0, "\xfd7zXZ\x00"}}, check: checkXz},
	{kind: "zst", exts: "zstd tzst", class: packed, sig: []sig{{0, "\x28\xb5\x2f\xfd"}, {0, "?\x2a\x4d\x18"}}, check: checkZstd},
	{kind: "lz4", class: packed, sig: []sig{{0, "\x04\x22\x4d\x18"}, {0, "\x02\x21\x4c\x18"}}},
	{kind: "tar", class: mixed, sig: tarSigs, head: true, once: true, check: checkTar},
	{kind: "cab", class: packed, sig: []sig{{0, "MSCF\x00\x00\x00\x00"}}},
	{kind: "wim", exts: "esd swm", class: packed, sig: []sig{{0, "MSWIM\x00\x00\x00"}}},
	{kind: "a", exts: "lib deb udeb", class: mixed, sig: []sig{{0, "!<arch>\n"}, {0, "!<thin>\n"}}, once: true, check: checkAr},
	{kind: "kdbx", exts: "kdb", class: packed, sig: []sig{{0, "\x03\xd9\xa2\x9a"}}},
	{kind: "lz", class: packed, sig: []sig{{0, "LZIP\x01"}}},
	{kind: "age", class: packed, sig: []sig{{0, "age-encryption.org"}, {0, "-----BEGIN AGE"}}},
	{kind: "gpg", exts: "pgp br brotli lzma lzo", class: packed}, // they look random, and no rule tells more of them
	{kind: "rpm", class: packed, sig: []sig{{0, "\xed\xab\xee\xdb"}}},
	{kind: "jmod", class: packed, sig: []sig{{0, "JM\x01\x00PK"}}, check: checkZip},
	{kind: "iso", exts: "udf", class: mixed, once: true, check: checkISO},
	{kind: "vhdx", exts: "avhdx", class: mixed, sig: []sig{{0, "vhdxfile"}}, head: true, check: checkVHDX},
	{kind: "vmdk", class: mixed, sig: []sig{{0, "KDMV"}, {0, "COWD"}, {0, "# Disk DescriptorFile"}}},
	{kind: "qcow2", class: mixed, sig: []sig{{0, "QFI\xfb"}}, head: true},
	{kind: "e01", class: packed, sig: []sig{{0, "EVF\x09\x0d\x0a\xff\x00"}, {0, "EVF2\x0d\x0a\x81\x00"}}},
	// Data.
	{kind: "sqlite", exts: "sqlite3 db3", class: mixed, sig: []sig{{0, "SQLite format 3\x00"}}, head: true, paged: true, check: checkSQLite},
	{kind: "accdb", exts: "accde", class: mixed, sig: []sig{{4, "Standard ACE DB\x00"}, {4, "Standard Jet DB\x00"}}, paged: true, check: checkJet},
	{kind: "edb", exts: "jtx dit", class: mixed, sig: eseSigs, head: true, paged: true, check: checkESE},
	{kind: "mdb", exts: "mde", class: mixed, sig: []sig{{4, "Standard Jet DB\x00"}, {4, "\xef\xcd\xab\x89"}, {4, "Standard ACE DB\x00"}}, paged: true, check: checkJet},
	{kind: "evtx", class: plain, sig: []sig{{0, "ElfFile\x00"}}, head: true, paged: true, check: checkEVTX},
	{kind: "hive", class: mixed, sig: []sig{{0, "regf"}}, head: true, paged: true, check: checkHive},
	{kind: "cer", exts: "crt der p7b p7s p7m p12 pfx crl cat pem key", class: mixed, sig: []sig{{0, "\x30\x82"}, {0, "\x30\x80"}, {0, "\x30\x81"}, {0, "\x30\x83"}, {0, "-----BEGIN"}}},
	{kind: "lnk", class: mixed, sig: []sig{{0, "L\x00\x00\x00\x01\x14\x02\x00"}}},
	{kind: "mo", exts: "gmo", class: plain, sig: []sig{{0, "\xde\x12\x04\x95"}, {0, "\x95\x04\x12\xde"}}, head: true, check: checkMO},
	{kind: "pyc", exts: "pyo", class: plain, sig: []sig{{2, "\r\n"}}, head: true},
	{kind: "parquet", class: packed, sig: []sig{{0, "PAR1"}}},
	{kind: "pcap", class: mixed, sig: []sig{{0, "\xd4\xc3\xb2\xa1"}, {0, "\xa1\xb2\xc3\xd4"}, {0, "\x4d\x3c\xb2\xa1"}}},
	{kind: "pcapng", class: mixed, sig: []sig{{0, "\x0a\x0d\x0d\x0a"}}},
	{kind: "pdb", class: mixed, sig: []sig{{0, "Microsoft C/C++ MSF"}, {0, "BSJB"}}},
	// Programs and fonts.
	{kind: "exe", exts: "dll sys ocx scr cpl drv ax efi mui pyd node", class: mixed, sig: []sig{{0, peSig}, {0, "\x7fELF"}}, head: true, once: true, check: checkPE},
	{kind: "so", exts: "elf o ko debug", class: mixed, sig: elfSigs, head: true, once: true, check: checkELF},
	{kind: "class", class: plain, sig: []sig{{0, "\xca\xfe\xba\xbe"}}, head: true, check: checkClass},
	{kind: "bc", class: mixed, sig: []sig{{0, "BC\xc0\xde"}, {0, "\xde\xc0\x17\x0b"}}, once: true},
	{kind: "wasm", class: mixed, sig: []sig{{0, "\x00asm"}}, once: true},
	{kind: "ttf", exts: "otf ttc otc", class: mixed, sig: fontSigs, check: checkFont},
	{kind: "woff", class: packed, sig: []sig{{0, "wOFF"}}},
	{kind: "woff2", class: packed, sig: []sig{{0, "wOF2"}}},
	// Texts.
	{kind: "json", exts: "geojson ipynb webmanifest map", class: text, check: checkJSON},
	{kind: "xml", exts: "xsd xsl xslt rng gpx kml plist xaml wsdl resx csproj vcxproj config manifest opml dtd", class: text, check: checkXML},
	{kind: "svg", class: text, check: checkXML},
	{kind: "html", exts: "htm xhtml shtml mht mhtml", class: text},
	{kind: "csv", exts: "tsv", class: text},
	{kind: "eml", exts: "emlx ics vcf vcard mbox ldif", class: text},
	{kind: Text, exts: `text md markdown log ini conf cfg inf reg url rst tex bib srt sub nfo asc sql yaml yml toml properties
		bat cmd ps1 psm1 psd1 vbs sh bash fish zsh csh awk sed tcl lua pl pm pod rb rbs py pyi pyw go mod sum c h cc cpp cxx hh hpp hxx
		inl java kt scala cs vb fs js mjs cjs jsx tsx css scss less php asp aspx jsp swift rs d pas bas asm f90 m4 cmake mk diff patch
		vim el lisp scm hs ml erl jl proto graphql tmpl tpl po pot desktop service rules lst list srt cue m3u m3u8 pls md5 sha1 sha256 sha512`,
		class: text},
}
