package httpx

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params reads query parameters and keeps the first error. Every one that is read is known; Finish refuses others.
type Params struct {
	values url.Values
	known  []string
	err    error
}

// ReadParams begins to read those of a request.
func ReadParams(r *http.Request) Params {
	v, err := url.ParseQuery(r.URL.RawQuery)
	p := Params{values: v}
	if err != nil {
		p.err = Refuse(http.StatusBadRequest, "bad_query", "the query string can't be read: "+err.Error(), "")
	}
	return p
}

// Fail notes an error, if it is the first.
func (p *Params) Fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = BadParameter(field, format, args...)
	}
}

// Finish returns the first error; a parameter that nobody has asked for is one.
func (p *Params) Finish() error {
	if p.err != nil {
		return p.err
	}
	var unknown []string
	for k := range p.values {
		if !slices.Contains(p.known, k) {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	slices.Sort(p.known)
	name := unknown[0]
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	there := "there are none"
	if len(p.known) > 0 {
		there = "there are " + strings.Join(p.known, ", ")
	}
	return Refuse(http.StatusBadRequest, "unknown_parameter", fmt.Sprintf("%q: there is no such parameter; %s", name, there), name)
}

// One returns a parameter that may be there once, of at most max bytes; there is false where it is not, and an empty one is
// an error.
func (p *Params) One(field string, max int) (value string, there bool) {
	p.known = append(p.known, field)
	list := p.values[field]
	switch {
	case len(list) == 0:
		return "", false
	case len(list) > 1:
		p.Fail(field, "given %d times; once is enough", len(list))
	case list[0] == "":
		p.Fail(field, "empty; leave it out, or give a value")
	case len(list[0]) > max:
		p.Fail(field, "%d bytes; at most %d", len(list[0]), max)
	default:
		return list[0], true
	}
	return "", false
}

const maxValues = 64

// Has tells whether a field was given, and makes it a known one.
func (p *Params) Has(field string) bool {
	p.known = append(p.known, field)
	return p.values.Has(field)
}

// Many returns the values of a parameter that may be there more than once, or be a list with commas.
func (p *Params) Many(field string, check func(string) error) (out []string) {
	p.known = append(p.known, field)
	for _, list := range p.values[field] {
		for v := range strings.SplitSeq(list, ",") {
			if err := check(v); err != nil {
				p.Fail(field, "%v", err)
				return nil
			}
			if out = append(out, v); len(out) > maxValues {
				p.Fail(field, "more than %d values", maxValues)
				return nil
			}
		}
	}
	return out
}

// OneOf is a check for Many: the value must be in the list.
func OneOf(list []string) func(string) error {
	return func(s string) error {
		if !slices.Contains(list, s) {
			return fmt.Errorf("%.64q; one of %s", s, strings.Join(list, ", "))
		}
		return nil
	}
}

// Integer returns a whole number, otherwise where it is not there.
func (p *Params) Integer(field string, otherwise, least, most int) int {
	s, there := p.One(field, 20)
	if !there {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.Fail(field, "%q; a whole number from %d to %d", s, least, most)
		return otherwise
	}
	return n
}

// Number returns a number, nil where it is not there.
func (p *Params) Number(field string) *float64 {
	s, there := p.One(field, 40)
	if !there {
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		p.Fail(field, "%q is no number", s)
		return nil
	}
	return &n
}

var beijing = time.FixedZone("CST", 8*3600)

// Time returns Unix ms, 0 where the parameter is not there. It takes RFC 3339 and, for a day that begins in Beijing,
// 2006-01-02.
func (p *Params) Time(field string) int64 {
	s, there := p.One(field, 40)
	if !there {
		return 0
	}
	ms, reason := ParseTime(s)
	if reason != "" {
		p.Fail(field, "%s", reason)
	}
	return ms
}

// ParseTime returns Unix ms, or why it is no time.
func ParseTime(s string) (ms int64, reason string) {
	// "+08:00" that was not encoded comes as a blank.
	if i := strings.LastIndexByte(s, ' '); i == len(s)-6 && i > 0 {
		s = s[:i] + "+" + s[i+1:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.ParseInLocation(time.DateOnly, s, beijing); err != nil {
			return 0, fmt.Sprintf("%.40q is no time; write it like 2026-05-01T08:00:00+08:00 or 2026-05-01", s)
		}
	}
	if t.Year() < 1971 || t.Year() > 2199 {
		return 0, fmt.Sprintf("%q is outside of the years 1971 to 2199", s)
	}
	return t.UnixMilli(), ""
}

// Truth returns nil where the parameter is not there.
func (p *Params) Truth(field string) *bool {
	s, there := p.One(field, 8)
	if !there {
		return nil
	}
	switch s {
	case "true", "false":
	default:
		p.Fail(field, "%q; true or false", s)
		return nil
	}
	b := s == "true"
	return &b
}
