package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"lushao/enforce/store"
)

// requestError is an answer that is no success. field is the parameter that is to blame, if it is one.
type requestError struct {
	status  int
	code    string
	message string
	field   string
}

func (e *requestError) Error() string { return e.message }

func badField(field, message string) error {
	return &requestError{http.StatusBadRequest, "bad_parameter", field + ": " + message, field}
}

// errorBody is {"error":{"code":…,"message":…,"field":…}}; field is null where no parameter is to blame.
type errorBody struct {
	Error struct {
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Field   *string `json:"field"`
	} `json:"error"`
}

// toRequestError translates what went wrong. What ClickHouse says stays in the log: it may tell of tables and settings.
func toRequestError(err error) *requestError {
	var e *requestError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrNotFound):
		return &requestError{http.StatusNotFound, "not_found", "there is no such thing in the record", ""}
	case errors.Is(err, store.ErrCursor):
		return &requestError{http.StatusBadRequest, "bad_parameter", "cursor: it was not given out for this question; begin again without it", "cursor"}
	case errors.Is(err, context.DeadlineExceeded):
		return &requestError{http.StatusGatewayTimeout, "timeout", "the record did not answer in time; ask for less, such as a shorter time", ""}
	}
	return &requestError{http.StatusServiceUnavailable, "unavailable", "the record can't be read now; try again later", ""}
}

func writeError(w http.ResponseWriter, e *requestError) {
	h := w.Header()
	h.Del("ETag")
	h.Set("Cache-Control", "no-store")
	switch e.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "2")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="lushao"`)
	}
	var body errorBody
	body.Error.Code, body.Error.Message = e.code, e.message
	if e.field != "" {
		body.Error.Field = &e.field
	}
	writeJSON(w, e.status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a value of ours that has no JSON is a fault of ours
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":"internal","message":"the answer can't be written","field":null}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
