package chengine

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
)

// compressChunk is how much goes into one compressed frame.
const compressChunk = 1 << 20

// response writes a result, in frames of the native compression where the client asks for them (compress=1).
type response struct {
	w      io.Writer
	frames *compress.Writer // nil: plain
	bytes  int64            // of the result, uncompressed
	begun  bool             // a byte went out, the status with it
}

func newResponse(w io.Writer, q url.Values) *response {
	o := &response{w: w}
	if q.Get("compress") == "1" {
		method := compress.LZ4
		if strings.EqualFold(q.Get("network_compression_method"), "ZSTD") {
			method = compress.ZSTD
		}
		o.frames = compress.NewWriter(compress.LevelZero, method)
	}
	return o
}

// write sends b; it keeps nothing of it.
func (o *response) write(b []byte) error {
	o.bytes += int64(len(b))
	for len(b) > 0 {
		part := b
		if o.frames != nil {
			part = b[:min(len(b), compressChunk)]
			if err := o.frames.Compress(part); err != nil {
				return err
			}
		}
		b = b[len(part):]
		if o.frames != nil {
			part = o.frames.Data
		}
		o.begun = true
		if _, err := o.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// interrupter is a ResponseWriter that can be told to give up (RoundTrip's).
type interrupter interface{ interrupt(cause error) }

// interrupt wakes a handler that waits for its client: for rows that do not come, or for a result that is not read.
func interrupt(w http.ResponseWriter, cause error) {
	if i, ok := w.(interrupter); ok {
		i.interrupt(cause)
		return
	}
	// A server's connection: deadlines in the past end the read and the write under way.
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(past)
	_ = controller.SetWriteDeadline(past)
}
