package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// makeEight builds two large files that are overwritten in place, an eighth before each snapshot but the first and after
// the last: the oldest has its data in all eight stores.
func makeEight(work, out string) error {
	files := map[string]*pieces{"sequential.bin": cut(2048, 8, 1), "random.bin": cut(1024, 8, 2)}
	change := func(k int, dir string, truth sums) error {
		for name, p := range files {
			for _, i := range p.turn(k) {
				if err := overwrite(dir, name, int64(i)*mib, p.content(name, i)); err != nil {
					return err
				}
			}
			h := sha256.New()
			for i := range p.version {
				h.Write(p.content(name, i))
			}
			truth[name] = fmt.Sprintf("%x", h.Sum(nil))
		}
		return nil
	}
	return plan{"Eight", 8 << 30, 3<<30 + 512*mib, 8, change}.build(work, out)
}

// makeMany builds 4,000 files of 1 MiB and 64 snapshots; by the end each file was overwritten in place once.
func makeMany(work, out string) error {
	files := cut(4000, 64, 3)
	change := func(k int, dir string, truth sums) error {
		for _, i := range files.turn(k) {
			name, content := fmt.Sprintf("d%02d/file%04d.bin", i%40, i), files.content("many", i)
			if err := overwrite(dir, name, 0, content); err != nil {
				return err
			}
			truth.set(name, content)
		}
		return nil
	}
	return plan{"Many", 10 << 30, 4<<30 + 512*mib, 64, change}.build(work, out)
}

// overwrite writes inside a file, without giving up its clusters, or makes it.
func overwrite(dir, name string, off int64, content []byte) error {
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, off)
	return errors.Join(err, f.Close())
}

// pieces are of 1 MiB, which does not compress, and each is overwritten in one of the rounds.
type pieces struct {
	order   []int
	rounds  int
	version []int // the round in which each was written last
}

func cut(n, rounds int, seed uint64) *pieces {
	return &pieces{rand.New(rand.NewPCG(seed, 0)).Perm(n), rounds, make([]int, n)}
}

// turn returns the pieces that round k writes: 0 all, in order.
func (p *pieces) turn(k int) []int {
	n := len(p.order)
	if k == 0 {
		return slices.Sorted(slices.Values(p.order))
	}
	part := p.order[n*(k-1)/p.rounds : n*k/p.rounds]
	for _, i := range part {
		p.version[i] = k
	}
	return part
}

// content returns what piece i of a name holds now.
func (p *pieces) content(name string, i int) []byte {
	b := make([]byte, mib)
	seed := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", name, i, p.version[i]))
	rand.NewChaCha8(seed).Read(b) // never fails
	return b
}

// makeWide builds 200,000 files, empty or of a few bytes, half of them in one directory and half in a thousand; and 64
// snapshots, between which 300 files are written again, one is renamed and one added.
func makeWide(work, out string) error {
	var names []string
	change := func(k int, dir string, truth sums) (err error) {
		if top := filepath.Join(dir, "all"); k == 0 {
			names, err = makeFiles(top, 200_000)
		} else {
			names, err = changeFiles(top, names, k)
		}
		truth.set("all", []byte(strings.Join(slices.Sorted(slices.Values(names)), "\n")+"\n"))
		return err
	}
	return plan{"Wide", 4 << 30, 2 << 30, 64, change}.build(work, out)
}

// makeFiles makes n files and returns their paths.
func makeFiles(dir string, n int) ([]string, error) {
	var names []string
	for i := range n {
		name, text := fmt.Sprintf("flat/file %06d.txt", i), ""
		if i >= n/2 {
			name = fmt.Sprintf("tree/%03d/doc%02d.txt", (i-n/2)/100, i%100)
		}
		if i%2 == 1 {
			text = fmt.Sprint(i)
		}
		if err := write(dir, name, text); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// changeFiles does round k, and returns what names are then.
func changeFiles(dir string, names []string, k int) ([]string, error) {
	r := rand.New(rand.NewPCG(4, uint64(k)))
	for range 300 {
		i := r.IntN(len(names))
		if err := write(dir, names[i], fmt.Sprint(k, i)); err != nil {
			return nil, err
		}
	}
	i, added := r.IntN(len(names)), fmt.Sprintf("flat/added %02d.txt", k)
	old := names[i]
	names[i] += fmt.Sprintf(" renamed %02d", k)
	return append(names, added), errors.Join(os.Rename(filepath.Join(dir, old), filepath.Join(dir, names[i])), write(dir, added, ""))
}
