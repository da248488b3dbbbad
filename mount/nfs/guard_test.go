package nfs_test

import (
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"snapmount/mount/nfs"
	"snapmount/mount/tree"
)

const denied = status(13)

// startMount starts a server of one mount, of user 1000.
func startMount(t testing.TB, m nfs.Mount) *server {
	t.Helper()
	m.UID, m.GID, m.Name = 1000, 1000, "demo.qcow2"
	if m.Mode == nil {
		m.Mode = func(tree.Node) fs.FileMode { return 0o700 }
	}
	return startAs(t, open(t, demo(t)), tree.Options{Server: "about"}, func(files *tree.FS, warn func(error)) *nfs.Server {
		return nfs.NewMount(files, m, warn)
	})
}

// mounted is a client that has what the kernel has of a mount.
func mounted(t testing.TB, v *server) *client {
	t.Helper()
	c := connect(t, v)
	a, err := c.call(100005, 1, message(v.Path()))
	if err != nil {
		t.Fatal(err)
	}
	c.root = a.text()
	return c
}

// TestMountOnce is of who sees the path in a list of processes or of mounts, and reaches the port.
func TestMountOnce(t *testing.T) {
	v := startMount(t, nfs.Mount{})
	other := connect(t, v)
	for _, path := range []string{"/", "", "/p1-Documents", v.Path() + "x", v.Path()[:len(v.Path())-1], "/" + strings.Repeat("x", 100)} {
		if _, err := other.call(100005, 1, message(path)); err != denied {
			t.Errorf("%q: %v", path, err)
		}
	}
	if a, err := other.exchange(record(head(7, 100005, 3, 5, 0))); err != nil || len(a.b) != 28 || a.b[27] != 0 {
		t.Errorf("the list of what can be mounted: %+v, %v", a, err)
	}
	c := mounted(t, v)
	if _, err := other.call(100005, 1, message(v.Path())); err != denied {
		t.Errorf("a second time: %v", err)
	}

	// Whoever was first has nothing before the mount stands, which it does for the kernel alone.
	if f, err := c.getAttr(c.root); f.typ != 2 || err != nil {
		t.Errorf("the top: %+v, %v", f, err)
	}
	if _, err := c.lookup(c.root, "README.txt"); err != denied {
		t.Errorf("a name: %v", err)
	}
	if _, err := c.entries(c.root, true); err != denied {
		t.Errorf("a listing: %v", err)
	}
	v.Open()
	f, err := c.walk(letters + "/offer.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, uid := range []int{1000, 0} {
		c.uid = uid
		if b, _, err := c.read(f.handle, 0, 10); len(b) != 10 || err != nil {
			t.Errorf("user %d: %q, %v", uid, b, err)
		}
	}
	about, err := c.lookup(c.root, tree.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := c.readLink(about.handle); text != "about" || err != nil {
		t.Errorf("%s: %q, %v", tree.ServerName, text, err)
	}
	all, err := c.entries(c.root, true)
	for _, e := range all {
		if e.name == tree.ServerName || err != nil {
			t.Errorf("listed: %q, %v", e.name, err)
		}
	}

	// No other server takes its handles: a restart never leads to another file.
	again := startMount(t, nfs.Mount{})
	again.Open()
	next := connect(t, again)
	for _, handle := range []string{c.root, f.handle} {
		if _, err := next.getAttr(handle); err != status(70) {
			t.Errorf("a handle of another run: %v", err)
		}
	}
}

// calls are one of each way to learn something of a file and its directory.
func (c *client) calls(dir, file string) map[string]error {
	errs := map[string]error{}
	_, errs["GETATTR"] = c.getAttr(file)
	_, errs["LOOKUP"] = c.lookup(dir, "offer.txt")
	_, errs["ACCESS"] = c.call(100003, 4, message(file, 0x3f))
	_, _, errs["READ"] = c.read(file, 0, 10)
	_, errs["READDIR"] = c.entries(dir, false)
	_, errs["READDIRPLUS"] = c.entries(dir, true)
	_, errs["FSSTAT"] = c.call(100003, 18, message(file))
	return errs
}

func TestMountOthers(t *testing.T) {
	const all = "GETATTR LOOKUP ACCESS READ READDIR READDIRPLUS FSSTAT"
	for _, test := range []struct {
		name       string
		others     bool
		dirs, file fs.FileMode
		uid        int
		want       string // is answered
	}{
		{"the owner", false, 0o700, 0o600, 1000, all},
		{"root", false, 0o700, 0o600, 0, all},
		{"others of a mount for one", false, 0o755, 0o644, 1001, "FSSTAT"},
		{"others", true, 0o755, 0o644, 1001, all},
		{"others, that are shown nothing", true, 0o700, 0o600, 1001, "GETATTR ACCESS FSSTAT"},
		{"others, of names alone", true, 0o711, 0o644, 1001, "GETATTR LOOKUP ACCESS READ FSSTAT"},
		{"others, of lists alone", true, 0o744, 0o600, 1001, "GETATTR ACCESS READDIR FSSTAT"},
	} {
		v := startMount(t, nfs.Mount{Others: test.others, Mode: func(n tree.Node) fs.FileMode {
			if n.Kind == tree.KindDir {
				return test.dirs
			}
			return test.file
		}})
		c := mounted(t, v)
		v.Open()
		dir, file, raw := c.handle(t, letters), c.handle(t, letters+"/offer.txt"), c.handle(t, "/raw/p1-Documents/vss1.img")
		c.uid = test.uid
		for name, err := range c.calls(dir, file) {
			if want := strings.Contains(" "+test.want+" ", " "+name+" "); want != (err == nil) || err != nil && err != denied {
				t.Errorf("%s: %s: %v", test.name, name, err)
			}
		}
		if _, _, err := c.read(raw, 0, 512); (err == nil) != (test.want == all && !test.others) {
			t.Errorf("%s: a disk: %v", test.name, err)
		}
	}
}

// TestMountWho looks a name up by what clients say of themselves, in a mount for its owner's group.
func TestMountWho(t *testing.T) {
	v := startMount(t, nfs.Mount{Others: true, Mode: func(tree.Node) fs.FileMode { return 0o750 }})
	c := mounted(t, v)
	v.Open()
	for _, test := range []struct {
		name   string
		flavor int
		cred   string
		want   uint32
	}{
		{"nobody", 0, "", uint32(denied)},
		{"one of the group", 1, message(0, "host", 1001, 1000, 0), 0},
		{"one with more groups", 1, message(0, "host", 1001, 1001, 2, 7, 1000), 0},
		{"another", 1, message(0, "host", 1001, 1001, 1, 1002), uint32(denied)},
	} {
		a, err := c.exchange(record(message(7, 0, 2, 100003, 3, 3, test.flavor, test.cred, 0, "", c.root, "README.txt")))
		if err != nil {
			t.Fatal(err)
		}
		if a.take(24); a.u32() != test.want {
			t.Errorf("%s: want status %d", test.name, test.want)
		}
	}
}

// TestMountPorts has a client of another port than root's be sent away without a word.
func TestMountPorts(t *testing.T) {
	v := startMount(t, nfs.Mount{Reserved: true})
	c := connect(t, v)
	if _, err := c.call(100005, 1, message(v.Path())); err == nil {
		t.Error("a port that everybody can use is answered")
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: the ports of root want root")
	}
	for port := 1023; port > 600; port-- {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}, Timeout: 30 * time.Second}
		conn, err := d.Dial("tcp", v.address)
		if err != nil {
			continue // it is in use
		}
		defer conn.Close()
		c := &client{t: t, server: v, conn: conn, uid: 0}
		if _, err := c.call(100005, 1, message(v.Path())); err != nil {
			t.Errorf("port %d: %v", port, err)
		}
		if n := v.Using(); n != 1 {
			t.Errorf("%d connections are counted, want 1", n)
		}
		conn.Close()
		<-v.Left()
		if n := v.Using(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		return
	}
	t.Fatal("no port of root is free")
}
