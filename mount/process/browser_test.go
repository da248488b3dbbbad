package process

import (
	"slices"
	"testing"
)

func TestBrowser(t *testing.T) {
	const at = "http://127.0.0.1:1/?token=a&b"
	for system, want := range map[string][]string{
		"linux": {"xdg-open", at}, "freebsd": {"xdg-open", at}, "darwin": {"open", at}, "windows": {"rundll32", "url.dll,FileProtocolHandler", at},
	} {
		if got := browser(system, at); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", system, got, want)
		}
	}
}
