package api

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"lushao/detect"
	"lushao/ingest"
)

// parameters reads query parameters and keeps the first error. Every one that is read is known; finish refuses others.
type parameters struct {
	values url.Values
	known  []string
	err    error
}

func readParameters(r *http.Request) *parameters {
	v, err := url.ParseQuery(r.URL.RawQuery)
	p := &parameters{values: v}
	if err != nil {
		p.err = &requestError{status: http.StatusBadRequest, code: "bad_query", message: "the query string can't be read: " + err.Error()}
	}
	return p
}

func (p *parameters) fail(field, format string, args ...any) {
	if p.err == nil {
		p.err = badField(field, fmt.Sprintf(format, args...))
	}
}

// finish returns the first error; a parameter that nobody has asked for is one.
func (p *parameters) finish() error {
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
	return &requestError{status: http.StatusBadRequest, code: "unknown_parameter", message: fmt.Sprintf("%q: there is no such parameter; there are %s", name, strings.Join(p.known, ", ")), field: name}
}

// one returns a parameter that may be there once; there is false where it is not, and an empty one is an error.
func (p *parameters) one(field string, max int) (value string, there bool) {
	p.known = append(p.known, field)
	list := p.values[field]
	switch {
	case len(list) == 0:
		return "", false
	case len(list) > 1:
		p.fail(field, "given %d times; once is enough", len(list))
	case list[0] == "":
		p.fail(field, "empty; leave it out, or give a value")
	case len(list[0]) > max:
		p.fail(field, "%d bytes; at most %d", len(list[0]), max)
	default:
		return list[0], true
	}
	return "", false
}

const maxValues = 64

// many returns the values of a parameter that may be there more than once, or be a list with commas.
func (p *parameters) many(field string, check func(string) error) (out []string) {
	p.known = append(p.known, field)
	for _, list := range p.values[field] {
		for v := range strings.SplitSeq(list, ",") {
			if err := check(v); err != nil {
				p.fail(field, "%v", err)
				return nil
			}
			if out = append(out, v); len(out) > maxValues {
				p.fail(field, "more than %d values", maxValues)
				return nil
			}
		}
	}
	return out
}

func (p *parameters) integer(field string, otherwise, least, most int) int {
	s, there := p.one(field, 20)
	if !there {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail(field, "%q; a whole number from %d to %d", s, least, most)
		return otherwise
	}
	return n
}

func (p *parameters) color() *ingest.Color {
	if len(p.values["color"]) == 0 {
		p.known = append(p.known, "color")
		return nil
	}
	c := ingest.Color(p.integer("color", 0, 0, 255))
	return &c
}

// time returns Unix ms, 0 where the parameter is not there. It takes RFC 3339 and, for a day that begins in Beijing,
// 2006-01-02.
func (p *parameters) time(field string) int64 {
	s, there := p.one(field, 40)
	if !there {
		return 0
	}
	ms, reason := parseTime(s)
	if reason != "" {
		p.fail(field, "%s", reason)
	}
	return ms
}

// parseTime returns Unix ms, or why it is no time.
func parseTime(s string) (ms int64, reason string) {
	// "+08:00" that was not encoded comes as a blank.
	if i := strings.LastIndexByte(s, ' '); i == len(s)-6 && i > 0 {
		s = s[:i] + "+" + s[i+1:]
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		if t, err = time.ParseInLocation(time.DateOnly, s, detect.Beijing); err != nil {
			return 0, fmt.Sprintf("%.40q is no time; write it like 2026-05-01T08:00:00+08:00 or 2026-05-01", s)
		}
	}
	if t.Year() < 1971 || t.Year() > 2199 {
		return 0, fmt.Sprintf("%q is outside of the years 1971 to 2199", s)
	}
	return t.UnixMilli(), ""
}

// truth returns nil where the parameter is not there.
func (p *parameters) truth(field string) *bool {
	s, there := p.one(field, 8)
	if !there {
		return nil
	}
	switch s {
	case "true", "false":
	default:
		p.fail(field, "%q; true or false", s)
		return nil
	}
	b := s == "true"
	return &b
}

func (p *parameters) number(field string) *float64 {
	s, there := p.one(field, 40)
	if !there {
		return nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		p.fail(field, "%q is no number", s)
		return nil
	}
	return &n
}

func (p *parameters) plate() string {
	s, there := p.one("plate", 256)
	if there {
		if _, err := ingest.NewVehicle(s, 0); err != nil {
			p.fail("plate", "%v", strings.TrimPrefix(err.Error(), "plate: "))
		}
	}
	return s
}

func (p *parameters) text(field string) string {
	s, _ := p.one(field, 128)
	return s
}

var wordRE = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func checkKind(s string) error {
	if !wordRE.MatchString(s) {
		return fmt.Errorf("%.64q is no kind; kinds are words such as speeding", s)
	}
	return nil
}

func checkClass(s string) error {
	if _, ok := detect.ParseClass(s); !ok {
		return fmt.Errorf("%.64q is no class; classes are words such as hazmat", s)
	}
	return nil
}

var bands = []string{"<10", "10-20", "20-50", "50-70", ">=70"}

func checkBand(s string) error {
	if !slices.Contains(bands, s) {
		return fmt.Errorf("%.64q; one of %s", s, strings.Join(bands, ", "))
	}
	return nil
}

var states = []string{string(detect.StateOpen), string(detect.StateClosed), string(detect.StateRetracted)}

func checkState(s string) error {
	if !slices.Contains(states, s) {
		return fmt.Errorf("%.64q; one of %s", s, strings.Join(states, ", "))
	}
	return nil
}
