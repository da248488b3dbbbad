package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"snapmount/diffstore/vsstest"
	"snapmount/imagefmt/wintype"
)

const (
	mib        = 1 << 20
	catalogID  = "{3808876b-c176-4e48-b7ae-04046e6cc752}"
	archiveGo  = "{57000000-0000-0000-e311-9d6c00000002}" + catalogID
	withWriter = 0x0042000d // client accessible, writers took part, recovered in the snapshot
)

// makeDemo builds a disk with two NTFS volumes. Documents has three snapshots of its own; Archive has two whose diff
// area lies on Documents. Files were edited, deleted, renamed and added between them.
func makeDemo(work, out string) error {
	docs, err := newVolume(work, "Documents", 32*mib, map[string]int64{catalogID: 2 * mib, archiveGo: mib})
	if err != nil {
		return err
	}
	arch, err := newVolume(work, "Archive", 24*mib, map[string]int64{catalogID: 64 << 10})
	if err != nil {
		return err
	}
	if err := fillDocuments(docs); err != nil {
		return err
	}
	if err := fillArchive(arch); err != nil {
		return err
	}
	if err := shadow(docs, arch); err != nil {
		return err
	}
	if err := writeManifest(strings.TrimSuffix(out, filepath.Ext(out))+".json", docs, arch); err != nil {
		return err
	}
	return assemble(work, out, docs, arch)
}

// steps runs the changes one by one, dates what each touched to noon of its day in March 2026, notes what the volume
// holds after it, and keeps the state before each but the first.
func steps(v *volume, days []int, changes ...func(dir string) error) error {
	for i, change := range changes {
		if i > 0 {
			if err := v.keep(); err != nil {
				return err
			}
		}
		err := v.edit(func(dir string) error {
			if err := change(dir); err != nil {
				return err
			}
			if err := redate(dir, time.Date(2026, 3, days[i], 12, 0, 0, 0, time.UTC)); err != nil {
				return err
			}
			files, err := hashes(dir)
			v.contents = append(v.contents, files)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func fillDocuments(v *volume) error {
	return steps(v, []int{2, 3, 4, 5}, func(dir string) error {
		return errors.Join(
			write(dir, "Letters/offer.txt", "Dear Ms Noether,\nwe offer 120 crates at 14 a crate.\n"),
			write(dir, "Letters/thanks.txt", "Thank you for the crates.\n"),
			write(dir, "Projects/plan.txt", strings.Repeat("Week: measure, build, measure again.\n", 3000)),
			write(dir, "Projects/budget.csv", "item,cost\ncrates,1680\nrope,95\n"),
			write(dir, "Photos/harbour.raw", string(noise(300<<10, 1))),
			write(dir, "Photos/bridge.raw", string(noise(200<<10, 2))),
			os.Link(filepath.Join(dir, "Projects/plan.txt"), filepath.Join(dir, "Projects/plan (also).txt")),
			stream(dir, "Letters/offer.txt", "author", "Emmy"),
			junction(dir, "My Letters", `D:\Letters`),
			symlink(dir, "Projects/latest offer.txt", `..\Letters\offer.txt`),
		)
	}, func(dir string) error { // Monday to Tuesday: edited, renamed
		return errors.Join(
			write(dir, "Letters/offer.txt", "Dear Ms Noether,\nwe offer 120 crates at 13 a crate, rope included.\n"),
			write(dir, "Projects/budget.csv", "item,cost\ncrates,1560\nrope,0\nharbour fee,210\n"),
			os.Rename(filepath.Join(dir, "Letters/thanks.txt"), filepath.Join(dir, "Letters/thanks (sent).txt")),
			os.Rename(filepath.Join(dir, "Photos"), filepath.Join(dir, "Pictures")),
		)
	}, func(dir string) error { // Tuesday to Wednesday: deleted, added
		return errors.Join(
			os.Remove(filepath.Join(dir, "Projects/budget.csv")),
			os.Remove(filepath.Join(dir, "Pictures/harbour.raw")),
			write(dir, "Projects/notes.txt", strings.Repeat("Note: the harbour photo was the only one of its kind.\n", 200)),
		)
	}, func(dir string) error { // since Wednesday: overwritten
		return errors.Join(
			write(dir, "Projects/plan.txt", strings.Repeat("ENCRYPTED ", 11100)),
			write(dir, "Letters/offer.txt", strings.Repeat("ENCRYPTED ", 8)),
			write(dir, "READ ME TO GET YOUR FILES BACK.txt", "All your files belong to us.\n"),
		)
	})
}

func fillArchive(v *volume) error {
	return steps(v, []int{2, 3, 5}, func(dir string) error {
		return errors.Join(write(dir, "2024/ledger.txt", strings.Repeat("2024-01-01 opening balance 1000\n", 2000)),
			write(dir, "2025/ledger.txt", strings.Repeat("2025-01-01 opening balance 1200\n", 2000)))
	}, func(dir string) error {
		return errors.Join(os.RemoveAll(filepath.Join(dir, "2024")),
			write(dir, "2025/ledger.txt", strings.Repeat("2025-01-01 opening balance 9999\n", 2000)))
	}, func(dir string) error {
		return os.RemoveAll(filepath.Join(dir, "2025"))
	})
}

// shadow makes the diff areas: first that of Archive, on Documents, then that of Documents itself, whose catalog then
// has the store entries of both. What the first wrote stands in every state of Documents: VSS does not protect its own.
func shadow(docs, arch *volume) error {
	docsGUID, archGUID := guid("d0c00000-2026-11e3-9d6c-005056c00008"), guid("a2c00000-2026-11e3-9d6c-005056c00008")
	foreign, err := docs.blocksOf(archiveGo)
	if err != nil {
		return err
	}
	catalog, err := arch.blocksOf(catalogID)
	if err != nil {
		return err
	}
	storage, _, err := docs.live()
	if err != nil {
		return err
	}
	file, live, err := arch.live()
	if err != nil {
		return err
	}
	states, opts, err := arch.openStates([]vsstest.Options{taken(2, 0), taken(4, 0)})
	if err != nil {
		return err
	}
	v, err := vsstest.FromStates(vsstest.Config{Volume: file, Storage: storage, Area: foreign, Catalog: catalog,
		VolumeGUID: archGUID, StorageGUID: docsGUID, NoTruth: true}, states, live, opts)
	if err != nil {
		return err
	}
	var extra [][]byte
	for _, s := range v.Snapshots() {
		extra = append(extra, s.Entry.Bytes())
	}
	return shadowDocuments(docs, docsGUID, foreign, extra)
}

func shadowDocuments(docs *volume, id wintype.GUID, foreign []vsstest.Blocks, extra [][]byte) error {
	own, err := docs.blocksOf(catalogID)
	if err != nil {
		return err
	}
	file, live, err := docs.live()
	if err != nil {
		return err
	}
	states, opts, err := docs.openStates([]vsstest.Options{taken(2, withWriter), taken(3, withWriter), taken(4, withWriter)})
	if err != nil {
		return err
	}
	for _, s := range states {
		for _, b := range foreign {
			p := make([]byte, int64(b.Count)*vsstest.BlockSize)
			if _, err := live.ReadAt(p, int64(b.First)*vsstest.BlockSize); err != nil {
				return err
			}
			if _, err := s.(io.WriterAt).WriteAt(p, int64(b.First)*vsstest.BlockSize); err != nil {
				return err
			}
		}
	}
	_, err = vsstest.FromStates(vsstest.Config{Volume: file, Area: own, Extra: extra, VolumeGUID: id, NoTruth: true}, states, live, opts)
	return err
}

// taken gives the options of the snapshot of a day in March 2026, at 18:00 UTC.
func taken(day int, attributes uint32) vsstest.Options {
	return vsstest.Options{Created: time.Date(2026, 3, day, 18, 0, 0, 0, time.UTC), Attributes: attributes, Machine: "DEMO",
		SetID: guid(fmt.Sprintf("5e7000%02x-2026-4000-8000-000000000000", day))}
}

// assemble puts the volumes behind a partition table and compresses the disk.
func assemble(work, out string, volumes ...*volume) error {
	disk := filepath.Join(work, "disk.raw")
	f, err := os.Create(disk)
	if err != nil {
		return err
	}
	off, table := int64(mib), "label: gpt\n"
	for _, v := range volumes {
		b, err := os.ReadFile(v.img)
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(b, off); err != nil {
			return err
		}
		table += fmt.Sprintf("start=%d, size=%d, type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7\n", off/512, len(b)/512)
		off += int64(len(b))
	}
	script := filepath.Join(work, "table")
	err = errors.Join(f.Truncate(off+mib), f.Close(), os.WriteFile(script, []byte(table), 0o600),
		command("sh", "-c", fmt.Sprintf("sfdisk -q %s < %s", disk, script)))
	if err != nil {
		return err
	}
	return command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", "-o", "compat=1.1", disk, out)
}

func guid(s string) wintype.GUID {
	g, err := wintype.ParseGUID(s)
	if err != nil {
		panic(err) // the text is in this file
	}
	return g
}

func write(dir, name, text string) error {
	path := filepath.Join(dir, name)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

// noise returns bytes that look like a photo from afar, yet compress well: a slow pattern.
func noise(n int, seed uint32) []byte {
	b := make([]byte, n)
	x := seed
	for i := range b {
		if i%64 == 0 {
			x = x*1664525 + 1013904223
		}
		b[i] = byte(x >> 24)
	}
	return b
}
