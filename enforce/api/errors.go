package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"lushao/detect/reference/edit"
	"lushao/enforce/store"
)

// requestError is an answer that is no success. field is the parameter that is to blame, if it is one.
type requestError struct {
	status  int
	code    string
	message string
	field   string
	// Of refused features.
	problems []edit.Problem
	etag     string // of what is there now
}

func (e *requestError) Error() string { return e.message }

func badField(field, message string) error {
	return &requestError{status: http.StatusBadRequest, code: "bad_parameter", message: field + ": " + message, field: field}
}

// errorBody is {"error":{"code":…,"message":…,"field":…}}; field is null where no parameter is to blame.
type errorBody struct {
	Error struct {
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Field   *string `json:"field"`
		// Problems are those of features, the first 100, with the feature's place in the request.
		Problems []edit.Problem `json:"problems,omitempty"`
	} `json:"error"`
}

// toRequestError translates what went wrong. What ClickHouse says stays in the log: it may tell of tables and settings.
func toRequestError(err error) *requestError {
	var e *requestError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrNotFound):
		return &requestError{status: http.StatusNotFound, code: "not_found", message: "there is no such thing in the record"}
	case errors.Is(err, store.ErrCursor):
		return &requestError{status: http.StatusBadRequest, code: "bad_parameter", message: "cursor: it was not given out for this question; begin again without it", field: "cursor"}
	case errors.Is(err, context.DeadlineExceeded):
		return &requestError{status: http.StatusGatewayTimeout, code: "timeout", message: "the record did not answer in time; ask for less, such as a shorter time"}
	}
	var dir *directoryError
	if errors.As(err, &dir) {
		return &requestError{status: http.StatusServiceUnavailable, code: "unavailable", message: "the reference data can't be read or changed now; the log of lushao says why"}
	}
	return &requestError{status: http.StatusServiceUnavailable, code: "unavailable", message: "the record can't be read now; try again later"}
}

func writeError(w http.ResponseWriter, e *requestError) {
	h := w.Header()
	h.Del("ETag")
	if e.etag != "" {
		h.Set("ETag", e.etag)
	}
	h.Set("Cache-Control", "no-store")
	switch e.status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "2")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="lushao"`)
	}
	var body errorBody
	body.Error.Code, body.Error.Message = e.code, e.message
	body.Error.Problems = e.problems
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
