package compare_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A file is a file or directory of the model, which knows all that is done to the volume and nothing of NTFS.
type file struct {
	id      int
	dir     bool
	links   []name
	data    []byte
	streams map[string][]byte
	touched int  // how often something was done to it through the file system
	inPlace int  // how often its clusters were changed behind its back
	packed  bool // compressed, or what is made in it is. Such files are written as a whole: ntfs-3g is not good at more
}

// A name is a link in a directory.
type name struct {
	up   *file
	name string
}

// A model is a volume while scripts run.
type model struct {
	t     *testing.T
	r     *rand.Rand
	dir   string // where it is mounted
	root  *file
	files map[int]*file // all that are there, by id
	made  int

	cluster int
}

func (m *model) path(f *file) string {
	if f == m.root {
		return ""
	}
	return path.Join(m.path(f.links[0].up), f.links[0].name)
}

func (m *model) host(f *file) string { return filepath.Join(m.dir, m.path(f)) }

func (m *model) check(err error) {
	if err != nil {
		m.t.Helper()
		m.t.Fatal(err)
	}
}

// pick returns one of the files, or directories, that fit; nil when there is none.
func (m *model) pick(fit func(*file) bool) *file {
	var all []*file
	for _, id := range slices.Sorted(maps.Keys(m.files)) {
		if f := m.files[id]; fit(f) {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[m.r.IntN(len(all))]
}

func (m *model) anyFile() *file { return m.pick(func(f *file) bool { return !f.dir }) }
func (m *model) anyDir() *file  { return m.pick(func(f *file) bool { return f.dir }) }

// content makes bytes that no other file has.
func (m *model) content() []byte {
	sizes := []int{0, 1, 90, 300, 680, 1500, 4096, 9000, 20000, 66000, 150000}
	n := sizes[m.r.IntN(len(sizes))]
	if n > 0 {
		n = 1 + m.r.IntN(n)
	}
	return m.noise(n)
}

func (m *model) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(m.r.Uint32())
	}
	if m.r.IntN(4) == 0 { // what can be compressed
		for i := range b {
			b[i] = byte(i/64)*7 ^ b[i/512*512]
		}
	}
	return b
}

func (m *model) newName() string {
	m.made++
	return fmt.Sprintf("%c%d %s", 'a'+m.r.IntN(26), m.made, strings.Repeat("ü", m.r.IntN(30)))
}

// add notes a new file and returns where it goes.
func (m *model) add(dir bool) (*file, string) {
	up := m.anyDir()
	m.made++
	f := &file{id: m.made, dir: dir, links: []name{{up, m.newName()}}, streams: map[string][]byte{}, packed: up.packed}
	m.files[f.id] = f
	return f, m.host(f)
}

func (m *model) create() {
	f, host := m.add(false)
	f.data = m.content()
	m.check(os.WriteFile(host, f.data, 0o644))
}

func (m *model) mkdir() {
	f, host := m.add(true)
	m.check(os.Mkdir(host, 0o755))
	if m.r.IntN(4) == 0 {
		f.packed = true
		m.check(unix.Setxattr(host, "system.ntfs_attrib", binary.LittleEndian.AppendUint32(nil, 0x810), 0))
	}
}

// remove takes away a directory with all that is in it, or a name of a file.
func (m *model) remove() {
	f := m.pick(func(f *file) bool { return f != m.root && (!f.dir || m.r.IntN(6) == 0) })
	if f == nil || m.r.IntN(3) == 0 && len(f.links) > 1 {
		return
	}
	m.check(os.RemoveAll(m.host(f)))
	m.drop(f, f.links[0])
}

func (m *model) drop(f *file, l name) {
	f.touched++
	if f.links = slices.DeleteFunc(f.links, func(x name) bool { return x == l }); len(f.links) == 0 {
		delete(m.files, f.id)
	}
	for _, c := range slices.Collect(maps.Values(m.files)) {
		for _, l := range slices.Clone(c.links) {
			if f.dir && l.up == f {
				m.drop(c, l)
			}
		}
	}
}

// within reports whether f is d or in it.
func (m *model) within(f, d *file) bool {
	return f == d || f != m.root && m.within(f.links[0].up, d)
}

func (m *model) move() {
	f, to := m.pick(func(f *file) bool { return f != m.root }), m.anyDir()
	if f == nil || m.within(to, f) {
		return
	}
	l := name{to, m.newName()}
	switch m.r.IntN(3) {
	case 0:
		l.up = f.links[0].up
	case 1:
		if l.name = f.links[0].name; to == f.links[0].up {
			return
		}
	}
	from := m.host(f)
	m.check(os.Rename(from, filepath.Join(m.dir, m.path(l.up), l.name)))
	f.links[0] = l
	f.touched++
}

// replace saves a file as editors do: a new one takes the name.
func (m *model) replace() {
	old := m.anyFile()
	if old == nil || len(old.links) > 1 {
		return
	}
	at := old.links[0]
	f, host := m.add(false)
	f.data = m.content()
	m.check(os.WriteFile(host, f.data, 0o644))
	m.check(os.Rename(host, m.host(old)))
	m.drop(old, at)
	f.links[0] = at
}

func (m *model) link() {
	f, up := m.anyFile(), m.anyDir()
	if f == nil {
		return
	}
	l := name{up, m.newName()}
	m.check(os.Link(m.host(f), filepath.Join(m.dir, m.path(up), l.name)))
	f.links = append(f.links, l)
	f.touched++
}

// crowd gives a file so many names, or streams, that it needs records of its own for them, or takes names away again.
func (m *model) crowd() {
	f := m.anyFile()
	if f == nil {
		return
	}
	for n := len(f.links); n > 6; n-- {
		m.check(os.Remove(m.host(f)))
		m.drop(f, f.links[0])
	}
	for range 8 {
		up := m.anyDir()
		l := name{up, m.newName() + strings.Repeat("x", m.r.IntN(90))}
		m.check(os.Link(m.host(f), filepath.Join(m.dir, m.path(up), l.name)))
		f.links = append(f.links, l)
		key, b := fmt.Sprint("s", m.r.IntN(100)), m.noise(1+m.r.IntN(400))
		m.check(unix.Setxattr(m.host(f), "user."+key, b, 0))
		f.streams[key] = b
	}
	f.touched++
}

// overwrite changes bytes within the file, and perhaps puts all times back.
func (m *model) overwrite() {
	f := m.pick(func(f *file) bool { return len(f.data) > 0 })
	if f == nil {
		return
	}
	host := m.host(f)
	times, err := xattr(host, "system.ntfs_times")
	m.check(err)
	off := m.r.IntN(len(f.data))
	b := m.noise(1 + m.r.IntN(min(len(f.data)-off, 9000)))
	b[0] = f.data[off] ^ 0x55
	m.write(f, int64(off), b)
	if m.r.IntN(2) == 0 {
		m.check(unix.Setxattr(host, "system.ntfs_times", times, 0))
	}
}

func (m *model) write(f *file, off int64, b []byte) {
	grow := max(int(off)+len(b)-len(f.data), 0)
	f.data = append(slices.Clone(f.data), make([]byte, grow)...)
	copy(f.data[off:], b)
	f.touched++
	if f.packed {
		m.check(os.WriteFile(m.host(f), f.data, 0o644))
		return
	}
	h, err := os.OpenFile(m.host(f), os.O_WRONLY, 0)
	m.check(err)
	_, err = h.WriteAt(b, off)
	err = errors.Join(err, h.Close())
	if errors.Is(err, fs.ErrExist) {
		m.t.Skipf("SKIPPED: ntfs-3g, which does so once in some hundred volumes, cannot write: %v", err)
	}
	m.check(err)
}

// resize truncates, appends, or leaves a hole behind the end.
func (m *model) resize() {
	f := m.anyFile()
	if f == nil || len(f.data) > 1<<20 {
		return
	}
	switch m.r.IntN(4) {
	case 0:
		f.data = slices.Clone(f.data[:m.r.IntN(len(f.data)+1)])
		if m.write(f, 0, nil); !f.packed {
			m.check(os.Truncate(m.host(f), int64(len(f.data))))
		}
	case 1:
		m.write(f, int64(len(f.data)+m.r.IntN(200000)), m.noise(1+m.r.IntN(5000)))
	default:
		m.write(f, int64(len(f.data)), m.noise(1+m.r.IntN(30000)))
	}
}

// fragment lets two files grow by turns.
func (m *model) fragment() {
	f, g := m.anyFile(), m.anyFile()
	if f == nil || f == g || len(f.data)+len(g.data) > 300000 {
		return
	}
	for range 12 {
		m.write(f, int64(len(f.data)), m.noise(4096))
		m.write(g, int64(len(g.data)), m.noise(4096))
	}
}

func (m *model) stream() {
	f := m.pick(func(f *file) bool { return f != m.root })
	if f == nil {
		return
	}
	key := []string{"Zone.Identifier", "notes", "ö"}[m.r.IntN(3)]
	if _, ok := f.streams[key]; ok && m.r.IntN(3) == 0 {
		m.check(unix.Removexattr(m.host(f), "user."+key))
		delete(f.streams, key)
	} else {
		b := m.noise(1 + m.r.IntN(3000))
		m.check(unix.Setxattr(m.host(f), "user."+key, b, 0))
		f.streams[key] = b
	}
	f.touched++
}

func (m *model) acl() {
	f := m.pick(func(f *file) bool { return f != m.root })
	if f == nil {
		return
	}
	m.check(unix.Setxattr(m.host(f), "system.ntfs_acl", descriptor(m.r.Uint32()%3, m.r.Uint32()%3), 0))
	f.touched++
}

// descriptor is a security descriptor of one owner and one entry.
func descriptor(owner, rights uint32) []byte {
	le := binary.LittleEndian
	sid := le.AppendUint32([]byte{1, 2, 0, 0, 0, 0, 0, 5}, 32)
	group := append(bytes.Clone(sid), 0x20, 2, 0, 0)
	sid = le.AppendUint32(sid, 544+owner)
	ace := append([]byte{0, 0, 24, 0}, le.AppendUint32(nil, 0x1f01ff>>rights)...)
	ace = append(ace, sid...)
	acl := append([]byte{2, 0, byte(8 + len(ace)), 0, 1, 0, 0, 0}, ace...)
	b := []byte{1, 0, 4, 0x80}
	for _, off := range []int{20, 36, 0, 52} {
		b = le.AppendUint32(b, uint32(off))
	}
	return slices.Concat(b, sid, group, acl)
}

func (m *model) attributes() {
	f := m.anyFile()
	if f == nil {
		return
	}
	b, err := xattr(m.host(f), "system.ntfs_attrib")
	m.check(err)
	v := binary.LittleEndian.Uint32(b) ^ []uint32{2, 0x20, 0x2000}[m.r.IntN(3)]
	m.check(unix.Setxattr(m.host(f), "system.ntfs_attrib", binary.LittleEndian.AppendUint32(nil, v), 0))
	f.touched++
}

func (m *model) times() {
	f := m.pick(func(f *file) bool { return f != m.root })
	if f == nil {
		return
	}
	b, err := xattr(m.host(f), "system.ntfs_times")
	m.check(err)
	binary.LittleEndian.PutUint32(b[8*m.r.IntN(4):], m.r.Uint32())
	m.check(unix.Setxattr(m.host(f), "system.ntfs_times", b, 0))
	f.touched++
}

// script does some of everything.
func (m *model) script(steps int) {
	ops := []func(){m.create, m.create, m.create, m.mkdir, m.remove, m.remove, m.move, m.move, m.replace, m.link, m.overwrite, m.overwrite,
		m.resize, m.fragment, m.stream, m.stream, m.acl, m.attributes, m.times, m.crowd}
	for range steps {
		for m.used() > fsSize/3 {
			m.remove()
		}
		ops[m.r.IntN(len(ops))]()
	}
}

// used is how many bytes of clusters the files take, about.
func (m *model) used() (n int) {
	whole := func(b []byte) int { return (len(b) + m.cluster) / m.cluster * m.cluster }
	for _, f := range m.files {
		n += m.cluster + whole(f.data)
		for _, s := range f.streams {
			n += whole(s)
		}
	}
	return n
}

// behind changes bytes of a file in the image itself, where it can be found there.
func (m *model) behind(image string) {
	f := m.pick(func(f *file) bool { return len(f.data) > 8192 })
	if f == nil {
		return
	}
	b, err := os.ReadFile(image)
	m.check(err)
	off := m.r.IntN(len(f.data)-4096) / 4096 * 4096
	key := f.data[off:][:64]
	at := bytes.Index(b, key)
	if at < 0 || at%512 != 0 || bytes.Count(b, key) != 1 { // in the file record, compressed, or left over elsewhere too
		return
	}
	h, err := os.OpenFile(image, os.O_WRONLY, 0)
	m.check(err)
	defer h.Close()
	_, err = h.WriteAt([]byte{key[17] ^ 0x20}, int64(at)+17)
	m.check(err)
	now, err := exec.Command("ntfscat", "-f", image, m.path(f)).Output()
	m.check(err)
	if len(now) != len(f.data) || now[off+17] != key[17]^0x20 { // left over from before the file was moved or compressed
		_, err = h.WriteAt([]byte{key[17]}, int64(at)+17)
		m.check(err)
		return
	}
	f.data = slices.Clone(f.data)
	f.data[off+17] ^= 0x20
	f.inPlace++
}
