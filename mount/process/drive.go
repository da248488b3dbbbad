package process

import (
	"fmt"
	"net"
	"strings"
)

// shareOf names what is below a path of an HTTP server as Windows names shares.
func shareOf(host, path string) (string, error) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return "", err
	}
	if strings.Contains(name, ":") { // Windows has no colon in the name of a server
		return "", fmt.Errorf("%s: is an address that no share can have, want one of IPv4", host)
	}
	return `\\` + name + "@" + port + `\DavWWWRoot\` + strings.Trim(strings.ReplaceAll(path, "/", `\`), `\`), nil
}

// freeLetter is the last letter that no drive has, by a bit for each from A on.
func freeLetter(used uint32) (string, error) {
	for i := 25; i >= 3; i-- { // A and B are floppies to many programs, and C is never free
		if used&(1<<i) == 0 {
			return string(rune('A'+i)) + ":", nil
		}
	}
	return "", fmt.Errorf("no drive letter is free")
}

// CheckDrive says what is wrong with the letter of a drive, empty for any that is free.
func CheckDrive(drive string) error {
	if drive == "" || len(drive) == 2 && drive[1] == ':' && (drive[0]|0x20) >= 'a' && (drive[0]|0x20) <= 'z' {
		return nil
	}
	return fmt.Errorf("%q: want a letter and a colon (S:)", drive)
}

// webClient is what Windows tells of its client of WebDAV. Numbers are -1 where they are not set.
type webClient struct {
	there, disabled bool
	basic           int64 // BasicAuthLevel; 2 sends passwords without encryption too
	limit           int64 // FileSizeLimitInBytes
}

const (
	webClientKey = `SYSTEM\CurrentControlSet\Services\WebClient`
	usualBasic   = 1
	usualLimit   = 50_000_000
)

// blocks says, in lines, what has to change before a drive can be mapped; nothing where nothing has.
func (w webClient) blocks() (lines []string) {
	if !w.there {
		return []string{"this Windows has no WebClient, the service that maps such drives: servers have it as the feature WebDAV-Redirector, and Windows 11 as an optional one"}
	}
	if w.disabled {
		lines = append(lines, "the service WebClient, which maps such drives, is disabled: as administrator: sc config WebClient start= demand")
	}
	basic := w.basic
	if basic < 0 {
		basic = usualBasic
	}
	if basic < 2 {
		lines = append(lines, "Windows sends no password over plain http, to this machine neither, until an administrator lets it:",
			`  reg add HKLM\`+webClientKey+`\Parameters /v BasicAuthLevel /t REG_DWORD /d 2 /f`,
			"  net stop WebClient",
			"  net start WebClient")
	}
	return lines
}

// largest is how large a file may be that the drive gives, in bytes.
func (w webClient) largest() int64 {
	if w.limit < 0 {
		return usualLimit
	}
	return w.limit
}
