package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"lushao/ingest/jt808"
	"lushao/ingest/jt809"
)

func newDecode() *cobra.Command {
	var protocol, edition, key string
	cmd := &cobra.Command{
		Use:   "decode [--protocol auto|jt808|jt809] [--edition auto|2011|2013|2019] [--key M1,IA1,IC1]",
		Short: "read hex frames from stdin, one a line, and print each as a JSON object",
		Long: "Reads hex frames from stdin, one a line; white space inside a line is ignored. Prints one JSON object a line, in\n" +
			"order. A bad frame gives an object with \"error\", and the next goes on.\n\n" +
			"Frames are taken as they are on the wire, escaped, with their flags or without; frames of JT/T 809 also as logs\n" +
			"have them, unescaped. What begins with 7e is JT/T 808, with 5b JT/T 809; of what has no flags the checksum decides.\n\n" +
			"--key has the three numbers that two platforms of JT/T 809 agree upon, decimal or with 0x in front; the key of a\n" +
			"frame is in its header. Without it an encrypted body is shown as raw bytes, with \"key_missing\".",
		Example: "  lushao decode --protocol jt809 --key 10000000,20000000,30000000 < frames.txt",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o := decodeOptions{protocol: protocol}
			switch protocol {
			case "auto", "jt808", "jt809":
			default:
				return usageError{fmt.Errorf("--protocol: %q; one of auto, jt808, jt809", protocol)}
			}
			var ok bool
			if o.jt808.Edition, ok = jt808.ParseEdition(edition); !ok {
				return usageError{fmt.Errorf("--edition: %q; one of auto, 2011, 2013, 2019", edition)}
			}
			o.jt809.Edition, _ = jt809.ParseEdition(edition) // of the same names
			if key != "" {
				c, err := jt809.ParseCipher(key)
				if err != nil {
					return usageError{fmt.Errorf("--key: %w", err)}
				}
				o.jt809.Cipher = &c
			}
			return decode(cmd.InOrStdin(), cmd.OutOrStdout(), o)
		},
	}
	cmd.Flags().StringVar(&protocol, "protocol", "auto", "protocol of the frames")
	cmd.Flags().StringVar(&edition, "edition", "auto", "edition of the standard, where the frames don't tell")
	cmd.Flags().StringVar(&key, "key", "", "M1,IA1,IC1 of the cipher of JT/T 809")
	return cmd
}

// decodeOptions are the choices of the decode command.
type decodeOptions struct {
	protocol string // auto, jt808, jt809; empty is auto
	jt808    jt808.DescribeOptions
	jt809    jt809.DescribeOptions
}

// describe describes a frame of the protocol that it is of.
func (o *decodeOptions) describe(frame []byte) []byte {
	if o.protocol == "jt809" || o.protocol != "jt808" && is809(frame) {
		return jt809.Describe(nil, frame, o.jt809)
	}
	return jt808.Describe(nil, frame, o.jt808)
}

// is809 tells the protocol of a frame by its flags. Where they are left out, the checksum tells, which of JT/T 809 has 16
// bits and is the surer one; or, where it is wrong, the length that a frame of JT/T 809 begins with. No message of JT/T 808
// begins with 00 00.
func is809(frame []byte) bool {
	switch {
	case len(frame) < 4 || frame[0] == 0x7e:
		return len(frame) > 0 && frame[0] == 0x5b
	case frame[0] == 0x5b:
		return true
	}
	return jt809.ChecksumFits(frame) || frame[0] == 0 && frame[1] == 0 && binary.BigEndian.Uint32(frame) == uint32(len(frame)+2)
}

// maxHexLine bounds one line of input.
const maxHexLine = 16 << 20

func decode(in io.Reader, out io.Writer, opt decodeOptions) error {
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

func describeLine(line []byte, tooLong bool, opt decodeOptions) []byte {
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
	return opt.describe(frame)
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
