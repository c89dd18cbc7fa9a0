package gateway

import (
	"math/bits"
	"sync"
)

// Read buffers have a power of two bytes, from what an idle connection holds to what one read may bring.
const (
	minBuffer = 2 << 10
	maxBuffer = 64 << 10
)

var buffers [6]sync.Pool // of *[]byte, by size: 2 KiB to 64 KiB

func bufferClass(size int) int { return bits.Len(uint(size)) - bits.Len(uint(minBuffer)) }

func getBuffer(size int) []byte {
	if p, ok := buffers[bufferClass(size)].Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, size)
}

func putBuffer(b []byte) { buffers[bufferClass(len(b))].Put(&b) }

// resize returns a buffer of the size with the first n bytes of b in it, and gives b back.
func resize(b []byte, size, n int) []byte {
	if size == len(b) {
		return b
	}
	c := getBuffer(size)
	copy(c, b[:n])
	putBuffer(b)
	return c
}

// bucket is a token bucket: rate tokens a second, at most burst of them.
type bucket struct {
	rate, burst float64
	tokens      float64
	at          int64 // Unix ms of the last take
}

// take takes n tokens at the time now, in Unix ms, and returns for how many seconds they are overdrawn.
func (b *bucket) take(n int, now int64) float64 {
	if b.rate <= 0 {
		return 0
	}
	if b.at == 0 {
		b.tokens = b.burst
	} else if now > b.at { // a clock that is set back gives nothing, and takes nothing
		b.tokens = min(b.burst, b.tokens+float64(now-b.at)/1000*b.rate)
	}
	b.at = now
	b.tokens -= float64(n)
	return max(0, -b.tokens/b.rate)
}
