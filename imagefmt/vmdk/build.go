package vmdk

import (
	"fmt"

	"snapmount/imagefmt/format"
	"snapmount/imagefmt/layer"
)

// builder puts the extents of a disk in a row.
type builder struct {
	disk    *Disk
	env     format.Env
	files   map[string]opened // several extents may lie in one file
	grains  []*sparse
	missing int
	first   error // why the first extent that is missing is
}

type opened struct {
	src layer.Source
	err error
}

// build lays out the extents. self is the file of the descriptor when it is also the first extent, whatever name that
// has there: VMware does not mend it when a file is renamed.
func (b *builder) build(desc descriptor, at int64, self layer.Source) error {
	lines := desc.lines
	if self != nil && len(lines) < 2 {
		return b.single(lines, self)
	}
	if len(lines) == 0 || len(lines) > maxExtents {
		return layer.Corrupt("descriptor", at, "%d extents, want 1 to %d", len(lines), maxExtents)
	}
	for i, line := range lines {
		if self != nil && i == 0 {
			b.files[line.name] = opened{src: self}
		}
		if err := b.add(line); err != nil {
			return fmt.Errorf("extent %q: %w", line.name, err)
		}
	}
	if b.missing == len(lines) || b.missing > maxMissing {
		return b.first
	}
	b.share()
	return nil
}

// single is build for a disk in one file, whose header decides.
func (b *builder) single(lines []extentLine, self layer.Source) error {
	s, err := openSparse(self, b.env)
	if err != nil {
		return err
	}
	said := uint64(0)
	if len(lines) > 0 {
		said = lines[0].sectors
	}
	if said != uint64(s.capacity/sectorLen) {
		b.env.Warn(fmt.Errorf("descriptor: extent of 0x%x sectors, the sparse header has 0x%x and decides", said, s.capacity/sectorLen))
	}
	b.place(extent{grains: s}, s.capacity)
	b.share()
	return nil
}

// add appends the extent of a line. An error ends the opening; what is wrong with the extent alone becomes its own.
func (b *builder) add(line extentLine) error {
	n := int64(line.sectors) * sectorLen
	if n > maxSectors*sectorLen-b.disk.size {
		return layer.Corrupt("descriptor", 0, "more than 2^53 sectors in all")
	}
	if n == 0 {
		return nil
	}
	if line.kind == "ZERO" {
		b.place(extent{}, n)
		return nil
	}
	x, err := b.open(line)
	if err != nil {
		err = fmt.Errorf("extent %q: %w", line.name, err)
		if b.missing++; b.first == nil {
			b.first = err
		}
		b.env.Fault(fmt.Errorf("bytes 0x%x to 0x%x cannot be read: %w", b.disk.size, b.disk.size+n, err))
		b.place(extent{err: err}, n)
		return nil
	}
	have := n
	if s := x.grains; s != nil && s.capacity != n {
		have = min(n, s.capacity)
		err = fmt.Errorf("extent %q: %w", line.name,
			layer.Corrupt("sparse header", 12, "capacity of 0x%x bytes, want 0x%x as the descriptor says", s.capacity, n))
		b.env.Fault(err)
	}
	b.place(x, have)
	b.place(extent{err: err}, n-have)
	return nil
}

// open opens what a line names.
func (b *builder) open(line extentLine) (extent, error) {
	if line.access == "NOACCESS" {
		return extent{}, fmt.Errorf("NOACCESS: %w", layer.ErrUnsupported)
	}
	switch line.kind {
	case "FLAT", "VMFS":
		src, err := b.file(line)
		if err != nil {
			return extent{}, err
		}
		off := int64(line.offset) * sectorLen
		if end := off + int64(line.sectors)*sectorLen; end > src.Size() {
			b.env.Fault(fmt.Errorf("extent %q: ends at 0x%x, want 0x%x: the rest is missing", line.name, src.Size(), end))
		}
		return extent{flat: src, flatOff: off}, nil
	case "SPARSE", "VMFSSPARSE", "SESPARSE":
		src, err := b.file(line)
		if err != nil {
			return extent{}, err
		}
		s, err := openSparse(src, b.inside(line))
		return extent{grains: s}, err
	}
	return extent{}, fmt.Errorf("of type %s: %w", line.kind, layer.ErrUnsupported)
}

// inside is the Env for the extent of a line: what is told names it.
func (b *builder) inside(line extentLine) format.Env {
	named := func(tell func(error)) func(error) {
		return func(err error) { tell(fmt.Errorf("extent %q: %w", line.name, err)) }
	}
	env := b.env
	env.Warn, env.Fault = named(env.Warn), named(env.Fault)
	return env
}

func (b *builder) file(line extentLine) (layer.Source, error) {
	f, ok := b.files[line.name]
	if !ok {
		f.err = fmt.Errorf("not opened: %w", layer.ErrUnsupported)
		if b.missing <= maxMissing {
			f.src, f.err = openExtent(line, b.env)
		}
		b.files[line.name] = f
	}
	return f.src, f.err
}

// place appends n bytes.
func (b *builder) place(x extent, n int64) {
	if n == 0 {
		return
	}
	x.start, x.end = b.disk.size, b.disk.size+n
	b.disk.size = x.end
	b.disk.extents = append(b.disk.extents, x)
	if x.grains != nil {
		b.grains = append(b.grains, x.grains)
	}
}

// share gives all sparse extents the same caches, and looks through their tables if these are few.
func (b *builder) share() {
	c := newCaches(b.grains)
	newPackedGrains(b.disk)
	var tables int64
	for i, s := range b.grains {
		s.caches, s.salt = c, int64(i)*61
		tables += s.count() * s.perTable * s.entryLen()
	}
	for _, s := range b.grains {
		if s.recovered == nil && tables <= maxScan {
			s.scan()
		}
	}
}
