package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// States of a prompt that was not sent, besides those of a command.
const (
	PromptExpired   CommandState = "expired"   // its time was over when it came
	PromptDuplicate CommandState = "duplicate" // its id was there before
	PromptLimited   CommandState = "limited"   // the vehicle got one of the kind a short while ago
	PromptInvalid   CommandState = "invalid"   // it can't be read, or there is no text for it
)

// StaffPrompt is the kind of prompts that people send.
const StaffPrompt = "staff"

// maxPromptText is the longest text of 0x8300 in bytes of GBK (JT/T 808-2013 8.31).
const maxPromptText = 1024

// Prompt is a message to the driver of a vehicle, as it stands in the topic of prompts. Either Text or Violation is set.
type Prompt struct {
	ID        string           `json:"id"` // repetitions of an id are not sent
	Plate     string           `json:"plate"`
	Color     ingest.Color     `json:"color"`
	Kind      string           `json:"kind"`                // of the violation, or staff
	Text      string           `json:"text,omitempty"`      // as it is to be spoken
	Violation *PromptViolation `json:"violation,omitempty"` // that the template of the kind speaks of
	Urgent    bool             `json:"urgent,omitempty"`
	Expires   time.Time        `json:"expires"` // when it is of no use any more
}

// PromptViolation is what a template may say of a violation; the fields are those of the violation's own record.
type PromptViolation struct {
	Start    time.Time `json:"start"`
	Measured *float64  `json:"measured"`
	Limit    *float64  `json:"limit"`
	OverPct  *float64  `json:"over_pct"`
	Unit     *string   `json:"unit"`
	Fence    *string   `json:"fence"`
	Station  *string   `json:"station"`
	Section  *string   `json:"section"`
}

// PromptOutcome is what became of a prompt, as it is written to the topic of outcomes under the prompt's id, and answered
// to who sent it.
type PromptOutcome struct {
	ID      string       `json:"id"`
	Plate   string       `json:"plate"`
	Color   ingest.Color `json:"color"`
	Kind    string       `json:"kind"`
	Text    string       `json:"text"` // as it was sent; empty where it was not
	Outcome CommandState `json:"outcome"`
	Result  *uint8       `json:"result"` // of the terminal's 0x0001; null without one
	Time    time.Time    `json:"time"`   // of the outcome
	Seconds float64      `json:"seconds"`
}

// PromptLog is where prompts come from and outcomes go.
type PromptLog interface {
	// Follow hands over every prompt that is written from now on, until ctx ends or take fails. take may be called from
	// several goroutines.
	Follow(ctx context.Context, take func(ctx context.Context, value []byte) error) error
	// Record returns once the outcomes are in the log.
	Record(ctx context.Context, outcomes []PromptRecord) error
}

// PromptRecord is an outcome under its prompt's id.
type PromptRecord struct{ Key, Value []byte }

// Prompter brings prompts to drivers: those of the topic to the vehicles that are online here, and those of people.
type Prompter struct {
	cfg       PromptsConfig
	gateway   *Gateway
	log       PromptLog
	logger    *slog.Logger
	metrics   *promptMetrics
	templates map[string]template
	now       func() time.Time

	limits *promptLimits
	slots  chan struct{} // prompts whose outcome is not in the log yet
	ended  chan PromptOutcome
}

// NewPrompter makes a prompter that does nothing until Run.
func NewPrompter(cfg PromptsConfig, g *Gateway, log PromptLog, logger *slog.Logger, reg prometheus.Registerer) (*Prompter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	templates, err := cfg.templates()
	if err != nil {
		return nil, err
	}
	p := &Prompter{cfg: cfg, gateway: g, log: log, logger: logger, metrics: newPromptMetrics(reg, templates), templates: templates, now: time.Now,
		limits: newPromptLimits(cfg), slots: make(chan struct{}, cfg.MaxPending), ended: make(chan PromptOutcome, cfg.MaxPending)}
	return p, nil
}

// Run brings the prompts of the topic until ctx ends, then writes the outcomes that are known by then.
func (p *Prompter) Run(ctx context.Context) error {
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.log.Follow(following, p.take) }()
	var failed error
	for failed == nil {
		select {
		case o := <-p.ended:
			p.record(ctx, o)
		case err := <-done:
			done = nil
			if ctx.Err() == nil {
				failed = err
				if failed == nil {
					failed = errors.New("reading the prompts ended by itself")
				}
			}
		case <-ctx.Done():
			cancel()
			if done != nil {
				<-done
			}
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer stop()
			for {
				select {
				case o := <-p.ended:
					p.record(last, o)
				default:
					return nil
				}
			}
		}
	}
	return failed
}

// maxOutcomes is how many outcomes are written at once.
const maxOutcomes = 256

// record writes the outcome and those that are known besides it. An outcome that the log does not take is in the log of
// the program all the same.
func (p *Prompter) record(ctx context.Context, o PromptOutcome) {
	var records []PromptRecord
	for more := true; more; {
		b, err := json.Marshal(o)
		if err == nil {
			records = append(records, PromptRecord{Key: []byte(o.ID), Value: b})
		}
		<-p.slots
		if more = len(records) < maxOutcomes; more {
			select {
			case o = <-p.ended:
			default:
				more = false
			}
		}
	}
	if err := p.log.Record(ctx, records); err != nil {
		p.metrics.unrecorded.Add(float64(len(records)))
		p.logger.Warn("outcomes of prompts could not be written to the log", "outcomes", len(records), "err", err)
	}
}

// take takes a prompt of the topic. What is not for a vehicle online here is another gateway's.
func (p *Prompter) take(ctx context.Context, value []byte) error {
	var m Prompt
	err := json.Unmarshal(value, &m)
	var v ingest.Vehicle
	if err == nil {
		v, err = ingest.NewVehicle(m.Plate, m.Color)
	}
	if err == nil && (m.ID == "" || len(m.ID) > 128) {
		err = fmt.Errorf("id: %d bytes; from 1 to 128", len(m.ID))
	}
	if err != nil {
		p.metrics.count("", PromptInvalid)
		p.logger.Warn("a prompt of the log can't be read", "err", err)
		return nil
	}
	if p.gateway.sessions.of(v) == nil {
		p.metrics.elsewhere.Inc()
		return nil
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.bring(v, &m, func(o PromptOutcome) { p.ended <- o })
	return nil
}

// Send brings a text of a person to the driver and waits for the outcome, which is written to the topic too.
func (p *Prompter) Send(ctx context.Context, v ingest.Vehicle, text string, urgent bool) PromptOutcome {
	var id [16]byte
	rand.Read(id[:]) // it never fails
	m := &Prompt{ID: hex.EncodeToString(id[:]), Plate: v.Plate(), Color: v.Color, Kind: StaffPrompt, Text: text, Urgent: urgent}
	select {
	case p.slots <- struct{}{}:
	default: // outcomes are not taken by the log: to hold more of them helps nobody
		return p.outcome(m, "", p.now(), Outcome{State: CommandBusy})
	}
	ch := make(chan PromptOutcome, 1)
	p.bring(v, m, func(o PromptOutcome) {
		ch <- o
		p.ended <- o
	})
	select {
	case o := <-ch:
		return o
	case <-ctx.Done(): // the prompt is on its way; its outcome goes to the topic
		return p.outcome(m, "", p.now(), Outcome{State: CommandCancelled})
	}
}

// bring sends a prompt and calls done once with its outcome. It does not block.
func (p *Prompter) bring(v ingest.Vehicle, m *Prompt, done func(PromptOutcome)) {
	begun, text := p.now(), ""
	finish := func(o Outcome) {
		out := p.outcome(m, text, begun, o)
		p.metrics.count(m.Kind, o.State)
		p.logger.Info("prompt", "id", m.ID, "vehicle", v.String(), "kind", m.Kind, "outcome", string(o.State), "seconds", out.Seconds)
		done(out)
	}
	encoded, err := p.text(m)
	switch {
	case err != nil:
		p.logger.Warn("a prompt has no text", "id", m.ID, "kind", m.Kind, "err", err)
		finish(Outcome{State: PromptInvalid})
		return
	case !m.Expires.IsZero() && begun.After(m.Expires):
		finish(Outcome{State: PromptExpired})
		return
	}
	if state := p.limits.take(v, m.Kind, m.ID, begun); state != "" {
		finish(Outcome{State: state})
		return
	}
	text = encoded.String()
	p.gateway.start(v, jt808.IDText, func(ed jt808.Edition) jt808.Body { return textMessage(ed, encoded, m.Urgent) }, CommandOptions{}, func(o Outcome) {
		switch o.State {
		case CommandOffline, CommandBusy, CommandTooLong: // nothing was sent: the next one may be
			p.limits.giveBack(v, m.Kind, m.ID, begun)
		}
		finish(o)
	})
}

func (p *Prompter) outcome(m *Prompt, text string, begun time.Time, o Outcome) PromptOutcome {
	now := p.now()
	out := PromptOutcome{ID: m.ID, Plate: m.Plate, Color: m.Color, Kind: m.Kind, Text: text, Outcome: o.State, Time: now.UTC(),
		Seconds: now.Sub(begun).Round(time.Millisecond).Seconds()}
	switch o.State {
	case CommandDone, CommandFailed, CommandMalformed, CommandNotSupported:
		out.Result = &o.Result
	}
	return out
}

// text is what a prompt says.
func (p *Prompter) text(m *Prompt) (jt808.Text, error) {
	if m.Text != "" {
		return promptText(m.Text)
	}
	t, ok := p.templates[m.Kind]
	switch {
	case m.Violation == nil:
		return "", errors.New("neither a text nor a violation")
	case !ok:
		return "", fmt.Errorf("prompts.templates has none for the kind %q", m.Kind)
	}
	return promptText(t.fill(m))
}

// textMessage is 0x8300, spoken and shown. 2019 makes a number of bits 0 and 1, which was a bit for "urgent" before.
func textMessage(ed jt808.Edition, text jt808.Text, urgent bool) *jt808.TextMessage {
	m := &jt808.TextMessage{Flags: jt808.TextDisplay | jt808.TextTTS, Text: text}
	switch {
	case ed.Has(jt808.FeatureTextType):
		m.Type = 1 // notice
		if m.Flags |= jt808.TextNotice2019; urgent {
			m.Flags = m.Flags&^3 | jt808.TextUrgent2019
		}
	case urgent:
		m.Flags |= jt808.TextUrgent
	}
	return m
}
