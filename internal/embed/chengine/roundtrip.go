package chengine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

var past = time.Unix(1, 0)

// RoundTrip serves a request in the process, with no socket: for clickhouse.Options.TransportFunc. It obeys the rules of
// http.RoundTripper; closing the body of the response cancels a statement that still runs.
func (e *Engine) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	pr, pw := io.Pipe()
	w := &pipeWriter{header: http.Header{}, body: pw, request: r.Body, ready: make(chan struct{})}
	go func() {
		defer cancel()
		if r.Body != nil {
			defer r.Body.Close()
		}
		e.ServeHTTP(w, r.WithContext(ctx))
		w.WriteHeader(http.StatusOK)
		pw.Close()
	}()
	select {
	case <-w.ready:
	case <-r.Context().Done():
		cancel()
		pr.CloseWithError(r.Context().Err())
		return nil, r.Context().Err()
	}
	return &http.Response{Status: fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &resultBody{PipeReader: pr, cancel: cancel}, ContentLength: -1, Request: r}, nil
}

// resultBody cancels its statement when it is closed.
type resultBody struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (b *resultBody) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// pipeWriter is the ResponseWriter of RoundTrip.
type pipeWriter struct {
	header  http.Header
	body    *io.PipeWriter
	request io.ReadCloser
	ready   chan struct{} // closed when status and sent are there

	mu          sync.Mutex
	status      int // 0: not sent yet
	sent        http.Header
	interrupted error
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send(status)
}

func (w *pipeWriter) send(status int) {
	if w.status == 0 {
		w.status, w.sent = status, w.header.Clone() // a copy: the handler may go on changing its own
		close(w.ready)
	}
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	if w.interrupted != nil && w.status < http.StatusBadRequest { // the text of an error still goes out
		w.mu.Unlock()
		return 0, w.interrupted
	}
	w.send(http.StatusOK) // under the same lock: from here on interrupt closes the pipe
	w.mu.Unlock()
	return w.body.Write(b)
}

// interrupt ends a Write that nobody reads, and a Read of a request's body that does not come. Before the first Write the pipe stays
// open for the error, which then has a status of its own.
func (w *pipeWriter) interrupt(cause error) {
	w.mu.Lock()
	w.interrupted = cause
	begun := w.status != 0
	w.mu.Unlock()
	if begun {
		w.body.CloseWithError(cause)
	}
	if w.request != nil {
		w.request.Close()
	}
}
