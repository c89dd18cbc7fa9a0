package api

import (
	"net/http"
	"testing"
)

func TestTokensForMoreThanReading(t *testing.T) {
	const token = "0123456789abcdef"
	for _, c := range []struct {
		listen, header string
		cfg            Config
		want           bool
	}{
		{"127.0.0.1:8080", "", Config{}, true},
		{"0.0.0.0:8080", "", Config{}, false},
		{"0.0.0.0:8080", "", Config{AllowAnonymous: true}, false},
		{"127.0.0.1:8080", "", Config{Tokens: []string{token}}, false},
		{"0.0.0.0:8080", "Bearer " + token, Config{Tokens: []string{"fedcba9876543210", token}}, true},
		{"0.0.0.0:8080", "Basic " + token, Config{Tokens: []string{token}}, false},
		{"0.0.0.0:8080", "Bearer " + token + "x", Config{Tokens: []string{token}}, false},
		{"0.0.0.0:8080", "Bearer", Config{Tokens: []string{token}}, false},
	} {
		tokens, err := NewTokens(c.cfg, c.listen)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := http.NewRequest("POST", "/", nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		if got := tokens.Allowed(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if _, err := NewTokens(Config{Tokens: []string{"short"}}, ""); err == nil {
		t.Error("a short token is taken")
	}
}
