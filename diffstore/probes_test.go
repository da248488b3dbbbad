package diffstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"snapmount/imagefmt/layer"
	"snapmount/imagefmt/layer/testenv"
)

// TestProbes reads ten small volumes whose every sector names itself.
func TestProbes(t *testing.T) {
	type result struct{ Ref string }
	var probes []struct {
		Image, Case string
		Block       int64
		Result      map[string]result
	}
	b, err := os.ReadFile(testenv.Shared(t, "vectors", "probe_results.json"))
	if err == nil {
		err = json.Unmarshal(b, &probes)
	}
	if err != nil {
		t.Fatal(err)
	}
	volumes := map[string]*Volume{}
	n := 0
	for _, p := range probes {
		vol := volumes[p.Image]
		if vol == nil {
			img := openImage(t, testenv.Gunzip(t, testenv.Shared(t, "vectors", "probe", p.Image+".img.gz")))
			if vol, err = Open(img, Options{}); err != nil {
				t.Fatal(err)
			}
			volumes[p.Image] = vol
		}
		for key, want := range p.Result {
			k, _ := strconv.Atoi(key)
			ref := want.Ref
			if p.Case == "row with data 0 flags 0" && k == 1 {
				ref = "live" // the row is skipped: no store keeps data in the boot block
			}
			if err := probe(vol, k, p.Block, ref); err != nil {
				t.Errorf("%s, %s, block %d, snapshot %d: %v", p.Image, p.Case, p.Block, k, err)
			}
			n++
		}
	}
	t.Logf("%d volumes, %d blocks equal", len(volumes), n)
}

// probe compares block b of snapshot k with "live", "0", "b104", or "b1[0-15] live[16-31]".
func probe(vol *Volume, k int, b int64, ref string) error {
	view, err := vol.Snapshots()[k-1].Open()
	if err != nil {
		return err
	}
	got, want := make([]byte, BlockSize), make([]byte, BlockSize)
	if _, err := view.ReadAt(got, b*BlockSize); err != nil {
		return err
	}
	for _, part := range strings.Fields(ref) {
		from, to := 0, sectors-1
		name, span, found := strings.Cut(part, "[")
		if found {
			if _, err := fmt.Sscanf(span, "%d-%d]", &from, &to); err != nil {
				return err
			}
		}
		src := b
		if n, ok := strings.CutPrefix(name, "b"); ok {
			if src, err = strconv.ParseInt(n, 10, 64); err != nil {
				return err
			}
		}
		p := want[from*sectorSize : (to+1)*sectorSize]
		if name != "0" {
			if err := layer.ReadFull(vol.base, p, src*BlockSize+int64(from)*sectorSize); err != nil {
				return err
			}
		}
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("starts %q, want %s (%q)", got[:11], ref, want[:11])
	}
	return nil
}

// TestSmallFiles decodes volume starts and catalogs of real machines.
func TestSmallFiles(t *testing.T) {
	type item struct {
		Type     int
		Size     uint64 `json:"volume_size"`
		Store    string `json:"store_guid"`
		Position uint64 `json:"stack_position"`
		Flags    string
		Time     string `json:"timestamp"`
		List     uint64 `json:"diff_table"`
		Header   uint64 `json:"app_info"`
		Ranges   uint64 `json:"location_table"`
		Current  uint64 `json:"bitmap"`
		File     string `json:"file_reference"`
		Alloc    uint64 `json:"allocation_size"`
		Previous uint64 `json:"previous_bitmap"`
		Older    uint32 `json:"unk80"`
	}
	var files map[string]struct {
		Start  *vectorHeader `json:"start_block"`
		Blocks []struct{ Offset uint64 }
		Items  []item
	}
	b, err := os.ReadFile(testenv.Shared(t, "vectors", "small_files.json"))
	if err == nil {
		err = json.Unmarshal(b, &files)
	}
	if err != nil {
		t.Fatal(err)
	}
	headers, items := 0, 0
	for name, want := range files {
		data, err := os.ReadFile(testenv.Shared(t, "data", "vss-small", name))
		if err != nil {
			t.Fatal(err)
		}
		if want.Start != nil {
			checkHeader(t, bytes.NewReader(data), *want.Start)
			headers++
			continue
		}
		c, err := readCatalog(t.Context(), area{src: shifted{data, int64(want.Blocks[0].Offset)}}, want.Blocks[0].Offset, func(err error) { t.Error(err) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, w := range want.Items {
			items++
			if w.Type == 2 {
				e := c.snapshots[0]
				c.snapshots = c.snapshots[1:]
				got := item{Type: 2, Size: e.size, Store: e.store.String(), Position: e.position, Flags: fmt.Sprintf("0x%x", uint64(e.flags)), Time: e.created.String()}
				if got != w {
					t.Errorf("%s: entry %+v, want %+v", name, got, w)
				}
				continue
			}
			e := c.stores[0]
			c.stores = c.stores[1:]
			got := item{Type: 3, Store: e.store.String(), List: e.list, Header: e.header, Ranges: e.ranges, Current: e.current, File: fmt.Sprintf("0x%x", e.file),
				Alloc: e.allocated, Previous: e.previous, Older: e.older}
			if got != w {
				t.Errorf("%s: entry %+v, want %+v", name, got, w)
			}
		}
		if len(c.snapshots)+len(c.stores) > 0 {
			t.Errorf("%s: more entries than wanted", name)
		}
	}
	t.Logf("%d headers, %d catalog entries", headers, items)
}

// shifted holds data at an offset of an otherwise empty source.
type shifted struct {
	data []byte
	off  int64
}

func (s shifted) Size() int64 { return s.off + int64(len(s.data)) }

func (s shifted) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.data).ReadAt(p, off-s.off)
}
