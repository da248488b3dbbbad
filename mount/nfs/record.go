package nfs

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	// maxRecord is how long a call may be: the longest is a WRITE, which is refused, of maxWrite bytes.
	maxRecord = maxWrite + 4096
	// maxFragments is how many parts a call may have. Clients send one.
	maxFragments = 64
	// recordTime is how long a client may take from the first byte of a call to its last.
	recordTime = 30 * time.Second

	lastFragment = 1 << 31
)

// A stream is the calls of a connection.
type stream struct {
	net.Conn
	in *bufio.Reader
}

// record reads a call: fragments of a u32, whose top bit is set in the last and whose others are its length, and its bytes.
func (s *stream) record() ([]byte, error) {
	var all []byte
	var mark [4]byte
	for parts := 1; ; parts++ {
		if _, err := io.ReadFull(s.in, mark[:]); err != nil {
			return nil, err
		}
		v := be.Uint32(mark[:])
		n := int64(v &^ lastFragment)
		if int64(len(all))+n > maxRecord || parts > maxFragments {
			return nil, fmt.Errorf("a call of 0x%x bytes in %d fragments, want 0x%x in %d at most: no NFS client is there",
				int64(len(all))+n, parts, maxRecord, maxFragments)
		}
		if int64(s.in.Buffered()) < n || v < lastFragment {
			_ = s.SetReadDeadline(time.Now().Add(recordTime)) // where there is none, the client's machine tells of its end
		}
		all = append(all, make([]byte, n)...)
		if _, err := io.ReadFull(s.in, all[int64(len(all))-n:]); err != nil {
			return nil, err
		}
		if v >= lastFragment {
			_ = s.SetReadDeadline(time.Time{})
			return all, nil
		}
	}
}
