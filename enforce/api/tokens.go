package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Tokens says who may do more than read: who has one of the tokens. Without tokens it is whoever is on the same machine,
// where nobody else can reach it: allow_anonymous is for reading, not for speaking to drivers.
type Tokens struct {
	sums  [][sha256.Size]byte
	local bool
}

// NewTokens reads the tokens of the settings. listen is the address that is served on.
func NewTokens(cfg Config, listen string) (*Tokens, error) {
	sums, err := cfg.tokens()
	if err != nil {
		return nil, err
	}
	return &Tokens{sums: sums, local: loopback(listen)}, nil
}

// Allowed reports whether the request may be answered.
func (t *Tokens) Allowed(r *http.Request) bool {
	if len(t.sums) == 0 {
		return t.local
	}
	return bears(r, t.sums)
}

// bearer returns the token of a request; empty if there is none.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// bears reports whether the request has one of the tokens.
func bears(r *http.Request, tokens [][sha256.Size]byte) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	ok := 0
	for i := range tokens { // all of them, so that the time does not tell which
		ok |= subtle.ConstantTimeCompare(sum[:], tokens[i][:])
	}
	return ok == 1 && strings.EqualFold(scheme, "Bearer")
}
