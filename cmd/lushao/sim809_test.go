package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/internal/testport"
)

// TestSimPlatforms lets both sides of the simulator meet as a person would start them.
func TestSimPlatforms(t *testing.T) {
	address := testport.Reserve(t)
	dir := t.TempDir()
	came, sent := filepath.Join(dir, "came.ndjson"), filepath.Join(dir, "sent.ndjson")
	both := []string{"sim", "--protocol", "809", "--key", "10000000,20000000,30000000", "--edition", "2013", "--access-code", "7", "--user", "8", "--password", "geheim"}
	play := func(ctx context.Context, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := newRoot()
		cmd.SetArgs(append(append([]string(nil), both...), args...))
		cmd.SetErr(&out)
		err := cmd.ExecuteContext(ctx)
		return out.String(), err
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	type result struct {
		out string
		err error
	}
	superior := make(chan result, 1)
	working, done := context.WithCancel(ctx)
	defer done()
	go func() {
		out, err := play(working, "--side", "superior", "--listen", address, "--events", came)
		superior <- result{out, err}
	}()
	out, err := play(ctx, "--gateway", address, "--vehicles", "5", "--duration", "10m", "--rate", "0", "--weigh", "", "--weigh-token-file", "",
		"--prove-every", "50ms", "--events", sent)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	done()
	if r := <-superior; r.err != nil || !strings.Contains(r.out, "positions 300 ") || !strings.Contains(r.out, "received 0x1005 heartbeat") {
		t.Errorf("%v\n%s", r.err, r.out)
	}
	if !strings.Contains(out, "positions 300 sent, 300 acknowledged") {
		t.Error(out)
	}
	count := func(name string) int {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte(`"type":"position"`))
	}
	if a, b := count(sent), count(came); a != 300 || b != 300 {
		t.Errorf("%d positions in the file of the one side, %d of the other; want 300", a, b)
	}
}

func TestSimPlatformFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--side both": "side", "--key 1,2": "--key", "--edition 1999": "edition", "--faults storm=0.1": "faults", "--platforms 0": "platforms",
		"--gateway x": "gateway", "--side superior --listen x": "listen", "--password 123456789": "password",
	} {
		cmd := newRoot()
		cmd.SetArgs(append([]string{"sim", "--protocol", "809"}, strings.Fields(args)...))
		err := cmd.ExecuteContext(t.Context())
		if _, usage := err.(usageError); !usage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want wrong usage that names %s", args, err, want)
		}
	}
}
