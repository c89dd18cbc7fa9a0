package api

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/httpx"
)

// parameters are those of httpx and the ones that all paths here share.
type parameters struct{ httpx.Params }

func readParameters(r *http.Request) *parameters { return &parameters{httpx.ReadParams(r)} }

func (p *parameters) color() *ingest.Color {
	n := p.Integer("color", -1, 0, 255)
	if n < 0 {
		return nil
	}
	c := ingest.Color(n)
	return &c
}

func (p *parameters) plate() string {
	s, there := p.One("plate", 256)
	if there {
		if _, err := ingest.NewVehicle(s, 0); err != nil {
			p.Fail("plate", "%v", strings.TrimPrefix(err.Error(), "plate: "))
		}
	}
	return s
}

func (p *parameters) text(field string) string {
	s, _ := p.One(field, 128)
	return s
}

// shadow is the name of a shadow, or * for all.
func (p *parameters) shadow() string {
	s, there := p.One("shadow", 40)
	if there && s != "*" && !detect.IsShadowName(s) {
		p.Fail("shadow", "%.64q is no name of a shadow; want one of rules.yaml, or * for all", s)
	}
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
