package points

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"snapmount/diffstore"
	"snapmount/diffstore/carve"
	"snapmount/imagefmt"
	"snapmount/imagefmt/bitlocker"
	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/partition"
	"snapmount/imagefmt/wintype"
	"snapmount/mount/when"
	"snapmount/ntfs"
)

// ErrNoNTFS says that none of the images holds an NTFS volume. It is a layer.ErrFormat.
var ErrNoNTFS error = noNTFS{}

type noNTFS struct{}

func (noNTFS) Error() string        { return "no NTFS volume found" }
func (noNTFS) Is(target error) bool { return target == layer.ErrFormat }

// Options of Open; the zero value works.
type Options struct {
	Unknown    layer.Policy // what file streams do where their content was not kept
	Ciphertext bool         // give files encrypted by EFS as they are on the disk
	// ForeignReparse gives files with a reparse point of another program as they are on the volume, if all of them is there.
	ForeignReparse bool
	// DiffArea names files of VSS copied out of System Volume Information, or directories of them. They are used for
	// snapshots whose catalog or store the images lack.
	DiffArea []string
	// CacheBytes bounds what all file systems of the Set keep in memory of what they read; 0 is ntfs.DefaultCache.
	CacheBytes int64
	// Warn is told what each line of Warnings is of when it is found, from any goroutine; nil drops it.
	Warn func(error)
	// Clock is what names of points are read against.
	Clock when.Clock
	// Progress is told how much of something that can be slow is done; nil drops it.
	Progress layer.Progress
	// Offset and Size cut the disk out of the first image, where that holds it in the midst of something else; see
	// imagefmt.Options.
	Offset, Size int64
	Force        bool     // read block devices that are mounted for writing
	Layer        string   // the state of the first image to show; see imagefmt.Options
	Snapshot     string   // its internal snapshot to show
	ZeroBad      bool     // damaged chunks of EWF images read as zeros
	Parts        []string // the other files of the first image, in order; see imagefmt.Options
	Map          string   // what GNU ddrescue has noted of it
	Parents      []string // files that images may stand on, wherever they lie
	// Anywhere lets files that an image names lie outside its folder: anywhere on this machine, for an image in another
	// one anywhere on the same volume.
	Anywhere bool
	// Carve looks for deleted snapshots, and CarveShow is the last class of their bytes that is shown; 0 is carve.Agreed.
	Carve     Carve
	CarveShow carve.Trust
	// CarveFrom names the file that keeps what a CarveScan finds: it is read where it is there, else written.
	CarveFrom string
	// Keys open volumes of BitLocker, those of images inside others too; nil is none.
	Keys *bitlocker.Keyring
	// AskKey is called for a volume of BitLocker that the Keys leave locked, until it opens or nil is returned, by Open
	// and by what enters images inside others. Its answers are added to Keys. Nil asks for none.
	AskKey func(volume string, locked *bitlocker.LockedError) *bitlocker.Secret

	cache *ntfs.Cache // of the Set that this one is opened from; nil is one of its own
}

// Set is all that was found in the images given.
type Set struct {
	ctx     context.Context // of Open
	Images  []*Image
	Volumes []*Volume
	points  []*Point // by Number
	opts    Options
	cache   *ntfs.Cache

	captured []diffstore.File // of Options.DiffArea
	found    *carveFile       // of Options.CarveFrom, if it was there
	scanned  []carvedVolume   // by passes
	partly   bool             // one of them was ended
	refused  bool             // found is of another image
	outer    []*Set           // which hold images of this one as files; among the closers
	closers  []io.Closer
	closed   sync.Once
	failed   error // of Close

	mu       sync.Mutex
	warnings []string
}

// Image is one image file (or chain of files) and its partition table.
type Image struct {
	Path     string
	Disk     *imagefmt.Image
	Table    *partition.Table
	TableErr error // why there is no Table

	full string // Path, from any directory; empty where that is not known
}

// Open opens every image. Volumes that cannot be understood are listed with their damage; an image that cannot be
// opened at all is an error, since leaving it out would hide points in time.
//
// Where ctx ends, so do Open and, at any time later, what the Set reads by itself before a point can be entered: block
// lists and images in images. Their error is its cause then.
func Open(ctx context.Context, paths []string, opts Options) (*Set, error) {
	s := &Set{ctx: ctx, opts: opts, cache: opts.cache}
	if s.cache == nil {
		s.cache = ntfs.NewCache(opts.CacheBytes)
	}
	if s.opts.Keys == nil {
		s.opts.Keys = bitlocker.NewKeyring()
	}
	if opts.CarveFrom != "" {
		var err error
		if s.found, err = readCarveFile(opts.CarveFrom); err != nil {
			return nil, fmt.Errorf("deleted snapshots: %w", err)
		}
	}
	if err := s.openStoreFiles(opts.DiffArea); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for i, path := range paths {
		s.opts.Progress.Tell("opening images", int64(i), int64(len(paths)))
		disk, err := s.open(path)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.addImage(path, disk)
	}
	s.findVolumes()
	if err := s.keepScan(); err != nil {
		return nil, errors.Join(fmt.Errorf("deleted snapshots: %w", err), s.Close())
	}
	if ctx.Err() != nil {
		return nil, errors.Join(context.Cause(ctx), s.Close())
	}
	return s, nil
}

// findVolumes finds the volumes of all images, and their points in time, as far as the context lasts.
func (s *Set) findVolumes() {
	for i, img := range s.Images {
		if img.Table == nil {
			continue
		}
		prefix := ""
		if len(s.Images) > 1 {
			prefix = fmt.Sprintf("d%d", i+1)
		}
		for _, p := range img.Table.Partitions {
			if s.ctx.Err() != nil {
				return
			}
			v, err := openVolume(s, img, p, prefix)
			if err != nil {
				s.warn(fmt.Errorf("%s: partition %d: %w", img.Path, p.Number, err))
				continue
			}
			s.Volumes = append(s.Volumes, v)
		}
	}
	for i, v := range s.Volumes {
		if s.ctx.Err() != nil {
			return
		}
		s.opts.Progress.Tell("looking for points in time: volume", int64(i), int64(len(s.Volumes)))
		v.findPoints(s)
	}
	for _, v := range s.Volumes {
		if err := v.findCarved(s); err != nil && s.ctx.Err() == nil {
			s.warn(fmt.Errorf("%s: deleted snapshots: %w", v.Name, err))
		}
	}
	s.opts.Progress.Tell("looking for points in time: volume", int64(len(s.Volumes)), int64(len(s.Volumes)))
	s.warnOfStores()
}

// warnOfStores tells of stores that no snapshot has: it is of a volume that was not given, or its catalog entry is lost.
func (s *Set) warnOfStores() {
	known := map[wintype.GUID]bool{}
	for _, p := range s.points {
		if p.Snapshot != nil {
			known[p.Snapshot.StoreID] = true
		}
	}
	for _, v := range s.Volumes {
		for _, id := range v.stores {
			if !known[id] {
				s.warn(fmt.Errorf("%s: catalog: store %v is of no snapshot here: that is of a volume which was not given, or its entry is lost", v.Name, id))
			}
		}
	}
}

// addImage adds an open image and its partition table.
func (s *Set) addImage(path string, disk *imagefmt.Image) {
	img := &Image{Path: path, Disk: disk, full: fullName(path)} // now: a program may go to another directory
	s.Images = append(s.Images, img)
	img.Table, img.TableErr = partition.Find(s.ctx, disk)
	if s.ctx.Err() != nil {
		return // nothing is known
	}
	if img.TableErr != nil {
		s.warn(fmt.Errorf("%s: %w", path, img.TableErr))
		return
	}
	for _, w := range img.Table.Warnings {
		s.warn(fmt.Errorf("%s: %w", path, w))
	}
}

// Context is that of Open, with which all that is read of the Set may end.
func (s *Set) Context() context.Context { return s.ctx }

// Close closes the images. Nothing of the Set may be used afterwards; closing it again tells the same.
func (s *Set) Close() error {
	s.closed.Do(func() {
		var errs []error
		for _, img := range s.Images {
			errs = append(errs, img.Disk.Close())
		}
		for _, c := range s.closers {
			errs = append(errs, c.Close())
		}
		s.failed = errors.Join(errs...)
	})
	return s.failed
}

// Warnings gives what was odd so far, in order of discovery, each once.
func (s *Set) Warnings() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.warnings...)
}

func (s *Set) warn(err error) {
	if s.addWarning(oneLine(err)) && s.opts.Warn != nil {
		s.opts.Warn(err)
	}
}

// addWarning reports whether the line is a new one.
func (s *Set) addWarning(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 1000 // a damaged image can have more to say than anyone reads
	if len(s.warnings) >= most || slices.Contains(s.warnings, line) {
		return false
	}
	s.warnings = append(s.warnings, line)
	return true
}

// Point returns the point in time that has this Number.
func (s *Set) Point(number int) (*Point, error) {
	if number < 0 || number >= len(s.points) {
		return nil, fmt.Errorf("point %d: %w", number, fs.ErrNotExist)
	}
	return s.points[number], nil
}

// NTFS returns the volumes whose files can be shown; else why there is none: ErrNoNTFS, damage, or that they are locked.
func (s *Set) NTFS() ([]*Volume, error) {
	var out []*Volume
	for _, v := range s.Volumes {
		if v.Filesystem == "ntfs" {
			out = append(out, v)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, img := range s.Images {
		if err := s.noNTFS(img); err != ErrNoNTFS {
			return nil, err
		}
	}
	return nil, ErrNoNTFS
}

// noNTFS says why an image has no volume to show: it is ErrNoNTFS, or damage or encryption behind which there may be one.
func (s *Set) noNTFS(img *Image) error {
	if errors.Is(img.TableErr, layer.ErrCorrupt) {
		return img.TableErr
	}
	if err := s.lockedOf(img); err != nil {
		return err
	}
	lost := s.Faults(img)
	if _, unread := errors.AsType[*layer.UnknownError](img.TableErr); unread {
		lost = append(lost, img.TableErr)
	}
	if len(lost) == 0 {
		return ErrNoNTFS
	}
	return fmt.Errorf("no NTFS volume in what can be read of it: %w: %w", layer.ErrCorrupt, lost[0])
}

// headerOf reads the VSS header, or returns nil when VSS was never on.
func headerOf(block layer.Source) (*diffstore.Header, error) {
	h, err := diffstore.ReadHeader(block)
	if errors.Is(err, diffstore.ErrNoSnapshots) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &h, nil
}
