package gateway

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"lushao/ingest/jt808"
)

// PromptsConfig is the section prompts of the configuration.
type PromptsConfig struct {
	// Templates are the texts of prompts for violations, by kind. {limit} and the like stand for what the violation says.
	Templates map[string]string `yaml:"templates"`
	// Interval is the least time between two prompts of a kind to a vehicle; Intervals has that of single kinds.
	Interval   time.Duration            `yaml:"interval"`
	Intervals  map[string]time.Duration `yaml:"intervals"`
	Memory     int                      `yaml:"memory"`      // vehicles and kinds, and ids, that are remembered for that
	MaxPending int                      `yaml:"max_pending"` // prompts whose outcome is not written yet
}

// DefaultPromptsConfig returns texts in Chinese for what the detector sends.
func DefaultPromptsConfig() PromptsConfig {
	return PromptsConfig{
		Templates: map[string]string{
			"speeding":    "您已超速，限速{limit}公里，请减速",
			"fence_entry": "您已驶入禁行区域，请尽快驶离",

			"fatigue_continuous_ahead": "您已连续驾驶{measured}小时，连续驾驶不得超过{limit}小时，请尽快停车休息20分钟以上",
			"fatigue_night_ahead":      "您夜间已连续驾驶{measured}小时，夜间连续驾驶不得超过{limit}小时，请尽快停车休息20分钟以上",
		},
		Interval:   2 * time.Minute,
		Intervals:  map[string]time.Duration{StaffPrompt: 2 * time.Second},
		Memory:     100_000,
		MaxPending: 10_000,
	}
}

// Validate names the first setting that can't be used.
func (c *PromptsConfig) Validate() error {
	if _, err := c.templates(); err != nil {
		return err
	}
	if c.Interval < 0 {
		return errors.New("prompts.interval: must not be negative")
	}
	for kind, d := range c.Intervals {
		if d < 0 {
			return fmt.Errorf("prompts.intervals.%s: must not be negative", kind)
		}
	}
	switch {
	case c.Memory < 1:
		return fmt.Errorf("prompts.memory: %d; at least 1", c.Memory)
	case c.MaxPending < 1 || c.MaxPending > 1_000_000:
		return fmt.Errorf("prompts.max_pending: %d; from 1 to 1000000", c.MaxPending)
	}
	return nil
}

func (c *PromptsConfig) interval(kind string) time.Duration {
	if d, ok := c.Intervals[kind]; ok {
		return d
	}
	return c.Interval
}

func (c *PromptsConfig) templates() (map[string]template, error) {
	out := map[string]template{}
	for kind, text := range c.Templates {
		t, err := parseTemplate(text)
		if err != nil {
			return nil, fmt.Errorf("prompts.templates.%s: %w", kind, err)
		}
		out[kind] = t
	}
	return out, nil
}

// template is a text with places: odd elements are names of placeholders.
type template []string

// placeholders are what a template may say, each from a prompt. What is not known is empty.
var placeholders = map[string]func(m *Prompt) string{
	"plate":    func(m *Prompt) string { return m.Plate },
	"time":     func(m *Prompt) string { return m.Violation.Start.In(beijing).Format("15:04") },
	"measured": func(m *Prompt) string { return number(m.Violation.Measured) },
	"limit":    func(m *Prompt) string { return number(m.Violation.Limit) },
	"over_pct": func(m *Prompt) string { return number(m.Violation.OverPct) },
	"unit":     func(m *Prompt) string { return text(m.Violation.Unit) },
	"fence":    func(m *Prompt) string { return text(m.Violation.Fence) },
	"station":  func(m *Prompt) string { return text(m.Violation.Station) },
	"section":  func(m *Prompt) string { return text(m.Violation.Section) },
}

var beijing = time.FixedZone("CST", 8*3600)

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// number writes v as it is spoken: at most one decimal, and none where it is 0.
func number(v *float64) string {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return ""
	}
	return strings.TrimSuffix(strconv.FormatFloat(*v, 'f', 1, 64), ".0")
}

func parseTemplate(s string) (template, error) {
	var t template
	for rest := s; ; {
		before, after, found := strings.Cut(rest, "{")
		if strings.Contains(before, "}") {
			return nil, errors.New("} without {")
		}
		t = append(t, before)
		if !found {
			break
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("{ without }")
		}
		if placeholders[name] == nil {
			var names []string
			for n := range placeholders {
				names = append(names, n)
			}
			slices.Sort(names)
			return nil, fmt.Errorf("{%s} is not known; one of %s", name, strings.Join(names, ", "))
		}
		t, rest = append(t, name), behind
	}
	if _, err := promptText(strings.Join(t, "")); err != nil {
		return nil, err
	}
	return t, nil
}

func (t template) fill(m *Prompt) string {
	var b strings.Builder
	for i, s := range t {
		if i%2 == 1 {
			s = placeholders[s](m)
		}
		b.WriteString(s)
	}
	return b.String()
}

// promptText makes the text of 0x8300, or says why it can't be one.
func promptText(s string) (jt808.Text, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("not UTF-8")
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' {
			return "", fmt.Errorf("control character %U", r)
		}
	}
	if s = strings.TrimSpace(s); s == "" {
		return "", errors.New("empty")
	}
	t := jt808.GBK(s)
	if len(t) > maxPromptText {
		return "", fmt.Errorf("%d bytes in GBK; at most %d, which are %d Chinese characters", len(t), maxPromptText, maxPromptText/2)
	}
	if back := t.String(); back != s {
		for _, r := range s {
			if jt808.GBK(string(r)).String() != string(r) && r != ' ' {
				return "", fmt.Errorf("GBK, which terminals speak, has no %q", r)
			}
		}
	}
	return t, nil
}
