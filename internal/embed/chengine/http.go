package chengine

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	chproto "github.com/ClickHouse/ch-go/proto"
)

// notSettings are the parameters of the HTTP interface itself (ClickHouse docs, "HTTP Interface"); every other one is a setting.
var notSettings = map[string]bool{"query": true, "database": true, "default_format": true, "client_protocol_version": true, "query_id": true,
	"quota_key": true, "compress": true, "decompress": true, "user": true, "password": true, "session_id": true, "session_timeout": true,
	"session_check": true, "wait_end_of_query": true, "buffer_size": true, "role": true, "close_session": true, "stacktrace": true}

// maxStatement bounds a statement's text. Rows in bulk belong into the body of INSERT … FORMAT, which is not held in memory.
const maxStatement = 256 << 20

// insertChunk is how much of an insert's body is handed to the engine at once.
const insertChunk = 1 << 20

// request is a statement taken apart.
type request struct {
	statement  string
	data       io.Reader // rows of an INSERT; nil otherwise
	format     string    // of result and data
	database   string
	settings   map[string]string
	parameters map[string]string
}

// ServeHTTP answers as ClickHouse's HTTP interface does: /ping, and statements on every other path.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-ClickHouse-Server-Display-Name", "embedded")
	if r.URL.Path == "/ping" {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	q := r.URL.Query()
	tag := fmt.Sprintf("%016x", e.seq.Add(1)) // 16 characters, as clients expect
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-ClickHouse-Exception-Tag", tag)
	if id := q.Get("query_id"); id != "" {
		h.Set("X-ClickHouse-Query-Id", id)
	}
	o := newResponse(w, q)
	err := e.serve(w, r, q, o)
	if err == nil {
		return
	}
	code, text := describe(err)
	if o.begun { // the status is gone: the exception travels in the body, framed by the tag
		_, _ = fmt.Fprintf(w, "\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n", tag, text, len(text)+1, tag)
		return
	}
	h.Set("X-ClickHouse-Exception-Code", code)
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	status := http.StatusInternalServerError
	if errors.Is(err, ErrClosed) {
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// serve runs the statement of a request.
func (e *Engine) serve(w http.ResponseWriter, r *http.Request, q url.Values, o *response) (err error) {
	// begin comes before the body is read: Close must be able to interrupt a client that does not finish its own.
	start, kind := time.Now(), kindOther
	ctx, end, err := e.begin(r.Context())
	if err != nil {
		return err
	}
	defer end()
	unblock := context.AfterFunc(ctx, func() { interrupt(w, context.Cause(ctx)) })
	defer unblock()
	defer func() {
		result := outcomeOK
		if cause := context.Cause(ctx); err != nil && cause != nil {
			result = outcomeCancelled
			if !errors.Is(cause, ErrClosed) {
				cause = refuse(codeQueryCancelled, "QUERY_WAS_CANCELLED", "Query was cancelled: %v", cause)
			}
			err = cause
		} else if err != nil {
			result = outcomeError
		}
		e.metrics.statements.WithLabelValues(kind, result).Inc()
		e.metrics.seconds.WithLabelValues(kind).Observe(time.Since(start).Seconds())
		e.metrics.bytes.WithLabelValues("out").Add(float64(o.bytes))
	}()
	req, err := readRequest(r, q)
	if err != nil {
		return err
	}
	if helloPattern.MatchString(req.statement) {
		return e.hello(o)
	}
	kind = statementKind(req.statement)
	s, err := e.checkout(req.database, req.settings)
	if err != nil {
		return err
	}
	defer e.give(s)
	s.spoilt = spoils(req.statement)
	mark := fmt.Sprintf("/*lushao:%d*/ ", e.seq.Add(1))
	done := e.watch(ctx, mark)
	defer done()
	err = e.run(ctx, s, mark, kind, req, o)
	if ctx.Err() != nil {
		s.spoilt = true
	}
	return err
}

// run picks the way of the library: inserts with data stream in, SELECTs stream out, everything else answers at once.
func (e *Engine) run(ctx context.Context, s *session, mark, kind string, req *request, o *response) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if req.data != nil {
		statement, format := splitFormat(req.statement)
		if format == "" {
			format = req.format
		}
		err := s.conn.insert(mark+statement, format, e.chunks(ctx, req.data))
		if err != nil {
			s.spoilt = true
		}
		return err
	}
	stopped := func() error { return context.Cause(ctx) }
	if kind == kindSelect {
		err := s.conn.stream(mark+req.statement, req.format, req.parameters, stopped, o.write)
		if err == nil && o.bytes == 0 && req.format == "Native" && !formatPattern.MatchString(req.statement) {
			return e.emptyBlock(s, req, o)
		}
		var refused *engineError
		if !errors.As(err, &refused) || !strings.Contains(refused.message, "Streaming query is not supported") {
			return err
		}
	}
	result, err := s.conn.query(mark+req.statement, req.format, req.parameters)
	if err != nil {
		return err
	}
	return o.write(result)
}

// chunks reads the rows of an insert. Only a plain io.EOF ends them: a body that is cut gives another error, and the insert is dropped
// even where the cut falls between two blocks.
func (e *Engine) chunks(ctx context.Context, body io.Reader) func() ([]byte, error) {
	buf, ended := make([]byte, insertChunk), false
	in := e.metrics.bytes.WithLabelValues("in")
	return func() ([]byte, error) {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if ended {
			return nil, nil
		}
		n := 0
		for n < len(buf) && !ended {
			m, err := body.Read(buf[n:])
			n += m
			if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				ended = true
			} else if err != nil {
				return nil, refuse(codeIncorrectData, "INCORRECT_DATA", "The data of the insert end with an error after %d bytes of this part; nothing of it is inserted: %v", n, err)
			}
		}
		in.Add(float64(n))
		return buf[:n], nil
	}
}

// readRequest takes query, data and settings from where the HTTP interface has them.
func readRequest(r *http.Request, q url.Values) (*request, error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		return nil, refuse(codeNotImplemented, "NOT_IMPLEMENTED", "External tables are not implemented in the embedded ClickHouse")
	}
	var body io.Reader = r.Body
	if body == nil {
		body = http.NoBody
	}
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "":
	case "gzip":
		body, err = gzip.NewReader(body)
	case "deflate": // RFC 9110: the zlib format
		body, err = zlib.NewReader(body)
	default:
		return nil, refuse(codeNotImplemented, "NOT_IMPLEMENTED", "Content-Encoding %q is not implemented in the embedded ClickHouse; use gzip, deflate, or LZ4 or ZSTD of the protocol", encoding)
	}
	if err != nil {
		return nil, refuse(codeIncorrectData, "INCORRECT_DATA", "Content-Encoding of the body: %v", err)
	}
	if q.Get("decompress") == "1" {
		body = compress.NewReader(body)
	}
	req := &request{statement: q.Get("query"), database: q.Get("database"), format: q.Get("default_format"), settings: map[string]string{}, parameters: map[string]string{}}
	for name := range q {
		switch {
		case strings.HasPrefix(name, "param_"):
			req.parameters[name[len("param_"):]] = q.Get(name)
		case !notSettings[name]:
			req.settings[name] = q.Get(name)
		}
	}
	if req.format == "" {
		req.format = "TabSeparated"
	}
	if insertPattern.MatchString(req.statement) { // the body holds rows, if it holds anything (INSERT … SELECT has none)
		head := make([]byte, 1)
		n, err := io.ReadFull(body, head)
		if n == 1 {
			req.data = io.MultiReader(bytes.NewReader(head), body)
		} else if !errors.Is(err, io.EOF) {
			return nil, refuse(codeIncorrectData, "INCORRECT_DATA", "The body of the request: %v", err)
		}
		return req, nil
	}
	text, err := io.ReadAll(io.LimitReader(body, maxStatement+1))
	if err != nil {
		return nil, refuse(codeIncorrectData, "INCORRECT_DATA", "The body of the request: %v", err)
	}
	if len(text) > maxStatement {
		return nil, refuse(codeQueryTooLarge, "SYNTAX_ERROR", "The statement has more than %d bytes; send rows as the body of INSERT … FORMAT, with the statement in the URL", maxStatement)
	}
	if req.statement != "" && len(text) > 0 {
		req.statement += "\n"
	}
	req.statement += string(text)
	if statement, data, ok := splitInline(req.statement); ok {
		req.statement, req.data = statement, strings.NewReader(data)
	}
	if strings.TrimSpace(req.statement) == "" {
		return nil, refuse(codeQueryTooLarge, "SYNTAX_ERROR", "Empty query")
	}
	return req, nil
}

// emptyBlock answers a Native result without rows by a block that carries names and types: the library gives no byte, and clients
// want the columns.
func (e *Engine) emptyBlock(s *session, req *request, o *response) error {
	text := "DESCRIBE TABLE (" + strings.TrimRight(req.statement, "; \t\r\n") + "\n) SETTINGS describe_compact_output = 1"
	columns, err := s.conn.query(text, "RowBinary", req.parameters)
	if err != nil {
		e.log.Debug("an empty result could not be described", "error", err)
		return nil
	}
	r := chproto.NewReader(bytes.NewReader(columns))
	var body chproto.Buffer
	n := 0
	for {
		name, err := r.Str()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("description of the columns: %w", err)
		}
		kind, err := r.Str()
		if err != nil {
			return fmt.Errorf("description of the columns: %w", err)
		}
		body.PutString(name)
		body.PutString(kind)
		n++
	}
	var block chproto.Buffer
	block.PutUVarInt(uint64(n))
	block.PutUVarInt(0)
	block.PutRaw(body.Buf)
	return o.write(block.Buf)
}

// hello answers clickhouse-go's first question: one Native block. The client reads this one in the layout of its own protocol revision
// (with block info, and a byte of serialization a column), and every later one in the layout of the revision that it is told here: 0, the
// plain layout, which is the library's.
func (e *Engine) hello(o *response) error {
	var b chproto.Buffer
	b.PutUVarInt(1) // block info: overflows false, bucket -1
	b.PutBool(false)
	b.PutUVarInt(2)
	b.PutInt32(-1)
	b.PutUVarInt(0)
	b.PutUVarInt(4) // columns
	b.PutUVarInt(1) // rows
	column := func(name, kind string) {
		b.PutString(name)
		b.PutString(kind)
		b.PutBool(false) // no custom serialization
	}
	column("displayName()", "String")
	b.PutString("embedded")
	column("version()", "String")
	b.PutString(e.version)
	column("revision()", "UInt32")
	b.PutUInt32(0)
	column("timezone()", "String")
	b.PutString(e.timezone)
	return o.write(b.Buf)
}
