package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"lushao/ingest"
	"lushao/ingest/eventfile"
)

// posting is a weigh record on its way.
type posting struct {
	item item
	v    *vehicle
}

// postBatch is how many records go in one request at most.
const postBatch = 200

// post hands a record to the stations' line. Without a place to post to it is done with at once.
func (s *Sim) post(ctx context.Context, it item, v *vehicle) {
	if s.cfg.WeighURL == "" {
		s.acked(&it, v)
		return
	}
	select {
	case s.posts <- posting{it, v}:
	case <-ctx.Done():
	}
}

// postAll posts records until there are no more.
func (s *Sim) postAll(ctx context.Context) {
	client := &http.Client{Timeout: s.cfg.AckTimeout}
	defer client.CloseIdleConnections()
	var batch []posting
	for p := range s.posts {
		batch = append(batch[:0], p)
	more:
		for len(batch) < postBatch {
			select {
			case p, ok := <-s.posts:
				if !ok {
					break more
				}
				batch = append(batch, p)
			default:
				break more
			}
		}
		if err := s.postUntilTaken(ctx, client, batch); err != nil {
			s.fail(err)
			for range s.posts { // nobody may wait for room in it
			}
			return
		}
	}
}

// errHopeless is an answer that sending again will not change.
var errHopeless = errors.New("sending again would not help")

// postUntilTaken sends the records until the platform answers for all of them. It is safe to send them twice: a record is known by
// station and number.
func (s *Sim) postUntilTaken(ctx context.Context, client *http.Client, batch []posting) error {
	var body []byte
	for i := range batch {
		batch[i].item.events(batch[i].v, func(e *ingest.Event) { body = append(eventfile.AppendJSON(body, e), '\n') })
	}
	wait := s.cfg.BackoffMin
	for {
		refused, err := s.tryPost(ctx, client, body)
		if err == nil {
			for i := range batch {
				if why, no := refused[i]; no {
					s.refused(&batch[i].item)
					s.warn("the platform refused a weigh record", "record", batch[i].item.weigh.number, "reason", why)
				} else {
					s.acked(&batch[i].item, batch[i].v)
				}
			}
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errHopeless) {
			return fmt.Errorf("sim: weigh records to %s: %w", s.cfg.WeighURL, err)
		}
		s.warn("weigh records were not taken and are sent again", "err", err)
		s.n.resent.Add(int64(len(batch)))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		wait = min(2*wait, s.cfg.BackoffMax)
	}
}

// maxAnswer bounds an answer to a post, in bytes.
const maxAnswer = 4 << 20

// tryPost sends records once and returns the reasons of those that were refused, by their place in the body.
func (s *Sim) tryPost(ctx context.Context, client *http.Client, body []byte) (map[int]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.WeighURL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHopeless, err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if s.cfg.WeighToken != "" {
		req.Header.Set("Authorization", "Bearer "+s.cfg.WeighToken)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	switch c := resp.StatusCode; {
	case c == http.StatusOK:
	case c >= 400 && c < 500 && c != http.StatusRequestTimeout && c != http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: %s: %.200s", errHopeless, resp.Status, answer)
	default:
		return nil, fmt.Errorf("%s: %.200s", resp.Status, answer)
	}
	var a struct {
		Refused []struct {
			Index  int    `json:"index"`
			Field  string `json:"field"`
			Reason string `json:"reason"`
		} `json:"refused"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	refused := make(map[int]string, len(a.Refused))
	for _, r := range a.Refused {
		refused[r.Index] = r.Field + ": " + r.Reason
	}
	return refused, nil
}
