package platform

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"lushao/ingest"
)

// overhead is about what a request takes beside its texts.
const overhead = 600

func sizeOf(r *Request) int {
	return overhead + len(r.Body) + len(r.Answer) + len(r.Note) + len(r.Plate) + len(r.Violation)
}

func place(list []*entry, asked int64, id string) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(e *entry, id string) int {
		return cmp.Or(cmp.Compare(e.asked, asked), cmp.Compare(e.id, id))
	})
}

func insert(list []*entry, e *entry) []*entry {
	n, _ := place(list, e.asked, e.id)
	return slices.Insert(list, n, e)
}

func remove(list []*entry, e *entry) []*entry {
	if n, ok := place(list, e.asked, e.id); ok {
		return slices.Delete(list, n, n+1)
	}
	return list
}

// store puts a request in, in place of what has its id. mu is held.
func (b *Book) store(r *Request, writer string) {
	b.unlink(r.ID)
	e := &entry{id: r.ID, asked: r.Asked, r: r, size: sizeOf(r), writer: writer}
	b.byID[e.id] = e
	b.all = insert(b.all, e)
	b.byPlatform[r.Platform] = insert(b.byPlatform[r.Platform], e)
	if r.Violation != "" {
		b.byViolation[r.Violation] = insert(b.byViolation[r.Violation], e)
	}
	if r.State == StateWaiting {
		b.waiting[e.id] = e
		b.waitBytes += e.size
	}
	b.bytes += e.size
	b.metrics.requests.WithLabelValues(r.Platform, r.Kind, r.State).Inc()
	for b.bytes > b.cfg.MaxBytes || len(b.all) > b.cfg.MaxRequests {
		n := slices.IndexFunc(b.all, func(e *entry) bool { return e.r.State != StateWaiting })
		if n < 0 || b.all[n] == e {
			break
		}
		id := b.all[n].id
		b.drop(id)
		b.dead = append(b.dead, id)
	}
}

// room reports whether another request that waits fits in, were all dropped that do not wait.
func (b *Book) room(content int) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.waiting) < b.cfg.MaxRequests && b.waitBytes+content+overhead <= b.cfg.MaxBytes
}

// drop forgets a request. mu is held.
func (b *Book) drop(id string) {
	if b.unlink(id) {
		b.metrics.deleted.Inc()
	}
}

func (b *Book) unlink(id string) bool {
	e := b.byID[id]
	if e == nil {
		return false
	}
	delete(b.byID, id)
	if b.waiting[id] != nil {
		delete(b.waiting, id)
		b.waitBytes -= e.size
	}
	b.all = remove(b.all, e)
	unlist(b.byPlatform, e.r.Platform, e)
	if e.r.Violation != "" {
		unlist(b.byViolation, e.r.Violation, e)
	}
	b.bytes -= e.size
	b.metrics.requests.WithLabelValues(e.r.Platform, e.r.Kind, e.r.State).Dec()
	if e.changed != nil {
		close(e.changed)
	}
	return true
}

func unlist(lists map[string][]*entry, key string, e *entry) {
	if list := remove(lists[key], e); len(list) > 0 {
		lists[key] = list
	} else {
		delete(lists, key)
	}
}

// Get returns a request.
func (b *Book) Get(id string) (Request, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.byID[id]
	if e == nil {
		return Request{}, false
	}
	return e.r.clone(), true
}

// Find returns the latest request for which fn is true. fn must not change the request, keep it, or use the Book.
func (b *Book) Find(fn func(*Request) bool) (Request, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for n := len(b.all) - 1; n >= 0; n-- {
		if r := b.all[n].r; fn(r) {
			return r.clone(), true
		}
	}
	return Request{}, false
}

// Wait returns the request once it does not wait any more, or as it is when ctx ends.
func (b *Book) Wait(ctx context.Context, id string) (Request, error) {
	for {
		b.mu.Lock()
		e := b.byID[id]
		if e == nil {
			b.mu.Unlock()
			return Request{}, ErrUnknown
		}
		if e.r.State != StateWaiting {
			r := e.r.clone()
			b.mu.Unlock()
			return r, nil
		}
		if e.changed == nil {
			e.changed = make(chan struct{})
		}
		changed, r := e.changed, e.r
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return r.clone(), nil
		}
	}
}

// Count returns how many requests of a platform are in which state, those of all for "".
func (b *Book) Count(platform, role string) (c RequestCounts) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, e := range b.list(platform, "") {
		if role != "" && e.r.Role != role {
			continue
		}
		switch e.r.State {
		case StateWaiting:
			c.Waiting++
		case StateAnswered:
			c.Answered++
		case StateLate:
			c.Late++
		case StateOverdue:
			c.Overdue++
		case StateFailed:
			c.Failed++
		}
	}
	return c
}

// Filter chooses requests; what is empty does not limit.
type Filter struct {
	Platform, Role string
	Kinds, States  []string
	Plate          string
	Color          *ingest.Color
	Violation      string
	Since, Until   int64  // Unix ms: asked in [Since, Until)
	Limit          int    // 0: no limit
	Cursor         string // of the page before
}

func (f *Filter) has(r *Request) bool {
	return (f.Platform == "" || r.Platform == f.Platform) && (f.Role == "" || r.Role == f.Role) &&
		(len(f.Kinds) == 0 || slices.Contains(f.Kinds, r.Kind)) && (len(f.States) == 0 || slices.Contains(f.States, r.State)) &&
		(f.Plate == "" || r.Plate == f.Plate) && (f.Color == nil || r.Plate != "" && r.Color == *f.Color) &&
		(f.Violation == "" || r.Violation == f.Violation) && (f.Until == 0 || r.Asked < f.Until)
}

// list is the shortest of the indexes that holds what is asked for. mu is held.
func (b *Book) list(platform, violation string) []*entry {
	switch {
	case violation != "":
		return b.byViolation[violation]
	case platform != "":
		return b.byPlatform[platform]
	}
	return b.all
}

// List returns requests, the latest first. A cursor that was not given out finds nothing.
func (b *Book) List(f Filter) []Request {
	page, _, _ := b.Page(f)
	return page
}

// ErrCursor is the error of a cursor that Page has not given out.
var ErrCursor = errors.New("cursor: it was not given out here; begin again without it")

// Page returns requests, the latest first, and the cursor of those that come after; "" where nothing does.
func (b *Book) Page(f Filter) (page []Request, next string, err error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := b.list(f.Platform, f.Violation)
	from := len(list)
	if f.Cursor != "" {
		asked, id, err := decodeCursor(f.Cursor)
		if err != nil {
			return nil, "", err
		}
		from, _ = place(list, asked, id)
	}
	for n := from - 1; n >= 0; n-- {
		r := list[n].r
		if f.Since != 0 && r.Asked < f.Since {
			break
		}
		if !f.has(r) {
			continue
		}
		if f.Limit > 0 && len(page) == f.Limit {
			last := &page[len(page)-1]
			return page, encodeCursor(last.Asked, last.ID), nil
		}
		page = append(page, r.clone())
	}
	return page, "", nil
}

// A cursor says after which request a list goes on: a version byte, 8 bytes Unix ms, the id.
const cursorVersion = 1

func encodeCursor(asked int64, id string) string {
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, uint64(asked))
	return base64.RawURLEncoding.EncodeToString(append(b, id...))
}

func decodeCursor(s string) (asked int64, id string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 10 || len(b) > 9+maxID || b[0] != cursorVersion {
		return 0, "", ErrCursor
	}
	return int64(binary.BigEndian.Uint64(b[1:])), string(b[9:]), nil
}
