package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"lushao/detect"
	"lushao/ingest/jt809"
	"lushao/internal/sim"
	"lushao/internal/sim809"
)

// platformSim are the flags of "lushao sim --protocol 809" beside those of the fleet.
type platformSim struct {
	c    sim809.Config
	side string
	key  string
}

func newPlatformSim() *platformSim { return &platformSim{c: sim809.DefaultConfig()} }

const platformHelp = "\n\nWith --protocol 809 operators' platforms report the same fleet to a superior platform over JT/T 809 (--side inferior), dial it\n" +
	"at --gateway, serve their sub links at --sub-listen, and answer what they are asked. A position counts as acknowledged when a\n" +
	"heartbeat sent after it was answered; what is not, is sent again as 0x1203 after the next login. With --side superior it is the\n" +
	"other way round: it listens at --listen for such platforms, asks things of them, and writes every position that came to --events,\n" +
	"each once; --duration is real time then, and 0 unless given: until stopped.\n" +
	"Both sides need the same --access-code, --user, --password, --key, --edition and --platforms as their partner. --faults takes\n" +
	"those of platforms: main_cut, sub_cut, both_cut, half_frame, bad_checksum, bad_escape, garbage, wrong_key, wrong_length, duplicate,\n" +
	"chopped, unknown_message, deviation, milliseconds, text_length, slow_reader, no_heartbeat, wrong_password, wrong_verify, and all."

func (p *platformSim) flags(f *pflag.FlagSet) {
	c := &p.c
	f.StringVar(&p.side, "side", string(c.Side), "809: which platforms are played, inferior or superior")
	f.StringVar(&c.Listen, "listen", c.Listen, "809: host:port where a superior platform listens")
	f.StringVar(&c.SubListen, "sub-listen", c.SubListen, "809: host:port of an inferior platform's sub link; the ports of several count up, 0 is any")
	f.IntVar(&c.Platforms, "platforms", c.Platforms, "809: number of inferior platforms, among which the fleet is shared")
	f.Uint32Var(&c.AccessCode, "access-code", c.AccessCode, "809: access code of the first inferior platform; those of others count up")
	f.Uint32Var(&c.User, "user", c.User, "809: user of the first inferior platform; those of others count up")
	f.StringVar(&c.Password, "password", c.Password, "809: password of the inferior platforms, 8 bytes at most")
	f.StringVar(&p.key, "key", "", "809: M1,IA1,IC1 to encrypt with; empty: plain")
	f.StringVar(&c.Edition, "edition", c.Edition, "809: edition of JT/T 809: 2011, 2013 or 2019")
	f.DurationVar(&c.Prove, "prove-every", c.Prove, "809: time between two heartbeats of an inferior platform while positions wait for one")
	f.DurationVar(&c.Heartbeat, "heartbeat", c.Heartbeat, "809: time between two heartbeats otherwise")
	f.DurationVar(&c.InspectEvery, "inspect-every", c.InspectEvery, "809: time between inspections (0x9301), texts (0x9302) and questions for figures (0x9102) of a superior platform; 0: none")
	f.DurationVar(&c.SuperviseEvery, "supervise-every", c.SuperviseEvery, "809: time between supervision requests (0x9401); 0: none")
	f.DurationVar(&c.ExchangeEvery, "exchange-every", c.ExchangeEvery, "809: time between 0x9205 and 0x9206; 0: none")
	f.DurationVar(&c.ControlEvery, "control-every", c.ControlEvery, "809: time between control requests (0x9501 to 0x9505, 0x920A to 0x920C, 0x9601, 0x9801, 0x9802); 0: none")
}

// settle makes the configuration of the flags, of which those of the fleet are in c.
func (p *platformSim) settle(flags *pflag.FlagSet, c sim.Config, faults string) (err error) {
	p.c.Side, p.c.Fleet = sim809.Side(p.side), c
	if flags.Changed("gateway") {
		p.c.Gateway = c.Gateway
	}
	if p.c.Side == sim809.Superior && flags.Changed("duration") {
		p.c.Duration = c.Duration
	}
	if p.c.Faults, err = sim809.ParseFaults(faults); err != nil {
		return err
	}
	if p.key != "" {
		if p.c.Cipher, err = jt809.ParseCipher(p.key); err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		p.c.Encrypt = true
	}
	return p.c.Validate()
}

// openOutputs creates the files of the names; - is stdout, and an empty name none. close closes them.
func openOutputs(cmd *cobra.Command, outputs map[string]*io.Writer) (close func() error, err error) {
	var files []*os.File
	close = func() error {
		var errs []error
		for _, f := range files {
			errs = append(errs, f.Close())
		}
		return errors.Join(errs...)
	}
	for name, into := range outputs {
		switch name {
		case "":
		case "-":
			*into = cmd.OutOrStdout()
		default:
			f, err := os.Create(name)
			if err != nil {
				return nil, errors.Join(err, close())
			}
			files = append(files, f)
			*into = f
		}
	}
	return close, nil
}

func (p *platformSim) run(cmd *cobra.Command, truth, events string) (err error) {
	outputs := map[string]*io.Writer{events: &p.c.Events}
	if p.c.Side == sim809.Inferior {
		if truth == events && truth != "" {
			return usageError{errors.New("--truth, --events: give two files")}
		}
		outputs = map[string]*io.Writer{truth: &p.c.Fleet.Truth, events: &p.c.Fleet.Events}
	}
	closeAll, err := openOutputs(cmd, outputs)
	if err != nil {
		return err
	}
	defer func() {
		if e := closeAll(); err == nil {
			err = e
		}
	}()
	p.c.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	s, err := sim809.New(p.c)
	if err != nil {
		return err
	}
	begun := time.Now()
	r, err := s.Run(cmd.Context())
	if cmd.Context().Err() != nil {
		err = nil // stopped by a person
	}
	p.report(cmd.ErrOrStderr(), &r, time.Since(begun))
	if err == nil && r.LetIn > 0 {
		err = fmt.Errorf("%d logins with a wrong password or verify code were accepted", r.LetIn)
	}
	if n := r.Fleet.Positions; err == nil && n.Acknowledged < n.Sent && cmd.Context().Err() == nil {
		err = errors.New("not everything was acknowledged: see the log above for why")
	}
	return err
}

// report writes what a run came to.
func (p *platformSim) report(w io.Writer, r *sim809.Report, took time.Duration) {
	fmt.Fprintf(w, "%s: %d logins, %d sub links, %d refused, %d main and %d sub links broke; %d bad frames\n", took.Round(time.Millisecond),
		r.Logins, r.SubLinks, r.Refused, r.Breaks, r.SubBreaks, r.BadFrames)
	if p.c.Side == sim809.Inferior {
		n := r.Fleet.Positions
		fmt.Fprintf(w, "positions %d sent, %d acknowledged (%.0f/s); weigh records %d sent, %d acknowledged; %d messages sent again\n",
			n.Sent, n.Acknowledged, float64(n.Acknowledged)/took.Seconds(), r.Fleet.Weighings.Sent, r.Fleet.Weighings.Acknowledged, r.Resent)
		for _, k := range sorted(r.Fleet.Violations) {
			fmt.Fprintf(w, "  %s: %d driven and acknowledged\n", k, r.Fleet.Violations[detect.Kind(k)])
		}
	} else {
		fmt.Fprintf(w, "positions %d (%.0f/s), %d came again, %d out of order, %d encrypted, %d without a date, %d without a fix\n", r.Positions,
			float64(r.Positions)/took.Seconds(), r.Duplicates, r.Disordered, r.Encrypted, r.Undated, r.Empty)
		fmt.Fprintf(w, "serials: %d missing, %d came again; %d vehicles reported without registration\n", r.Gaps, r.Repeated, r.Unregistered)
		for _, id := range sorted(r.Asked) {
			fmt.Fprintf(w, "  %v %s: %d asked, %d answered\n", id, id.Name(), r.Asked[id], r.Answered[id])
		}
		fmt.Fprintf(w, "%d requests without an answer, %d answers without a request\n", r.Unanswered, r.Unmatched)
	}
	for _, m := range []struct {
		what string
		of   map[jt809.MessageID]int64
	}{{"sent", r.Sent}, {"received", r.Received}} {
		strange := int64(0)
		for _, id := range sorted(m.of) {
			if id.Name() == "" {
				strange += m.of[id]
				continue
			}
			fmt.Fprintf(w, "  %s %v %s: %d\n", m.what, id, id.Name(), m.of[id])
		}
		if strange > 0 {
			fmt.Fprintf(w, "  %s with ids that the standard does not have: %d\n", m.what, strange)
		}
	}
	for _, f := range sorted(r.Faults) {
		if r.Faults[f] > 0 {
			fmt.Fprintf(w, "  fault %s: %d times\n", f, r.Faults[f])
		}
	}
}

func sorted[K ~string | ~uint16](m map[K]int64) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
