package cmd

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"snapmount/imagefmt/layer/testenv"
	"snapmount/mount"
	"snapmount/mount/points"
	"snapmount/mount/tree"
)

// sambaMount mounts the demo for Samba.
func sambaMount(t *testing.T, opts mount.Options) string {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIPPED: mounts do not work here: %v", err)
	} else {
		f.Close()
	}
	s, err := points.Open(t.Context(), []string{demo(t)}, points.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	dir := filepath.Join(t.TempDir(), "snap")
	m, err := mount.Mount(dir, s, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 50 { // smbd may take a moment to leave
			if err = m.Unmount(); err == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Error(err, m.Detach())
	})
	return dir
}

// samba serves the shares of a mount until the test ends, and returns what smbclient is started with.
func samba(t *testing.T, dir string) func(share, commands string) string {
	t.Helper()
	smbd, client := testenv.Peer(t, "smbd"), testenv.Peer(t, "smbclient")
	built := testenv.Run(t, smbd, "-b")
	if m := regexp.MustCompile(`MODULESDIR: (\S+)`).FindSubmatch(built); m != nil {
		if _, err := os.Stat(filepath.Join(string(m[1]), "vfs", "streams_xattr.so")); err != nil {
			t.Skipf("SKIPPED: smbd has no modules: %v", err)
		}
	}
	code, shares, errs := run("samba-conf", dir)
	if code != 0 {
		t.Fatalf("samba-conf: %d %s", code, errs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	at := t.TempDir()
	conf := "[global]\n  server min protocol = SMB2\n  map to guest = bad user\n  guest account = root\n  guest ok = yes\n  bind interfaces only = yes\n" +
		"  interfaces = 127.0.0.1\n  smb ports = " + port + "\n  load printers = no\n  disable spoolss = yes\n  log file = " + at + "/log\n"
	for _, d := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		conf += fmt.Sprintf("  %s = %s\n", d, at)
	}
	file := filepath.Join(at, "smb.conf")
	if err := os.WriteFile(file, []byte(conf+shares), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(smbd, "--foreground", "--no-process-group", "--configfile="+file)
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-daemon.Process.Pid, syscall.SIGTERM)
		_ = daemon.Wait()
	})
	ask := func(share, commands string) string {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, client, "-N", "-p", port, "--option=client min protocol=SMB2", "//127.0.0.1/"+share, "-c", commands)
		c.Dir, c.Env = at, append(os.Environ(), "TZ=UTC")
		out, _ := c.CombinedOutput()
		return string(out)
	}
	for range 100 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			return ask
		}
		time.Sleep(100 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(at, "log"))
	t.Fatalf("smbd does not answer\n%s", log)
	return nil
}

// TestSamba asks smbd, set up by samba-conf, for previous versions, deleted files, attributes, times of creation and streams.
func TestSamba(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: smbd takes root")
	}
	dir := sambaMount(t, mount.Options{View: tree.View{Time: tree.TimeSamba}})
	ask := samba(t, dir)
	at := t.TempDir()
	get := func(share, name string) []byte {
		t.Helper()
		local := filepath.Join(at, "x")
		os.Remove(local)
		out := ask(share, fmt.Sprintf("get %q %s", name, local))
		b, err := os.ReadFile(local)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		return b
	}
	out := ask("p1-Documents", `allinfo \Letters\offer.txt`)
	for _, want := range []string{`@GMT-2026\.03\.02-18\.00\.00`, `@GMT-2026\.03\.03-18\.00\.00`, `stream: \[:author:\$DATA\], \d+ bytes`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("offer.txt has no %s:\n%s", want, out)
		}
	}
	for point, name := range map[string]string{"vss1": `\@GMT-2026.03.02-18.00.00\Letters\offer.txt`, "vss2": `\@GMT-2026.03.03-18.00.00\Letters\offer.txt`, "current": `\Letters\offer.txt`} {
		_, want, _ := run("cat", demo(t)+":p1@"+point+":/Letters/offer.txt")
		if got := get("p1-Documents", name); string(got) != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	_, want, _ := run("cat", demo(t)+":p1@current:/Letters/offer.txt:author")
	if got := get("p1-Documents", `\Letters\offer.txt:author`); string(got) != want || want == "" {
		t.Errorf("the stream: %q, want %q", got, want)
	}
	if out := ask("p2-Archive", `ls \@GMT-2026.03.02-18.00.00\2024\*`); !regexp.MustCompile(`ledger\.txt +A +64000`).MatchString(out) {
		t.Errorf("a folder that is gone:\n%s", out)
	}
	_, want, _ = run("cat", demo(t)+":p1@vss1:/Projects/budget.csv")
	if got := get("p1-Documents", `\@GMT-2026.03.02-18.00.00\Projects\budget.csv`); string(got) != want || want == "" {
		t.Errorf("a deleted file: %d bytes, want %d", len(got), len(want))
	}
	sambaAttributes(t, ask)
}

// sambaAttributes compares what smbclient shows of every file with what stat tells.
func sambaAttributes(t *testing.T, ask func(share, commands string) string) {
	t.Helper()
	for _, name := range []string{"Letters/offer.txt", "Projects", "Projects/plan.txt"} {
		code, out, errs := run("stat", "--json", "--tz", "utc", demo(t)+":p1:/"+name)
		if code != 0 {
			t.Fatal(errs)
		}
		created := regexp.MustCompile(`"btime":"([^"]*)"`).FindStringSubmatch(out)
		info := ask("p1-Documents", `allinfo "`+strings.ReplaceAll(name, "/", `\`)+`"`)
		when, err := time.Parse(time.RFC3339Nano, created[1])
		if err != nil {
			t.Fatal(err)
		}
		if want := "create_time:    " + when.Format("Mon Jan _2 15:04:05 2006 UTC"); !strings.Contains(info, want) {
			t.Errorf("%s: want %q in\n%s", name, want, info)
		}
	}
}

// TestDOSAttribute has Samba's own library read the attribute, and sums what all names of it are.
func TestDOSAttribute(t *testing.T) {
	python := "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import samba").Run(); err != nil {
		t.Skip("SKIPPED: python3-samba is not installed")
	}
	dir := sambaMount(t, mount.Options{View: tree.View{Time: tree.TimeSamba}})
	script := `import sys, os
from samba.dcerpc import xattr
from samba.ndr import ndr_unpack
for name in sys.argv[1:]:
    d = ndr_unpack(xattr.DOSATTRIB, os.getxattr(name, "user.DOSATTRIB"))
    print(d.version, d.info.valid_flags, "%08x" % d.info.attrib, d.info.create_time)`
	file := filepath.Join(dir, "p1-Documents", "current", "Letters", "offer.txt")
	out, err := exec.Command(python, "-c", script, file, filepath.Dir(file)).CombinedOutput()
	if err != nil || !regexp.MustCompile(`^3 17 00000020 \d{18}\n3 17 00000030 \d{18}\n$`).Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
	b := make([]byte, 1000)
	n, err := syscall.Getxattr(file, "user.DosStream.author:$DATA", b)
	_, want, _ := run("cat", demo(t)+":p1:/Letters/offer.txt:author")
	if err != nil || string(b[:max(n, 0)]) != want+"\x00" {
		t.Errorf("the stream: %q, %v", b[:max(n, 0)], err)
	}
	if n, err = syscall.Listxattr(file, b); err != nil || !bytes.Contains(b[:n], []byte("user.DosStream.author:$DATA\x00")) || bytes.Contains(b[:n], []byte("user.author")) {
		t.Errorf("listed are %q, %v", b[:max(n, 0)], err)
	}
}

// TestSambaConfErrors has mounts that Samba would show nothing of, and what is none.
func TestSambaConfErrors(t *testing.T) {
	dir := sambaMount(t, mount.Options{})
	for arg, want := range map[string]string{
		dir:                              "mount it with --time-format samba",
		t.TempDir():                      "is no mount of snapmount",
		"/no/such":                       "is no mount of snapmount",
		"/a%b":                           "mount elsewhere",
		filepath.Join(dir, "README.txt"): "",
	} {
		code, out, errs := run("samba-conf", arg)
		if code == 0 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %q %q, want %q", arg, code, out, errs, want)
		}
	}
}
