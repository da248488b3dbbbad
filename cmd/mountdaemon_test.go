package cmd

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestLogLevels(t *testing.T) {
	place := filepath.Join(t.TempDir(), "log")
	for _, c := range []struct {
		log    logFlags
		daemon bool
		want   string // of D, I, W, E
	}{
		{logFlags{}, false, "WE"}, {logFlags{level: "info"}, false, "IWE"}, {logFlags{file: place}, false, "IWE"},
		{logFlags{file: place, level: "error"}, true, "E"}, {logFlags{file: place, level: "debug"}, true, "DIWE"},
	} {
		os.Remove(place)
		var out bytes.Buffer
		e, err := c.log.open([]string{"mnt"}, c.daemon, &out)
		if err != nil {
			t.Fatal(err)
		}
		e.Debug("D")
		e.Info("I")
		e.Warn("W")
		e.Error("E")
		e.Close()
		b := out.Bytes()
		if c.log.file != "" {
			b, _ = os.ReadFile(place)
		}
		got := ""
		for _, level := range []string{"D", "I", "W", "E"} {
			if bytes.Contains(b, []byte("msg="+level)) {
				got += level
			}
		}
		if got != c.want || e.Place != c.log.file {
			t.Errorf("%+v: levels %s, want %s, place %q", c.log, got, c.want, e.Place)
		}
	}
	for _, level := range []string{"loud", "warn+3"} {
		var usage usageError
		if _, err := (&logFlags{level: level}).open([]string{"mnt"}, false, io.Discard); !errors.As(err, &usage) {
			t.Errorf("%s: %v", level, err)
		}
	}
}
