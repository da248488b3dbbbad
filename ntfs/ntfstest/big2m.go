package ntfstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// A filler writes to a mounted volume and notes what it wrote.
type filler struct {
	t      testing.TB
	dir    string
	random *rand.ChaCha8
	claims []Claim
}

// fillBig2M makes a volume of 20 GiB with clusters of 2 MiB, the largest there are: files of sizes around the edges of
// records, clusters and pages, holes, named streams, directories in directories.
func fillBig2M(t testing.TB, image string) []Claim {
	const cluster = 2 << 20
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 20<<30); err != nil {
		t.Fatal(err)
	}
	testenv.Run(t, "mkntfs", "-F", "-Q", "-q", "-c", fmt.Sprint(cluster), "-s", "512", "-p", "0", "-H", "255", "-S", "63", "-L", "big2m", image)
	dir, unmount := MountNTFS3G(t, image, "streams_interface=windows,big_writes")
	f := &filler{t: t, dir: dir, random: rand.NewChaCha8([32]byte{2})}
	for _, size := range []int64{0, 1, 100, 700, 4095, 4096, 4097, 1 << 20, cluster - 1, cluster, cluster + 1, 3*cluster - 4096, 9*cluster + 12345} {
		f.write(fmt.Sprintf("/sizes/s%d.bin", size), size, [2]int64{0, size})
		f.write(fmt.Sprintf("/sizes/s%d.bin:stream", size), size/2+3, [2]int64{0, size/2 + 3})
	}
	f.write("/sparse/all hole.bin", 5*cluster)
	f.write("/sparse/odd.bin", 7*cluster+77, [2]int64{cluster + 12345, 100}, [2]int64{4*cluster - 10, 20})
	f.write("/sparse/head.bin", 6*cluster, [2]int64{5 * cluster, cluster})
	f.write("/sparse/large.bin", 1<<30+5, [2]int64{1 << 29, 3})
	path := ""
	for i := range 30 {
		path += fmt.Sprintf("/nested %d", i)
		f.write(path+"/file.bin", int64(i*i*i*100), [2]int64{0, int64(i * i * i * 100)})
	}
	for i := range 1000 { // more than an index block
		f.write(fmt.Sprintf("/many/entry %04d of a directory", i), int64(i%7), [2]int64{0, int64(i % 7)})
	}
	f.claims = append(f.claims, Claim{Path: "/many", Type: "dircount", Count: 1000}, Claim{Path: "/sizes", Type: "dircount", Count: 13})
	unmount()
	return f.claims
}

// write makes a file, or a named stream, of random bytes at the extents and holes between them.
func (f *filler) write(path string, size int64, extents ...[2]int64) {
	name := filepath.Join(f.dir, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		f.t.Fatal(err)
	}
	file, err := os.Create(name)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		f.t.Fatal(err)
	}
	sum, at, zeros := sha256.New(), int64(0), make([]byte, 1<<20)
	zero := func(to int64) {
		for ; at < to; at += min(to-at, int64(len(zeros))) {
			sum.Write(zeros[:min(to-at, int64(len(zeros)))])
		}
	}
	for _, e := range extents {
		b := make([]byte, e[1])
		f.random.Read(b)
		if _, err := file.WriteAt(b, e[0]); err != nil {
			f.t.Fatal(err)
		}
		zero(e[0])
		sum.Write(b)
		at += e[1]
	}
	zero(size)
	c := Claim{Path: path, Type: "file", Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)), DataExtents: extents}
	if strings.Contains(path, ":") {
		c.Type = "stream"
	}
	f.claims = append(f.claims, c)
}
