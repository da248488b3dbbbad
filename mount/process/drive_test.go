package process

import (
	"strings"
	"testing"
)

func TestDrive(t *testing.T) {
	for host, want := range map[string]string{"127.0.0.1:4711": `\\127.0.0.1@4711\DavWWWRoot\dav`, "localhost:80": `\\localhost@80\DavWWWRoot\dav`, "[::1]:80": "", "localhost": ""} {
		if got, err := shareOf(host, "/dav/"); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %s, %v, want %s", host, got, err, want)
		}
	}
	for used, want := range map[uint32]string{0: "Z:", 1 << 25: "Y:", 1<<26 - 1: "", 1<<26 - 1 - 8: "D:", 1<<26 - 1 - 4: ""} {
		if got, err := freeLetter(used); got != want || (err == nil) != (want != "") {
			t.Errorf("%x: %s, %v, want %s", used, got, err, want)
		}
	}
	for drive, ok := range map[string]bool{"": true, "S:": true, "s:": true, "S": false, "SS:": false, "1:": false, `S:\`: false, "@:": false, "[:": false} {
		if err := CheckDrive(drive); (err == nil) != ok {
			t.Errorf("%q: %v", drive, err)
		}
	}
}

func TestWebClient(t *testing.T) {
	for _, c := range []struct {
		w    webClient
		want string // of the lines; empty is none
	}{
		{webClient{there: true, basic: 2, limit: -1}, ""},
		{webClient{basic: 2}, "no WebClient"},
		{webClient{there: true, basic: -1}, "reg add"},
		{webClient{there: true, basic: 1}, "BasicAuthLevel"},
		{webClient{there: true, disabled: true, basic: 2}, "sc config WebClient"},
	} {
		if got := strings.Join(c.w.blocks(), "\n"); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c.w, got)
		}
	}
	if (webClient{limit: -1}).largest() != usualLimit || (webClient{limit: 1 << 32}).largest() != 1<<32 {
		t.Error("the largest file is another one")
	}
}
