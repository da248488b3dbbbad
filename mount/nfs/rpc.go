package nfs

import (
	"errors"
	"fmt"
)

// Programs and their one version that is served.
const (
	programNFS   = 100003
	programMount = 100005
	version3     = 3

	rpcVersion = 2
	msgCall    = 0
	msgReply   = 1
)

// States of an accepted call.
const (
	success          = 0
	programUnknown   = 1
	programMismatch  = 2
	procedureUnknown = 3
	garbage          = 4
	systemError      = 5
)

// Flavours of credentials, and limits of what is in them.
const (
	authNull = 0
	authUnix = 1

	maxAuth    = 400
	maxMachine = 255
	maxGroups  = 16
)

// credential is who a client says that it is.
type credential struct {
	uid, gid uint32
	groups   []uint32
	known    bool // it says so
}

// A request is one call and the reply to it.
type request struct {
	server                 *Server
	done                   func() // leaves its tree
	xid                    uint32
	rpc                    uint32
	program, version, proc uint32
	who                    credential
	badAuth                bool
	args                   decoder
	out                    encoder
}

// newRequest decodes the head of a call: u32 xid, kind, RPC version, program, version, procedure, then credential and
// verifier, of u32 flavour and bytes each. Its error ends the connection.
func (s *Server) newRequest(b []byte) (*request, error) {
	r := &request{server: s, args: decoder{b: b}}
	d := &r.args
	r.xid = d.u32()
	kind := d.u32()
	r.rpc, r.program, r.version, r.proc = d.u32(), d.u32(), d.u32(), d.u32()
	if d.bad || kind != msgCall {
		return nil, fmt.Errorf("a message of 0x%x bytes and kind %d, want a call", len(b), kind)
	}
	flavour, body := d.u32(), decoder{b: d.opaque(maxAuth)}
	d.u32() // of the verifier, which these flavours have no use for
	d.opaque(maxAuth)
	switch flavour {
	case authNull:
	case authUnix:
		r.who.decode(&body)
		r.badAuth = body.bad
	default:
		r.badAuth = true
	}
	if d.bad && !r.badAuth && r.rpc == rpcVersion {
		return nil, errors.New("a call ends in its head")
	}
	return r, nil
}

// decode reads an AUTH_UNIX credential: u32 stamp, name of the machine, u32 uid, u32 gid, and a list of more groups.
func (c *credential) decode(d *decoder) {
	d.u32()
	d.opaque(maxMachine)
	c.uid, c.gid = d.u32(), d.u32()
	n := d.u32()
	if n > maxGroups {
		d.bad = true
	}
	for range min(n, maxGroups) {
		c.groups = append(c.groups, d.u32())
	}
	c.known = !d.bad
}

// begin begins a reply, after room for the length of its record.
func (r *request) begin() {
	r.out.b = r.out.b[:0]
	r.out.u32(0)
	r.out.u32(r.xid)
	r.out.u32(msgReply)
}

// accept begins a reply to a call that is accepted, with an empty verifier.
func (r *request) accept(state uint32) {
	r.begin()
	for _, v := range []uint32{0, authNull, 0, state} {
		r.out.u32(v)
	}
}

// deny replies to a call that is not accepted.
func (r *request) deny(words ...uint32) {
	r.begin()
	for _, v := range append([]uint32{1}, words...) {
		r.out.u32(v)
	}
}

// seal puts the length of the record in its place.
func (r *request) seal() { be.PutUint32(r.out.b, uint32(len(r.out.b)-4)|lastFragment) }

// reply answers the call, whatever it is.
func (r *request) reply() {
	const mismatch, authError, badCredential = 0, 1, 1
	switch table := programs[r.program]; {
	case r.rpc != rpcVersion:
		r.deny(mismatch, rpcVersion, rpcVersion)
	case r.badAuth:
		r.deny(authError, badCredential)
	case table == nil:
		r.accept(programUnknown)
	case r.version != version3:
		r.accept(programMismatch)
		r.out.u32(version3)
		r.out.u32(version3)
	case r.procedure() == nil:
		r.accept(procedureUnknown)
	default:
		r.accept(success)
		r.run(r.procedure())
	}
}

// run does a procedure that is there.
func (r *request) run(p *procedure) {
	at := len(r.out.b)
	if p.status {
		r.out.u32(0)
	}
	err := p.do(r)
	if r.args.bad {
		r.accept(garbage)
		return
	}
	if err == nil {
		return
	}
	r.out.b = r.out.b[:at]
	r.out.u32(status(err))
	for range p.omits {
		r.out.u32(0)
	}
	r.tell(err)
}

// procedure is what the call asks for; nil if that is nothing of ours.
func (r *request) procedure() *procedure {
	table := programs[r.program]
	if r.version != version3 || r.proc >= uint32(len(table)) || table[r.proc].do == nil {
		return nil
	}
	return &table[r.proc]
}

func (r *request) heavy() bool { p := r.procedure(); return p != nil && p.heavy }

func (r *request) name() string {
	if p := r.procedure(); p != nil {
		return p.name
	}
	return fmt.Sprintf("procedure %d of program %d", r.proc, r.program)
}
