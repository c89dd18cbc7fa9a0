package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/internal/bus"
)

// PromptsTopic holds what drivers are to be told. Every gateway reads all of it; one partition is enough.
const PromptsTopic = "prompts"

// promptAge is how old a report may be when it comes, and how long after that its violation is worth telling the driver:
// who is told of what is long past learns nothing by it.
const promptAge = 2 * time.Minute

func checkPrompts(kinds []string) error {
	var known []string
	for _, k := range detect.Kinds() {
		known = append(known, string(k))
	}
	for _, k := range detect.WarningKinds() {
		known = append(known, ahead(k))
	}
	for _, k := range kinds {
		if !slices.Contains(known, k) {
			return fmt.Errorf("detect.prompts: %q; any of %s", k, strings.Join(known, ", "))
		}
	}
	return nil
}

// ahead is the kind of a prompt that warns of a violation before it is one.
func ahead(k detect.Kind) string { return string(k) + "_ahead" }

// prompt is a message of PromptsTopic, as the gateway reads it. Its id is the violation's or the warning's, so that one that is judged
// again after a crash is told once.
type prompt struct {
	ID        string       `json:"id"`
	Plate     string       `json:"plate"`
	Color     ingest.Color `json:"color"`
	Kind      string       `json:"kind"`
	Violation any          `json:"violation"` // *detect.Violation, or *detect.Warning of one that is ahead
	Expires   detect.Time  `json:"expires"`
}

// prompts hands prompts to the log beside the detector's own work: whether a driver is told must not hold up what is
// recorded. Of what the log does not take in time, the rest is dropped and counted.
type prompts struct {
	kinds   []string
	now     func() time.Time
	metrics *metrics
	queue   chan bus.KeyedMessage
}

// maxPrompts is how many prompts wait for the log.
const maxPrompts = 4096

func newPrompts(kinds []string, m *metrics) *prompts {
	return &prompts{kinds: kinds, now: time.Now, metrics: m, queue: make(chan bus.KeyedMessage, maxPrompts)}
}

// put takes the prompts for violations that opened with the events, the first of which has the version first. Of what a shadow finds
// nobody is told.
func (p *prompts) put(vs []detect.Violation, events []ingest.Event, first uint64) {
	for i := range vs {
		v := &vs[i]
		if v.State == detect.StateOpen && v.Shadow == "" {
			p.tell(prompt{ID: v.ID, Plate: v.Plate, Color: v.Color, Kind: string(v.Kind), Violation: v}, v.Version-first, events)
		}
	}
}

// warn takes the prompts for what the events brought near. Nothing else is done with a warning.
func (p *prompts) warn(ws []detect.Warning, events []ingest.Event, first uint64) {
	for i := range ws {
		w := &ws[i]
		p.metrics.warnings.WithLabelValues(string(w.Kind)).Inc()
		p.tell(prompt{ID: w.ID, Plate: w.Plate, Color: w.Color, Kind: ahead(w.Kind), Violation: w}, w.Version-first, events)
	}
}

// tell takes a prompt that is due to the event of a number, where it is wanted and still of use.
func (p *prompts) tell(m prompt, n uint64, events []ingest.Event) {
	if n >= uint64(len(events)) || !slices.Contains(p.kinds, m.Kind) || !p.live(&events[n]) {
		return
	}
	m.Expires = detect.Time(events[n].Received + promptAge.Milliseconds())
	b, err := json.Marshal(m)
	if err != nil {
		return // put of partition has written the same violation, and a warning is numbers and texts: this can't happen
	}
	select {
	case p.queue <- bus.KeyedMessage{Key: []byte(m.ID), Value: b}:
	default:
		p.metrics.droppedPrompts.Inc()
	}
}

// live reports whether the event says what is now: neither sent later than it happened, nor read long after it came.
func (p *prompts) live(e *ingest.Event) bool {
	late := e.Received - e.Time
	return late <= promptAge.Milliseconds() && late >= -promptAge.Milliseconds() && e.Flags&ingest.FlagBackfill == 0 &&
		p.now().UnixMilli()-e.Received <= promptAge.Milliseconds()
}

// promptWriter is the log.
type promptWriter interface {
	WriteKeyed(ctx context.Context, topic string, messages ...bus.KeyedMessage) error
}

// run writes prompts until ctx ends.
func (p *prompts) run(ctx context.Context, log promptWriter, failed func(error)) {
	for {
		var batch []bus.KeyedMessage
		select {
		case m := <-p.queue:
			batch = append(batch, m)
		case <-ctx.Done():
			return
		}
		for len(batch) < 256 && len(p.queue) > 0 { // this is the only reader
			batch = append(batch, <-p.queue)
		}
		// What took longer than this is late.
		bounded, cancel := context.WithTimeout(ctx, promptAge)
		err := log.WriteKeyed(bounded, PromptsTopic, batch...)
		cancel()
		if err != nil {
			p.metrics.droppedPrompts.Add(float64(len(batch)))
			if ctx.Err() == nil {
				failed(err)
			}
			continue
		}
		p.metrics.prompts.Add(float64(len(batch)))
	}
}
