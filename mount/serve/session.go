package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// session is who may ask: who has the token, or a cookie that was given for it. Cookies are signed by a key that is kept in
// memory alone, so they die with the process, and none tells the token.
type session struct {
	token  string
	key    [32]byte
	cookie string // its name, with the port: cookies go to all ports of a host

	mu     sync.Mutex
	ticket string // lets in once; empty when it did
}

const secretSize = 16 // bytes

func newSession(port int) *session {
	s := &session{token: secret(secretSize), cookie: "snapmount-" + strconv.Itoa(port)}
	_, _ = rand.Read(s.key[:]) // never fails
	return s
}

// newTicket makes a ticket; an older one is void.
func (s *session) newTicket() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticket = secret(secretSize)
	return s.ticket
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// takes reports whether a word is the token, or the ticket, which it voids.
func (s *session) takes(word string) bool {
	if same(word, s.token) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ticket == "" || !same(word, s.ticket) {
		return false
	}
	s.ticket = ""
	return true
}

func (s *session) signed(nonce string) string {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(nonce))
	return nonce + "." + hex.EncodeToString(m.Sum(nil))
}

// newCookie makes a cookie that lets in.
func (s *session) newCookie() *http.Cookie {
	return &http.Cookie{Name: s.cookie, Value: s.signed(secret(secretSize)), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// knows reports whether a request comes from who may ask: with a cookie, or with the token as the password of any user.
func (s *session) knows(r *http.Request) bool {
	for _, c := range r.CookiesNamed(s.cookie) {
		if nonce, _, ok := strings.Cut(c.Value, "."); ok && same(c.Value, s.signed(nonce)) {
			return true
		}
	}
	_, password, ok := r.BasicAuth()
	return ok && same(password, s.token)
}
