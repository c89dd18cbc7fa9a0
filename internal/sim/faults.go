package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Fault is a way in which terminals misbehave on request.
//
// What is broken is sent beside the message and never counted as sent: the message itself follows whole, so every position still
// arrives, and a message that is sent again after a break is sent without a fault, so every run comes to its end. Truth stays exact with
// every fault but order, and with clock where the platform keeps positions ahead of its own clock out of its judgement. A vehicle whose
// terminal never authenticates is not in the truth, but for what the weigh stations see of it.
type Fault string

// Faults of messages; their share is that of messages.
const (
	// FaultHalf sends half of the message, pauses, and sends it whole, with the same serial.
	FaultHalf Fault = "half"
	// FaultChecksum sends the message with a wrong checksum before it is sent right, with the same serial.
	FaultChecksum Fault = "checksum"
	// FaultOversize sends a frame longer than any can be before the message.
	FaultOversize Fault = "oversize"
	// FaultGarbage sends up to 200 bytes, delimiters and escapes among them, that are no frame.
	FaultGarbage Fault = "garbage"
	// FaultDuplicate sends the message twice, with the same serial.
	FaultDuplicate Fault = "duplicate"
	// FaultOrder sends the message after the one that follows it. Truth is not exact: a platform that never goes back in time leaves the
	// late position unjudged. It needs a window of two messages or more.
	FaultOrder Fault = "order"
	// FaultClock sends the position with a wrong time before it is sent with its own: the first day that the protocol has, 1,024 weeks
	// back as receivers with an old week number do, or hours or years ahead of the real time.
	FaultClock Fault = "clock"
	// FaultParts sends the message also in sub-packages in any order, now and then with one left out, which is sent when the platform
	// asks for it (0x8003).
	FaultParts Fault = "parts"
	// FaultExtras sends the position with additional items before it that end in a broken one.
	FaultExtras Fault = "extras"
	// FaultTwo lets another connection authenticate with the same phone. The platform closes the first one, which comes back.
	FaultTwo Fault = "two"
	// FaultSlow sends 1,000 heartbeats and reads none of the answers for a while, then reads on or hangs up.
	FaultSlow Fault = "slow"
)

// Faults of connections, of moments and of vehicles; their share is that of each.
const (
	// FaultUnauthenticated reports up to three positions before the terminal authenticates.
	FaultUnauthenticated Fault = "unauthenticated"
	// FaultStorm is the share of the fleet that hangs up and connects again at once, every five minutes of simulated time.
	FaultStorm Fault = "storm"
	// FaultNever is the share of vehicles whose terminals report and never authenticate, as long as the others drive.
	FaultNever Fault = "never"
	// FaultRelay is the share of vehicles whose terminals speak over a relay, one connection for twenty of them. They have no faults of
	// connections (two, slow, storm).
	FaultRelay Fault = "relay"
)

// faultOrder is the order in which chances are taken.
var faultOrder = [...]Fault{FaultHalf, FaultChecksum, FaultOversize, FaultGarbage, FaultDuplicate, FaultOrder, FaultClock, FaultParts, FaultExtras,
	FaultTwo, FaultSlow, FaultUnauthenticated, FaultStorm, FaultNever, FaultRelay}

// Faults is how often terminals misbehave: a share from 0 to 1 for each fault, of messages, connections, moments or vehicles.
type Faults map[Fault]float64

// ParseFaults reads "half=0.01,checksum=0.02"; faults that are not named do not happen, "none" and the empty text name none.
func ParseFaults(s string) (Faults, error) {
	f := Faults{}
	if s == "" || s == "none" {
		return f, nil
	}
	for _, part := range strings.Split(s, ",") {
		name, share, ok := strings.Cut(strings.TrimSpace(part), "=")
		v, err := strconv.ParseFloat(share, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("faults: %q: want fault=share, as in checksum=0.02", part)
		}
		if _, twice := f[Fault(name)]; twice {
			return nil, fmt.Errorf("faults: %s: named twice", name)
		}
		f[Fault(name)] = v
	}
	return f, f.validate()
}

func (f Faults) validate() error {
	for name, share := range f {
		if !slices.Contains(faultOrder[:], name) {
			return fmt.Errorf("faults: %s: not a fault; want some of %s", name, faultNames())
		}
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("faults: %s: share %g; want 0 to 1", name, share)
		}
	}
	return nil
}

func faultNames() string {
	names := make([]string, len(faultOrder))
	for i, f := range faultOrder {
		names[i] = string(f)
	}
	return strings.Join(names, ", ")
}

// chaos decides when a terminal misbehaves, from a stream of chances that belongs to the vehicle alone.
type chaos struct {
	*rand.Rand
	s *Sim
}

// newChaos returns nil where no fault is asked for.
func newChaos(s *Sim, v *vehicle) *chaos {
	for _, share := range s.cfg.Faults {
		if share > 0 {
			return &chaos{rand.New(rand.NewPCG(^s.cfg.Seed, uint64(v.index))), s}
		}
	}
	return nil
}

// strikes takes a chance for a fault and counts it. A nil chaos never strikes.
func (c *chaos) strikes(f Fault) bool {
	if c == nil || c.s.cfg.Faults[f] <= 0 || c.Float64() >= c.s.cfg.Faults[f] {
		return false
	}
	c.s.n.faults[slices.Index(faultOrder[:], f)].Add(1)
	return true
}
