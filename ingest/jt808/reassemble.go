package jt808

import (
	"fmt"
	"slices"
)

// Limits of a Reassembler where none are set.
const (
	defaultMaxParts    = 4096
	defaultMaxBytes    = 4 << 20
	defaultMaxMessages = 8
	defaultMaxAge      = 5 * 60 * 1000
	rememberedMessages = 8
)

// Reassembler puts sub-packaged messages together (4.4.3), whatever the order in which their parts come. It is for one
// connection: what one terminal sends can cost no other anything. The zero value is ready; times are Unix ms, passed in.
//
// A message is told by terminal, id, count of parts, and the serial that its first part has: the serials of its parts
// follow one another.
type Reassembler struct {
	MaxParts    int   // of a message; 0 means 4,096
	MaxBytes    int   // of all bodies that wait; 0 means 4 MiB
	MaxMessages int   // that wait; 0 means 8
	MaxAge      int64 // ms since the last part of a message; 0 means 5 minutes

	// Dropped counts messages that were given up, by age or to make room. Duplicates counts parts that had come before.
	Dropped    uint64
	Duplicates uint64

	waiting []*Partial // oldest first
	bytes   int
	done    [rememberedMessages]finished
	next    int
}

// finished remembers a message that is whole: a part that was asked for again may come after it.
type finished struct {
	key partialKey
	at  int64
}

type partialKey struct {
	phone Phone
	id    MessageID
	total uint16
	first uint16 // serial of the first part
}

// Partial is a message of which parts are missing.
type Partial struct {
	Header Header // of a part; Serial is that of the first part, PackageNo 1
	Got    int
	Begun  int64 // when its first part came
	Last   int64 // when its last part came; Unix ms

	key   partialKey
	parts map[uint16][]byte
	bytes int
}

// Missing appends the numbers of the parts that have not come, in order, at most limit: what a resend request lists.
func (p *Partial) Missing(dst []uint16, limit int) []uint16 {
	for no := 1; no <= int(p.key.total) && len(dst) < limit; no++ {
		if _, ok := p.parts[uint16(no)]; !ok {
			dst = append(dst, uint16(no))
		}
	}
	return dst
}

// Bytes is how many bytes of bodies it holds.
func (p *Partial) Bytes() int { return p.bytes }

// First returns the body of the first part, nil where it has not come. It is the reassembler's.
func (p *Partial) First() []byte { return p.parts[1] }

// Add takes a frame. When it completes a message, msg is the body, the caller's to keep, and h is changed to the header
// of the whole: the serial of the first part, no sub-packaging. A frame that is no part is returned as it is. The parts
// that are kept are copies.
func (r *Reassembler) Add(h *Header, body []byte, now int64) (msg []byte, done bool, err error) {
	if !h.Packaged() {
		return body, true, nil
	}
	r.Expire(now)
	no, total := h.PackageNo, h.PackageTotal
	maxParts := orDefault(r.MaxParts, defaultMaxParts)
	switch {
	case no == 0 || no > total:
		return nil, false, &Error{ErrValue, "pkg_no", h.Size() - 2, fmt.Sprintf("%d of %d", no, total)}
	case int(total) > maxParts:
		return nil, false, &Error{ErrLimit, "pkg_total", h.Size() - 4, fmt.Sprintf("%d, at most %d are taken", total, maxParts)}
	case len(body) > orDefault(r.MaxBytes, defaultMaxBytes):
		return nil, false, &Error{ErrLimit, "body", h.Size(), fmt.Sprintf("%d bytes, at most %d are taken", len(body), orDefault(r.MaxBytes, defaultMaxBytes))}
	}
	key := partialKey{h.Phone, h.ID, total, h.Serial - (no - 1)}
	if r.finished(key, now) {
		r.Duplicates++
		return nil, false, nil
	}
	i := slices.IndexFunc(r.waiting, func(p *Partial) bool { return p.key == key })
	if i < 0 {
		if len(r.waiting) >= orDefault(r.MaxMessages, defaultMaxMessages) {
			r.drop(0)
		}
		p := &Partial{Header: *h, Begun: now, key: key, parts: map[uint16][]byte{}}
		p.Header.Serial, p.Header.PackageNo = key.first, 1
		i = len(r.waiting)
		r.waiting = append(r.waiting, p)
	}
	p := r.waiting[i]
	p.Last = now
	if _, ok := p.parts[no]; ok {
		r.Duplicates++
		return nil, false, nil
	}
	if r.bytes+len(body) > orDefault(r.MaxBytes, defaultMaxBytes) {
		r.makeRoom(p, len(body))
		if r.bytes+len(body) > orDefault(r.MaxBytes, defaultMaxBytes) {
			r.drop(slices.Index(r.waiting, p))
			return nil, false, &Error{ErrLimit, "body", h.Size(), fmt.Sprintf("message of more than %d bytes", orDefault(r.MaxBytes, defaultMaxBytes))}
		}
	}
	if len(p.parts)+1 < int(total) {
		p.parts[no] = append([]byte(nil), body...)
		p.Got++
		p.bytes += len(body)
		r.bytes += len(body)
		return nil, false, nil
	}
	p.parts[no] = body
	msg = make([]byte, 0, p.bytes+len(body))
	for n := 1; n <= int(total); n++ {
		msg = append(msg, p.parts[uint16(n)]...)
	}
	r.remove(slices.Index(r.waiting, p))
	r.done[r.next%rememberedMessages] = finished{key, now}
	r.next++
	h.Serial, h.PackageTotal, h.PackageNo = key.first, 0, 0
	h.odd = 0
	return msg, true, nil
}

// Waiting ranges over the messages of which parts are missing, the oldest first. They must not be kept across Add.
func (r *Reassembler) Waiting(yield func(*Partial) bool) {
	for _, p := range r.waiting {
		if !yield(p) {
			return
		}
	}
}

// finished reports whether the message was whole not long ago; after MaxAge its serials may be those of another.
func (r *Reassembler) finished(key partialKey, now int64) bool {
	return slices.ContainsFunc(r.done[:], func(f finished) bool { return f.key == key && now-f.at <= r.maxAge() })
}

func (r *Reassembler) maxAge() int64 {
	if r.MaxAge <= 0 {
		return defaultMaxAge
	}
	return r.MaxAge
}

// Expire gives up the messages of which no part came for MaxAge, and returns how many they were.
func (r *Reassembler) Expire(now int64) (n int) {
	for i := 0; i < len(r.waiting); {
		if now-r.waiting[i].Last <= r.maxAge() {
			i++
			continue
		}
		r.drop(i)
		n++
	}
	return n
}

// Drop gives up a message that waits.
func (r *Reassembler) Drop(p *Partial) {
	if i := slices.Index(r.waiting, p); i >= 0 {
		r.drop(i)
	}
}

// Bytes is how many bytes of bodies wait.
func (r *Reassembler) Bytes() int { return r.bytes }

// makeRoom gives up the oldest messages but keep until n bytes more can be held.
func (r *Reassembler) makeRoom(keep *Partial, n int) {
	for i := 0; i < len(r.waiting) && r.bytes+n > orDefault(r.MaxBytes, defaultMaxBytes); {
		if r.waiting[i] == keep {
			i++
			continue
		}
		r.drop(i)
	}
}

func (r *Reassembler) drop(i int) {
	r.Dropped++
	r.remove(i)
}

func (r *Reassembler) remove(i int) {
	r.bytes -= r.waiting[i].bytes
	r.waiting = slices.Delete(r.waiting, i, i+1)
}

func orDefault(v, d int) int {
	if v <= 0 {
		return d
	}
	return v
}
