package vmdk

import "testing"

func TestIsDescriptor(t *testing.T) {
	for text, want := range map[string]bool{
		"# Disk DescriptorFile\nversion=1\n":                                                         true,
		"#Disk DescriptorFile\r\nversion=1\r\n":                                                      true,
		"# Description file created by VMDK stream converter\nversion=1\n# x\nCID=1\n":               true,
		"version = 1\ncreateType=\"custom\"\n":                                                       true,
		"\xef\xbb\xbf# made by hand\nVersion=1\nCreateType=\"vmfs\"\n":                               true,
		"\xff\xfev\x00e\x00r\x00s\x00i\x00o\x00n\x00=\x001\x00\n\x00C\x00I\x00D\x00=\x001\x00\n\x00": true,
		"version=1\n":                    false, // of anything
		"CID=1\ncreateType=\"custom\"\n": false,
		"":                               false,
		"\x00version=1\nCID=1\n":         false,
	} {
		if got := isDescriptor(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestInUTF8(t *testing.T) {
	for _, c := range []struct{ name, label, better, other string }{
		{"\xbb\xe1\xbc\xc6.vmdk", "GBK", "会计.vmdk", "\xbb\xe1\xbc\xc6.vmdk"},
		{"B\xfcro \x96 M\xe4rz", "windows-1252", "Büro – März", "B\xfcro \x96 M\xe4rz"},
		{"\xc4\xf3\xf0", "windows-1251", "Дур", "\xc4\xf3\xf0"},
		{"\x89\xef\x8cv", "Shift_JIS", "会計", "\x89\xef\x8cv"},
		{"\x89\xef\x8cv", "cp932", "会計", "\x89\xef\x8cv"},
		{"\xc8\xb8\xb0\xe8", "EUC-KR", "회계", "\xc8\xb8\xb0\xe8"},
		{"\xb7|\xadp", "Big5", "會計", "\xb7|\xadp"},
		{"\xe8", "cp1250", "č", "\xe8"},
		{"Büro", "windows-1252", "Büro", "BÃ¼ro"}, // the label is wrong
		{"Büro", "UTF-8", "Büro", ""},
		{"plain", "GBK", "plain", ""},
		{"B\xfcro", "klingon", "B\xfcro", ""},
		{"B\xfcro", "", "B\xfcro", ""},
	} {
		if better, other := inUTF8(c.name, encodingOf(c.label)); better != c.better || other != c.other {
			t.Errorf("%q in %s: %q and %q, want %q and %q", c.name, c.label, better, other, c.better, c.other)
		}
	}
}

func FuzzDescriptor(f *testing.F) {
	f.Add("# Disk DescriptorFile\nversion=1\nencoding=\"GBK\"\nCID=1\nRW 1 FLAT \"\xbb\xe1\" 0\n")
	f.Add("\xff\xfev\x00")
	f.Fuzz(func(t *testing.T, text string) {
		isDescriptor(text)
		if d, err := parseDescriptor(text, 0); err == nil && len(d.lines) > len(text) {
			t.Errorf("%d extents of %d bytes", len(d.lines), len(text))
		}
	})
}
