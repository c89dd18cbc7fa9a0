package httpx

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Error is an answer that is no success: {"error":{"code":…,"message":…,"field":…}}. Field is the parameter or member that
// is to blame, if it is one.
type Error struct {
	Status  int
	Code    string
	Message string
	Field   string
	// Problems lists what is wrong with each of many things that were sent; its JSON stands beside the message. Nil: none.
	Problems any
	ETag     string // of what is there now, where that is why
}

func (e *Error) Error() string { return e.Message }

// Refuse makes an Error; field may be empty.
func Refuse(status int, code, message, field string) *Error {
	return &Error{Status: status, Code: code, Message: message, Field: field}
}

// BadParameter is the error of a parameter or member that can't be used.
func BadParameter(field, format string, args ...any) error {
	return Refuse(http.StatusBadRequest, "bad_parameter", field+": "+fmt.Sprintf(format, args...), field)
}

// ErrorBody is the JSON of an Error.
type ErrorBody struct {
	Error struct {
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Field   *string `json:"field"` // null where none is to blame
		// Problems are those of many things that were sent.
		Problems any `json:"problems,omitempty"`
	} `json:"error"`
}

// WriteError answers with e.
func WriteError(w http.ResponseWriter, e *Error) {
	h := w.Header()
	h.Del("ETag")
	if e.ETag != "" {
		h.Set("ETag", e.ETag)
	}
	switch e.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", "2")
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="lushao"`)
	}
	var body ErrorBody
	body.Error.Code, body.Error.Message, body.Error.Problems = e.Code, e.Message, e.Problems
	if e.Field != "" {
		body.Error.Field = &e.Field
	}
	h.Set("Cache-Control", "no-store")
	WriteJSON(w, e.Status, body)
}

// WriteJSON answers with v.
func WriteJSON(w http.ResponseWriter, status int, v any) {
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

// ReadJSON reads the body of a request, of at most max bytes and without members that into does not have. The content type
// must be JSON's, which pages of others can't send unasked. The error is an *Error.
func ReadJSON(w http.ResponseWriter, r *http.Request, max int64, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return Refuse(http.StatusUnsupportedMediaType, "bad_content_type", "send JSON, with Content-Type: application/json", "")
	}
	rc := http.NewResponseController(w)
	rc.SetReadDeadline(time.Now().Add(10 * time.Second)) // who sends slowly must not hold a place
	defer rc.SetReadDeadline(time.Time{})                // left in place, it would end the request while the other side thinks
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, max))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the object")
		}
	}
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return Refuse(http.StatusRequestEntityTooLarge, "too_large", fmt.Sprintf("at most %d bytes", max), "")
	case err != nil:
		return Refuse(http.StatusBadRequest, "bad_json", strings.TrimPrefix(err.Error(), "json: "), "")
	}
	return nil
}
