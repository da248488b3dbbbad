package points

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"snapmount/diffstore/carve"
	"snapmount/imagefmt/layer"
)

// A file of Options.CarveFrom keeps what passes over volumes found: where metadata blocks of VSS lie. Each is looked at again
// when it is used, so that the file can lead nowhere wrong.

const (
	carveSchema = 1
	// maxCarveFile bounds what of such a file is read.
	maxCarveFile = 512 << 20
	samples      = 64
	sampleSize   = 4096
)

// carveFile is the content of the file.
type carveFile struct {
	Schema  int            `json:"snapmount_carve"`
	Volumes []carvedVolume `json:"volumes"`
}

// carvedVolume is what was found on one volume, and what tells which one that is.
type carvedVolume struct {
	Name   string      `json:"name"`   // for people
	Size   int64       `json:"size"`   // bytes
	Serial string      `json:"serial"` // of the file system
	Sample string      `json:"sample"` // SHA-256 of blocks all over the volume
	Hits   []carve.Hit `json:"hits"`
}

// readCarveFile reads the file; nil when there is none yet.
func readCarveFile(name string) (*carveFile, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && info.Size() > maxCarveFile {
		err = fmt.Errorf("%s: %d bytes, more than %d: %w", name, info.Size(), maxCarveFile, layer.ErrFormat)
	}
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var f carveFile
	if err := json.Unmarshal(b, &f); err != nil || f.Schema != carveSchema {
		return nil, fmt.Errorf("%s: no result of a search for deleted snapshots, of schema %d: %w", name, carveSchema, layer.ErrFormat)
	}
	return &f, nil
}

// identity is what tells a volume from all others.
func (v *Volume) identity() carvedVolume {
	id := carvedVolume{Name: v.Name, Size: v.Block.Size()}
	if t, err := v.Current().Files(); err == nil {
		id.Serial = fmt.Sprintf("%016x", t.Serial())
	}
	h, b := sha256.New(), make([]byte, sampleSize)
	for i := range int64(samples) {
		off := id.Size / samples * i &^ (sampleSize - 1)
		n, _ := layer.Read(v.Block, b[:min(sampleSize, id.Size-off)], off, layer.Zeros)
		h.Write(b[:n])
	}
	id.Sample = hex.EncodeToString(h.Sum(nil))
	return id
}

// same reports whether both are of one volume.
func (c carvedVolume) same(o carvedVolume) bool {
	return c.Size == o.Size && c.Serial == o.Serial && c.Sample == o.Sample
}

// scanOnce gives the metadata blocks of VSS on the volume: those that the file of Options.CarveFrom has, else what a pass
// finds. A pass that was ended has found some of them.
func (v *Volume) scanOnce() []carve.Hit {
	s, id := v.set, carvedVolume{}
	if s.opts.CarveFrom != "" {
		id = v.identity()
		if s.found != nil {
			if i := slices.IndexFunc(s.found.Volumes, id.same); i >= 0 {
				return s.found.Volumes[i].Hits
			}
			s.warn(fmt.Errorf("%s: %s is of another image: %w", v.Name, s.opts.CarveFrom, errOtherImage))
			s.refused = true
			return nil
		}
	}
	hits, copies, err := carve.Scan(s.ctx, v.Block, s.opts.Progress.Of(v.Name))
	if err != nil {
		s.warn(fmt.Errorf("%s: looking for deleted snapshots: %w; what was found until then is used", v.Name, err))
		s.partly = true
	}
	if copies > 0 {
		s.warn(fmt.Errorf("%s: %d blocks of shadow copies belong elsewhere: they are copies, and not used", v.Name, copies))
	}
	id.Hits = hits
	s.scanned = append(s.scanned, id)
	return hits
}

var errOtherImage = errors.New("its size, its serial number or its content is not that of this volume")

// keepScan writes what was found, if that is all and no file has it yet.
func (s *Set) keepScan() error {
	switch {
	case s.refused:
		return fmt.Errorf("%s: %w: nothing in it is of this image; name a new file to look again", s.opts.CarveFrom, errOtherImage)
	case s.opts.CarveFrom == "" || s.found != nil || s.partly || len(s.scanned) == 0:
		return nil
	}
	b, err := json.Marshal(carveFile{carveSchema, s.scanned})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.opts.CarveFrom, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	return errors.Join(err, f.Close())
}
