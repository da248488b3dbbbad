package cmd

import (
	"context"
	"errors"
	"strings"
	"testing"

	"snapmount/mount/points"
	"snapmount/mount/serve"
)

// TestMap maps what is served to a drive that is none, and ends.
func TestMap(t *testing.T) {
	if code, _, errs := run("map", demo(t)); code != exitRefused || !strings.Contains(errs, "snapmount mount ") {
		t.Errorf("elsewhere than on Windows: exit code %d, %s", code, errs)
	}
	set, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	for name, c := range map[string]struct {
		add, cancel       error
		out, errs, failed string
	}{
		"good":     {nil, nil, "drive Q: until Ctrl-C; Windows reads no file over 47.7 MiB", "", ""},
		"refused":  {errors.New("bad password"), nil, "", "snapmount: reg add\n", "mount refused: the drive: bad password"},
		"it stays": {nil, errors.New("in use"), "drive Q:", "", "drive Q: stays (in use): net use Q: /delete"},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := serve.Listen(set, serve.Options{Listen: "127.0.0.1:0", WebDAV: true})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancelled := ""
			m := &mapper{drive: "Q:", blocks: func() []string { return []string{"reg add"} }, limit: func() int64 { return 50_000_000 },
				add: func(drive, host, path, user, password string) (string, error) {
					if !strings.HasPrefix(host, "127.0.0.1:") || path != "/dav/" || user == "" || password != server.Token() || drive != "Q:" {
						t.Errorf("%s, %s, %s, %s", drive, host, path, user)
					}
					cancel() // as Ctrl-C does
					return drive, c.add
				},
				cancel: func(drive string) error { cancelled = drive; return c.cancel }}
			v := &serveFlags{beside: m.run}
			var out, errs strings.Builder
			err = v.serveAll(ctx, server, &out, &errs)
			if got := errorText(err); !strings.Contains(out.String(), c.out) || errs.String() != c.errs || !strings.HasPrefix(got, c.failed) || (got == "") != (c.failed == "") {
				t.Errorf("%q, %q, %q", out.String(), errs.String(), got)
			}
			if (cancelled == "Q:") != (c.add == nil) {
				t.Errorf("unmapped %q", cancelled)
			}
			if strings.Contains(out.String()+errs.String(), server.Token()) {
				t.Error("the token is printed")
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
