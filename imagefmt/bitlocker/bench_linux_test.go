package bitlocker

import (
	"crypto/aes"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	xcrypto "golang.org/x/crypto/xts"

	"snapmount/imagefmt/layer"
)

// rate is of bytes in the time that the processor gave this thread: a busy machine changes it little.
func rate(b *testing.B, size int64, once func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, n := threadTime(b), int64(0)
	for b.Loop() {
		once()
		n += size
	}
	b.ReportMetric(float64(n)/1e6/(threadTime(b)-before).Seconds(), "MB/cpu-s")
}

func threadTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkCiphers decrypts 1 MiB on one core. "x/crypto" is the cipher of golang.org/x/crypto/xts, to compare with.
func BenchmarkCiphers(b *testing.B) {
	const size = 1 << 20
	data := noise(size, 1)
	for _, sector := range []int{512, 4096} {
		for _, method := range methods {
			c, err := newSectorCipher(method, testKey(method), sector)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%d/%#x", sector, uint16(method)), func(b *testing.B) {
				s := new(scratch)
				rate(b, size, func() {
					for at := 0; at < size; at += scratchSize {
						c.decrypt(data[at:][:scratchSize], s, int64(at))
					}
				})
			})
			if method < methodXTS128 {
				continue
			}
			peer, err := xcrypto.NewCipher(aes.NewCipher, testKey(method))
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%d/%#x-x/crypto", sector, uint16(method)), func(b *testing.B) {
				rate(b, size, func() {
					for at := 0; at < size; at += sector {
						peer.Decrypt(data[at:][:sector], data[at:][:sector], uint64(at/sector))
					}
				})
			})
		}
	}
}

// BenchmarkVolume reads a volume in memory, in a row by so much at once.
func BenchmarkVolume(b *testing.B) {
	const size = 16 << 20
	m := mustDecrypt(b, whole(noise(size, 1)), allEncrypted(size), methodXTS128, 512)
	for _, n := range []int64{4 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", n>>10), func(b *testing.B) {
			p := make([]byte, n)
			b.SetBytes(n)
			b.ReportAllocs()
			for off := int64(0); b.Loop(); off = (off + n) % size {
				if err := layer.ReadFull(m, p, off); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
