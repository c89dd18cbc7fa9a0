package api

import (
	"context"
	"errors"
	"net/http"

	"lushao/enforce/store"
	"lushao/internal/httpx"
)

// requestError is an answer that is no success.
type requestError = httpx.Error

func badField(field, message string) error { return httpx.BadParameter(field, "%s", message) }

// toRequestError translates what went wrong. What ClickHouse says stays in the log: it may tell of tables and settings.
func toRequestError(err error) *requestError {
	var e *requestError
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrNotFound):
		return httpx.Refuse(http.StatusNotFound, "not_found", "there is no such thing in the record", "")
	case errors.Is(err, store.ErrCursor):
		return httpx.Refuse(http.StatusBadRequest, "bad_parameter", "cursor: it was not given out for this question; begin again without it", "cursor")
	case errors.Is(err, context.DeadlineExceeded):
		return httpx.Refuse(http.StatusGatewayTimeout, "timeout", "the record did not answer in time; ask for less, such as a shorter time", "")
	}
	var dir *directoryError
	if errors.As(err, &dir) {
		return httpx.Refuse(http.StatusServiceUnavailable, "unavailable", "the reference data can't be read or changed now; the log of lushao says why", "")
	}
	return httpx.Refuse(http.StatusServiceUnavailable, "unavailable", "the record can't be read now; try again later", "")
}
