package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"lushao/detect/worker"
	"lushao/ingest"
	"lushao/ingest/eventfile"
	"lushao/internal/bus"
)

func newTail() *cobra.Command {
	var f configFlags
	var brokers []string
	var end, all bool
	cmd := &cobra.Command{
		Use:   "tail TOPIC",
		Short: "print a topic of the log as NDJSON",
		Long: "Prints the messages of a topic, events unpacked, one JSON object a line. It follows the topic until it is stopped;\n" +
			"with --from-start it begins with the first message that is there, with --to-end it ends with the last one.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := f.load()
			if err != nil {
				return err
			}
			if len(brokers) > 0 {
				c.Bus.Brokers = brokers
			}
			if len(c.Bus.Brokers) == 0 {
				return usageError{errors.New("--brokers: give the address of the log; \"lushao up\" prints that of its own")}
			}
			return tail(cmd.Context(), c, cmd.OutOrStdout(), args[0], all, end)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&brokers, "brokers", nil, "host:port of the log (bus.brokers)")
	cmd.Flags().BoolVar(&all, "from-start", false, "begin with the first message that is there")
	cmd.Flags().BoolVar(&end, "to-end", false, "end with the last message that is there now; implies --from-start")
	return cmd
}

func tail(ctx context.Context, c *Config, out io.Writer, topic string, all, end bool) error {
	client, err := bus.Open(c.Bus, c.Log.logger(), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	defer client.Close()
	w := &lineWriter{w: bufio.NewWriterSize(out, 256<<10)}
	print := linesOf(topic)
	if end {
		err := client.ReadAll(ctx, topic, func(m bus.Message) error { return w.write(print, []bus.Message{m}, false) })
		return errors.Join(err, w.w.Flush())
	}
	first, next, err := client.Bounds(ctx, topic)
	if err != nil {
		return err
	}
	from := next
	if all {
		from = first
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(from))
	for p, offset := range from {
		wg.Go(func() {
			errs[p] = client.Consume(ctx, topic, p, offset, func(_ context.Context, batch []bus.Message) error { return w.write(print, batch, true) })
			if errs[p] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// lineWriter keeps the lines of several partitions whole.
type lineWriter struct {
	mu  sync.Mutex
	w   *bufio.Writer
	buf []byte
}

func (w *lineWriter) write(print func(dst []byte, m *bus.Message) ([]byte, error), batch []bus.Message, flush bool) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range batch {
		var err error
		w.buf, err = print(w.buf[:0], &batch[i])
		if err != nil {
			return fmt.Errorf("partition %d offset %d: %w", batch[i].Partition, batch[i].Offset, err)
		}
		if _, err := w.w.Write(w.buf); err != nil {
			return err
		}
	}
	if flush {
		return w.w.Flush()
	}
	return nil
}

// linesOf returns how the messages of a topic are written.
func linesOf(topic string) func(dst []byte, m *bus.Message) ([]byte, error) {
	if topic == worker.EventsTopic {
		var e ingest.Event
		return func(dst []byte, m *bus.Message) ([]byte, error) {
			for rest := m.Value; len(rest) > 0; {
				var err error
				if rest, err = ingest.DecodeEvent(rest, &e); err != nil {
					return nil, err
				}
				dst = append(eventfile.AppendJSON(dst, &e), '\n')
			}
			return dst, nil
		}
	}
	return func(dst []byte, m *bus.Message) ([]byte, error) {
		if len(m.Value) > 0 && m.Value[0] == '{' {
			return append(append(dst, m.Value...), '\n'), nil
		}
		// Not text: say what it is, so that a compacted topic can be looked at.
		dst = append(dst, `{"partition":`...)
		dst = strconv.AppendInt(dst, int64(m.Partition), 10)
		dst = append(dst, `,"offset":`...)
		dst = strconv.AppendInt(dst, m.Offset, 10)
		dst = append(dst, `,"key":`...)
		dst = strconv.AppendQuoteToASCII(dst, strings.ToValidUTF8(string(m.Key), "?"))
		dst = append(dst, `,"bytes":`...)
		dst = strconv.AppendInt(dst, int64(len(m.Value)), 10)
		return append(dst, '}', '\n'), nil
	}
}
