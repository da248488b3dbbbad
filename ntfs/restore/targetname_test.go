package restore

import "testing"

func TestTargetNamesOfWindows(t *testing.T) {
	for _, path := range []string{
		"CON", "con.txt", "nul", `found\AUX`, `C:\prn`, "C:nul", "D:/x/Com1.log", "COM¹", "lpt³.x", "COM0", "conin$", "CONOUT$", "NUL .txt", `a\CON\b`,
		"x.", "x ", `a.\b`, "ab:c", `C:\a:b`, "a?b", "a*", `a"b`, "a|b", "a<b", "a\x01", `\\.\PhysicalDrive0`, "//./COM1", `\\server\share\nul`, `C:\x\...`,
	} {
		if checkWindows(path) == nil {
			t.Errorf("%q is taken", path)
		}
	}
	for _, path := range []string{
		"", ".", "..", "found", `..\found`, `C:\found`, "C:found", "C:", `C:\`, "d:/a/b c/", `\\server\share\found`, `\\server\share`, `\\nul\x\y`, `\\?\C:\con`,
		"console", "com", "com10", "COM1x", "nullify.txt", "lpt", "a.b.c", ".hidden", "ä ö", "100%", "it's", "x.con", "-",
	} {
		if err := checkWindows(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}
