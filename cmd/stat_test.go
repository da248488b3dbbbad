package cmd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

func TestStatMetadata(t *testing.T) {
	image := testenv.Shared(t, "data", "vsstest.qcow2")
	code, out, errs := run("stat", image+":/password.txt")
	const sddl = "O:S-1-5-21-4060289323-199701022-3924801681-1000G:S-1-5-21-4060289323-199701022-3924801681-513" +
		"D:P(A;;0x1f019f;;;S-1-5-21-4060289323-199701022-3924801681-1000)(A;;FR;;;S-1-5-21-4060289323-199701022-3924801681-513)(A;;FR;;;WD)(A;;FA;;;BA)(A;;FA;;;SY)(A;;0x1301bf;;;AU)(A;;0x1200a9;;;BU)"
	want := `(?m)^name +password.txt in 5-5 \(Win32 and DOS\)\nname times +modified 2013-12-03T06:38:53.7839722Z, .*\n` +
		`owner +S-1-5-21-4060289323-199701022-3924801681-1000\nsecurity +` + regexp.QuoteMeta(sddl) + `\nsecurity id +0x106\n`
	if code != 0 || errs != "" || !regexp.MustCompile(want).MatchString(out) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	_, out, _ = run("stat", "--json", image+":/password.txt")
	var s map[string]any
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	names := s["names"].([]any)[0].(map[string]any)
	if s["path"] != "/password.txt" || s["sddl"] != sddl || s["security_id"] != float64(0x106) || s["usn"] != 0.0 || s["links"] != 1.0 || s["error"] != nil ||
		s["owner"] != "S-1-5-21-4060289323-199701022-3924801681-1000" || names["parent"] != "5-5" || names["btime"] != "2013-12-03T06:38:53.7839722Z" {
		t.Errorf("%s", out)
	}
}

// TestStatDamage says what cannot be read, and shows the rest.
func TestStatDamage(t *testing.T) {
	image := testenv.Gunzip(t, testenv.Shared(t, "data", "ntfs-ramslack.raw.gz"))
	f, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const volume = 128 * 512
	le := binary.LittleEndian
	boot, record := make([]byte, 512), make([]byte, 1024)
	if _, err := f.ReadAt(boot, volume); err != nil {
		t.Fatal(err)
	}
	at := volume + int64(le.Uint64(boot[0x30:]))*int64(boot[0x0d])*512 + 9*1024 // $Secure
	if _, err := f.ReadAt(record, at); err != nil {
		t.Fatal(err)
	}
	name := bytes.Index(record, []byte("$\x00S\x00D\x00S\x00"))
	if name < 0 {
		t.Fatal("$Secure is not where it should be")
	}
	if _, err := f.WriteAt([]byte{'X'}, at+int64(name)+2); err != nil {
		t.Fatal(err)
	}
	code, out, _ := run("stat", image+":/System Volume Information")
	if code != exitPartial || !regexp.MustCompile(`(?m)^error +.*security descriptor 0x[0-9a-f]+: .*\$Secure`).MatchString(out) || !strings.Contains(out, "kind ") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
