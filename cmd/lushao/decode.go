package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lushao/ingest/jt808"
)

func newDecode() *cobra.Command {
	var protocol, edition string
	cmd := &cobra.Command{
		Use:   "decode [--protocol auto|jt808] [--edition auto|2011|2013|2019]",
		Short: "read hex frames from stdin, one a line, and print each as a JSON object",
		Long: "Reads hex frames from stdin, one a line; white space inside a line is ignored. Prints one JSON object a line, in\n" +
			"order. A bad frame gives an object with \"error\", and the next goes on.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch protocol {
			case "auto", "jt808":
			default:
				return usageError{fmt.Errorf("--protocol: %q; one of auto, jt808", protocol)}
			}
			e, ok := jt808.ParseEdition(edition)
			if !ok {
				return usageError{fmt.Errorf("--edition: %q; one of auto, 2011, 2013, 2019", edition)}
			}
			return decode(cmd.InOrStdin(), cmd.OutOrStdout(), jt808.DescribeOptions{Edition: e})
		},
	}
	cmd.Flags().StringVar(&protocol, "protocol", "auto", "protocol of the frames")
	cmd.Flags().StringVar(&edition, "edition", "auto", "edition of the standard, where the frames don't tell")
	return cmd
}

// maxHexLine bounds one line of input.
const maxHexLine = 16 << 20

func decode(in io.Reader, out io.Writer, opt jt808.DescribeOptions) error {
	r := bufio.NewReaderSize(in, 64<<10)
	w := bufio.NewWriter(out)
	defer w.Flush()
	for n := 1; ; n++ {
		line, tooLong, err := readLine(r, maxHexLine)
		if len(line) > 0 || tooLong {
			w.Write(describeLine(line, tooLong, opt))
			w.WriteByte('\n')
			// Somebody may be typing: every answer goes out once there is no more to read at once.
			if r.Buffered() == 0 {
				if err := w.Flush(); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return w.Flush()
		}
		if err != nil {
			return fmt.Errorf("stdin, line %d: %w", n, err)
		}
	}
}

// readLine reads a line and leaves out white space. What is over the limit is passed over.
func readLine(r *bufio.Reader, limit int) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		for _, c := range part {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				continue
			}
			if len(line) == limit {
				tooLong = true
				break
			}
			line = append(line, c)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

func describeLine(line []byte, tooLong bool, opt jt808.DescribeOptions) []byte {
	fail := func(reason string) []byte {
		b, _ := json.Marshal(struct { // texts only: it can't fail
			Error string `json:"error"`
		}{reason})
		return b
	}
	if tooLong {
		return fail(fmt.Sprintf("line longer than %d characters", maxHexLine))
	}
	frame := make([]byte, hex.DecodedLen(len(line)))
	if _, err := hex.Decode(frame, line); err != nil {
		if errors.Is(err, hex.ErrLength) {
			return fail(fmt.Sprintf("hex: %d characters; every byte has two", len(line)))
		}
		at, r := firstBad(line)
		return fail(fmt.Sprintf("hex: character %d, %q, is no hex digit", at, r))
	}
	return jt808.Describe(nil, frame, opt)
}

// firstBad returns the first character that is no hex digit, and its number from 1, white space not counted.
func firstBad(line []byte) (at int, r string) {
	for _, r := range string(line) {
		at++
		if !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F') {
			return at, string(r)
		}
	}
	return at, ""
}
