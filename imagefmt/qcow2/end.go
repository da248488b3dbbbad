package qcow2

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"snapmount/imagefmt/layer"
)

// maxRefTable is how much of the table of reference counts is looked through, in bytes: that of 2 PiB mostly.
const maxRefTable = 8 << 20

// checkEnd tells of a file that was cut: of tables that it has no longer, or of a cluster behind its end that has users.
// Nothing but the reference counts says how long the file was; they take two or three reads. Where they cannot be read,
// nothing is known.
func (d *Disk) checkEnd(h header, l1Need int) error {
	size := d.src.Size()
	if len(d.l1) < l1Need {
		return fmt.Errorf("the file is cut at 0x%x: %d of %d entries of the L1 table are missing", size, l1Need-len(d.l1), l1Need)
	}
	for _, entry := range d.l1 {
		if at := int64(entry & entryOffset); entry != 0 && at >= size {
			return fmt.Errorf("the file is cut at 0x%x: an L2 table at 0x%x is missing, and what it leads to", size, at)
		}
	}
	last := d.lastUsed(h)
	if last >= size {
		return fmt.Errorf("the file is cut at 0x%x: the cluster at 0x%x is missing, and maybe others", size, last)
	}
	return nil
}

// lastUsed is where the last cluster begins that has a reference count, 0 when that cannot be told.
func (d *Disk) lastUsed(h header) int64 {
	clusterLen := int64(1) << d.clusterBits
	n := min(int64(h.refClusters)<<d.clusterBits, maxRefTable, layer.Clip(d.src.Size(), int64(h.refOff&entryOffset), maxRefTable)) &^ 7
	table := make([]byte, n)
	if h.refBits > 6 || layer.ReadFull(d.src, table, int64(h.refOff&entryOffset)) != nil {
		return 0
	}
	i := len(table) - 8
	for i >= 0 && binary.BigEndian.Uint64(table[i:])&entryOffset == 0 {
		i -= 8
	}
	if i < 0 {
		return 0
	}
	at := int64(binary.BigEndian.Uint64(table[i:]) & entryOffset)
	block := make([]byte, clusterLen)
	if at >= d.src.Size() {
		return at
	}
	if layer.ReadFull(d.src, block, at) != nil {
		return 0
	}
	end := len(block) - 1
	for end >= 0 && block[end] == 0 {
		end--
	}
	if end < 0 {
		return 0
	}
	perBlock := clusterLen * 8 >> h.refBits
	inBlock := int64(end) * 8 >> h.refBits
	if h.refBits < 3 { // several counts in a byte, the first in the lowest bits
		inBlock += int64(bits.Len8(block[end])-1) >> h.refBits
	}
	number := int64(i/8)*perBlock + inBlock
	if number > (1<<56)>>d.clusterBits {
		return 0
	}
	return number << d.clusterBits
}
