package nfs

import (
	"strings"
	"sync"
	"testing"
)

// TestPanic has a server without a tree fail at each call that looks into it; it answers so, and takes the next one.
func TestPanic(t *testing.T) {
	var told []string
	s := &Server{warned: func(err error) { told = append(told, err.Error()) }, large: make(chan struct{}, 1), buffers: &sync.Pool{New: func() any { return new(encoder) }}}
	for _, proc := range []uint32{1, 6, 17} {
		for range 3 {
			call := encoder{}
			for _, v := range []uint32{7, msgCall, rpcVersion, programNFS, version3, proc, authNull, 0, authNull, 0, handleSize, 0, 0, 0, 1, 0, 0, 0, 9, 0, 9} {
				call.u32(v)
			}
			reply, err := Answer(s, call.b)
			if err != nil || len(reply) != 28 || be.Uint32(reply) != lastFragment|24 || be.Uint32(reply[24:]) != systemError {
				t.Errorf("procedure %d: %x, %v", proc, reply, err)
			}
		}
	}
	if len(told) != 9 || !strings.Contains(told[0], "GETATTR: panic: ") {
		t.Errorf("told is %q", told)
	}
}
