package store

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// A cursor says after which row a list goes on: a version byte, 8 bytes of a hash over the question, so that it is not
// used with another one, 8 bytes Unix ms, and the rest of the sorting key. To the outside it is a word without meaning.
const cursorVersion = 1

func encodeCursor(question uint64, ms int64, key string) string {
	b := append(make([]byte, 0, 17+len(key)), cursorVersion)
	b = binary.BigEndian.AppendUint64(b, question)
	b = binary.BigEndian.AppendUint64(b, uint64(ms))
	return base64.RawURLEncoding.EncodeToString(append(b, key...))
}

// decodeCursor returns ErrCursor for what this list did not give out.
func decodeCursor(s string, question uint64) (ms int64, key string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 17 || len(b) > 17+1+64 || b[0] != cursorVersion || binary.BigEndian.Uint64(b[1:]) != question {
		return 0, "", ErrCursor
	}
	ms = int64(binary.BigEndian.Uint64(b[9:]))
	if checkTime("cursor", ms) != nil {
		return 0, "", ErrCursor
	}
	return ms, string(b[17:]), nil
}

// questionHash is over the kind of a list and what it was asked for.
func questionHash(kind string, asked any) (uint64, error) {
	b, err := json.Marshal(asked)
	if err != nil {
		return 0, fmt.Errorf("store: %s: %w", kind, err)
	}
	return xxhash.Sum64(append([]byte(kind), b...)), nil
}
