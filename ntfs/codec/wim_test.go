package codec

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"snapmount/imagefmt/layer/testenv"
)

// A wimChunk is a chunk of a file in a WIM archive and what was archived.
type wimChunk struct {
	file     string
	in, want []byte
}

// wimChunks has wimlib archive files and returns the compressed chunks, and how many were stored as they were.
func wimChunks(t testing.TB, files map[string][]byte, size int, compress string) (chunks []wimChunk, stored int) {
	t.Helper()
	tool := testenv.Peer(t, "wimlib-imagex")
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	names := map[[sha1.Size]byte]string{}
	for name, b := range files {
		names[sha1.Sum(b)] = name
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.wim")
	testenv.Run(t, tool, "capture", dir, path, "--compress="+compress, fmt.Sprint("--chunk-size=", size))
	wim, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := le.Uint32(wim[20:]); got != uint32(size) {
		t.Fatalf("chunk size %d, want %d", got, size)
	}
	found := map[string]bool{}
	table, tableLen := le.Uint64(wim[48+8:]), le.Uint64(wim[48+16:]) // of all resources, 50 bytes each
	for e := wim[table:][:tableLen]; len(e) > 0; e = e[50:] {
		name, ok := names[[sha1.Size]byte(e[30:])]
		if !ok {
			continue // metadata
		}
		found[name] = true
		const compressed = 4
		n := le.Uint64(e) & (1<<56 - 1)
		res, want := wim[le.Uint64(e[8:]):][:n], files[name]
		if e[7]&compressed == 0 {
			stored += (len(want) + size - 1) / size
			continue
		}
		c, s := resourceChunks(res, want, size)
		for i := range c {
			c[i].file = name
		}
		chunks, stored = append(chunks, c...), stored+s
	}
	for name, b := range files {
		if len(b) > 0 && !found[names[sha1.Sum(b)]] {
			t.Errorf("%s is not in the archive", name)
		}
	}
	return chunks, stored
}

// resourceChunks splits a compressed resource: where each chunk but the first starts after the table, 32 bits each, and
// the chunks. One as long as its content is stored.
func resourceChunks(res, want []byte, size int) (chunks []wimChunk, stored int) {
	n := (len(want) + size - 1) / size
	data, start := res[4*(n-1):], 0
	for i := range n {
		end := len(data)
		if i < n-1 {
			end = int(le.Uint32(res[4*i:]))
		}
		c := wimChunk{in: data[start:end], want: want[i*size : min((i+1)*size, len(want))]}
		if start = end; len(c.in) == len(c.want) {
			stored++
		} else {
			chunks = append(chunks, c)
		}
	}
	return chunks, stored
}

// corpora are what compressors are measured by.
func corpora(t testing.TB, size int) map[string][]byte {
	t.Helper()
	return map[string][]byte{"text": words(size), "source": goSource(t, size), "binary": machineCode(t, size)}
}

// words is text of made-up words, the frequent ones the shorter.
func words(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 3000)
	for i := range list {
		w := make([]byte, 1+i/600+r.IntN(7))
		for k := range w {
			w[k] = "etaoinshrdlucmfwypvbgkjqxz"[min(r.IntN(26), r.IntN(26))]
		}
		list[i] = string(w)
	}
	z := rand.NewZipf(r, 1.1, 3, uint64(len(list)-1))
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(list[z.Uint64()])
		b.WriteString([]string{" ", " ", " ", " ", " ", ", ", ". ", "\r\n"}[r.IntN(8)])
	}
	return b.Bytes()[:size]
}

func goSource(t testing.TB, size int) []byte {
	t.Helper()
	root := strings.TrimSpace(string(testenv.Run(t, "go", "env", "GOROOT")))
	files, err := filepath.Glob(filepath.Join(root, "src", "net", "http", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, src...)
	}
	return b[:min(size, len(b))]
}

// machineCode is the start of the test's own program.
func machineCode(t testing.TB, size int) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b[:min(size, len(b))]
}

// kinds are files of many kinds, for their edges.
func kinds(t testing.TB) map[string][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, 100_000)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	text := words(100_000)
	calls := bytes.Clone(text)
	for i := 5; i < len(calls)-8; i += 3 + r.IntN(60) { // targets of every sort, at every distance from a chunk's end
		calls[i] = 0xe8
		near := r.Uint32N(40_000)
		le.PutUint32(calls[i+1:], []uint32{r.Uint32(), r.Uint32N(12_000_000), -near, 12_000_000 - near, near}[r.IntN(5)])
	}
	files := map[string][]byte{
		"random": random, "text": text, "zeros": make([]byte, 100_000), "calls": calls,
		"source": goSource(t, 200_000), "binary": machineCode(t, 700_000),
		"skewed": skewed(r, 100_000, 1.02), "skewed2": skewed(r, 100_000, 3),
		"mixed": bytes.Join([][]byte{text[:10_000], random[:9_000], make([]byte, 8_000), text[:30_000], random[:100], calls[:9_999]}, nil),
	}
	for _, n := range []int{1, 2, 3, 5, 9, 24, 31, 63, 130} {
		files[fmt.Sprint("period", n)] = bytes.Repeat(random[:n], 40_000/n)
	}
	for _, chunk := range []int{4096, 8192, 16384, 32768} {
		for _, d := range []int{-12, -11, -10, -9, -5, -1, 0, 1, 2, 10, 11, 12} {
			b := bytes.Clone(calls[:chunk+d])
			copy(b, fmt.Sprint(chunk+d))
			files[fmt.Sprint("edge", chunk+d)] = b
		}
	}
	for n := 1; n < 300; n += 7 {
		files[fmt.Sprint("tiny", n)] = append(bytes.Repeat([]byte{byte(n), 'x'}, n), text[:n]...)
	}
	return files
}

// skewed is random bytes, small ones the likelier the larger s.
func skewed(r *rand.Rand, n int, s float64) []byte {
	z := rand.NewZipf(r, s, 1, 255)
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(z.Uint64())
	}
	return b
}

func TestWIM(t *testing.T) {
	files := kinds(t)
	for _, c := range []struct {
		compress string
		size     int
	}{
		{"XPRESS", 4096}, {"XPRESS", 8192}, {"XPRESS", 16384}, {"XPRESS", 32768}, {"XPRESS", 65536}, {"XPRESS:90", 16384},
		{"LZX:20", 32768}, {"LZX:50", 32768}, {"LZX:100", 32768},
	} {
		t.Run(fmt.Sprintf("%s/%d", c.compress, c.size), func(t *testing.T) {
			decode := XPRESS
			if strings.HasPrefix(c.compress, "LZX") {
				decode = LZX
			}
			chunks, stored := wimChunks(t, files, c.size, c.compress)
			if len(chunks) < 100 {
				t.Fatalf("%d chunks", len(chunks))
			}
			bytesOut, blocks := 0, map[byte]int{}
			for i, k := range chunks {
				out := bytes.Repeat([]byte{0xa5}, len(k.want)+16)
				if err := decode(out[:len(k.want)], k.in); err != nil {
					t.Fatalf("%s, chunk %d of %d bytes: %v", k.file, i, len(k.want), err)
				} else if !bytes.Equal(out[:len(k.want)], k.want) {
					t.Fatalf("%s, chunk %d of %d bytes differs", k.file, i, len(k.want))
				}
				if !bytes.Equal(out[len(k.want):], bytes.Repeat([]byte{0xa5}, 16)) {
					t.Errorf("%s, chunk %d: written past the end", k.file, i)
				}
				bytesOut += len(k.want)
				blocks[k.in[1]>>5]++
			}
			if c.compress == "LZX:50" && (blocks[lzxVerbatimBlock] == 0 || blocks[lzxAlignedBlock] == 0) {
				t.Errorf("chunks by the type of their first block: %v", blocks)
			}
			t.Logf("%d chunks of %d bytes are as archived, %d were stored", len(chunks), bytesOut, stored)
		})
	}
}
