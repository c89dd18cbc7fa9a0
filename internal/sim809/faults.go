package sim809

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Fault is a way in which a simulated platform misbehaves on request.
//
// What is broken is sent beside the message, with its serial, and the message itself follows whole. What a cut connection swallowed is
// not proven to have arrived and is sent again, so every run comes to its end and truth stays exact.
type Fault string

// Faults of data messages: of positions, driver cards and registrations of an inferior, of requests of a superior.
const (
	// FaultMainCut ends the main link without a goodbye, with what was not yet on the wire.
	FaultMainCut Fault = "main_cut"
	// FaultSubCut ends the sub link so.
	FaultSubCut Fault = "sub_cut"
	// FaultBothCut ends both links so.
	FaultBothCut Fault = "both_cut"
	// FaultHalfFrame sends half of the frame, pauses, and sends it whole.
	FaultHalfFrame Fault = "half_frame"
	// FaultBadChecksum sends the frame with a wrong CRC before it is sent right.
	FaultBadChecksum Fault = "bad_checksum"
	// FaultBadEscape sends the frame with an escape byte before a byte that needs none, before it is sent right.
	FaultBadEscape Fault = "bad_escape"
	// FaultGarbage sends up to 200 bytes, flags and escapes among them, that are no frame.
	FaultGarbage Fault = "garbage"
	// FaultWrongKey sends the frame with its body encrypted by other constants than the agreed ones, with a right CRC, before it.
	FaultWrongKey Fault = "wrong_key"
	// FaultWrongLength sends the frame with a wrong msg_length and a right CRC before it.
	FaultWrongLength Fault = "wrong_length"
	// FaultDuplicate sends the frame twice.
	FaultDuplicate Fault = "duplicate"
	// FaultChopped sends the frame byte by byte.
	FaultChopped Fault = "chopped"
	// FaultUnknown sends a message with a provincial id (section 24 of the field reference: 0x120F, 0x1242, 0x1305, …) before it.
	FaultUnknown Fault = "unknown_message"
	// FaultDeviation is one of what real peers do: version 0.0.0, a key with encrypt_flag 0, centre id 0 (superior), and in 2019 a
	// position with the byte FF behind its items, with platform ids of eleven bytes 01, or one without coordinates beside it.
	FaultDeviation Fault = "deviation"
)

// Faults of alarms (0x1402): their share is that of alarms.
const (
	// FaultMilliseconds gives the times of an alarm in milliseconds.
	FaultMilliseconds Fault = "milliseconds"
	// FaultTextLength counts the text in UTF-8 while it is GBK, so that it ends behind the end of the message.
	FaultTextLength Fault = "text_length"
)

// Faults of reads and of connections: their share is that of each.
const (
	// FaultSlowReader stops reading for a while; its share is that of frames read.
	FaultSlowReader Fault = "slow_reader"
	// FaultNoHeartbeat is the share of an inferior's logins after which it says nothing at all until the other side hangs up.
	FaultNoHeartbeat Fault = "no_heartbeat"
	// FaultWrongPassword is the share of an inferior's logins before which somebody tries with another password.
	FaultWrongPassword Fault = "wrong_password"
	// FaultWrongVerify is the share of sub links before which a superior tries with another verify code, and of those that an inferior
	// refuses although the code is right.
	FaultWrongVerify Fault = "wrong_verify"
)

// faultOrder is the order of faults in reports.
var faultOrder = [...]Fault{FaultMainCut, FaultSubCut, FaultBothCut, FaultHalfFrame, FaultBadChecksum, FaultBadEscape, FaultGarbage,
	FaultWrongKey, FaultWrongLength, FaultDuplicate, FaultChopped, FaultUnknown, FaultDeviation, FaultMilliseconds, FaultTextLength,
	FaultSlowReader, FaultNoHeartbeat, FaultWrongPassword, FaultWrongVerify}

// Faults is how often platforms misbehave: a share from 0 to 1 for each fault.
type Faults map[Fault]float64

// ParseFaults reads "half_frame=0.01,main_cut=0.002"; "none" and the empty text name none. "all=0.01" sets all that are not named.
func ParseFaults(s string) (Faults, error) {
	f := Faults{}
	if s == "" || s == "none" {
		return f, nil
	}
	rest := -1.0
	for _, part := range strings.Split(s, ",") {
		name, share, ok := strings.Cut(strings.TrimSpace(part), "=")
		v, err := strconv.ParseFloat(share, 64)
		if !ok || err != nil || !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("faults: %q: want fault=share with a share from 0 to 1, as in bad_checksum=0.02", part)
		}
		if _, twice := f[Fault(name)]; twice || name == "all" && rest >= 0 {
			return nil, fmt.Errorf("faults: %s: named twice", name)
		}
		if name == "all" {
			rest = v
			continue
		}
		f[Fault(name)] = v
	}
	if rest >= 0 {
		for _, name := range faultOrder {
			if _, named := f[name]; !named {
				f[name] = rest
			}
		}
	}
	return f, f.validate()
}

func (f Faults) validate() error {
	for name, share := range f {
		if !slices.Contains(faultOrder[:], name) {
			return fmt.Errorf("faults: %s: not a fault; want all or some of %s", name, faultNames())
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

// chaos decides when platforms misbehave.
type chaos struct {
	mu     sync.Mutex
	rng    *rand.Rand
	faults Faults
	struck [len(faultOrder)]atomic.Int64
}

func newChaos(f Faults, seed uint64) *chaos {
	return &chaos{rng: rand.New(rand.NewPCG(^seed, 809)), faults: f}
}

// strikes takes a chance for a fault and counts it.
func (c *chaos) strikes(f Fault) bool {
	share := c.faults[f]
	if share <= 0 {
		return false
	}
	c.mu.Lock()
	hit := c.rng.Float64() < share
	c.mu.Unlock()
	if hit {
		c.struck[slices.Index(faultOrder[:], f)].Add(1)
	}
	return hit
}

// below is a number from 0 to n-1.
func (c *chaos) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rng.IntN(n)
}

func (c *chaos) report() map[Fault]int64 {
	m := make(map[Fault]int64, len(faultOrder))
	for i, f := range faultOrder {
		m[f] = c.struck[i].Load()
	}
	return m
}

// Flags and escapes of frames, once more and apart from the codec: what is broken here must not depend on it.
const (
	headFlag = 0x5b
	tailFlag = 0x5d
	escHead  = 0x5a
	escTail  = 0x5e
)

// inside is what stands between the flags of a frame, unescaped: header, body and CRC.
func inside(frame []byte) []byte {
	raw := make([]byte, 0, len(frame))
	for i := 1; i < len(frame)-1; i++ {
		b := frame[i]
		if (b == escHead || b == escTail) && i+1 < len(frame)-1 {
			i++
			switch {
			case b == escHead && frame[i] == 1:
				b = headFlag
			case b == escTail && frame[i] == 1:
				b = tailFlag
			}
		}
		raw = append(raw, b)
	}
	return raw
}

// outside makes a frame of header, body and CRC.
func outside(raw []byte) []byte {
	out := append(make([]byte, 0, len(raw)+16), headFlag)
	for _, b := range raw {
		switch b {
		case headFlag:
			out = append(out, escHead, 1)
		case escHead:
			out = append(out, escHead, 2)
		case tailFlag:
			out = append(out, escTail, 1)
		case escTail:
			out = append(out, escTail, 2)
		default:
			out = append(out, b)
		}
	}
	return append(out, tailFlag)
}

// crc is CRC-16/CCITT-FALSE.
func crc(b []byte) uint16 {
	sum := uint16(0xffff)
	for _, c := range b {
		sum ^= uint16(c) << 8
		for range 8 {
			if sum&0x8000 != 0 {
				sum = sum<<1 ^ 0x1021
			} else {
				sum <<= 1
			}
		}
	}
	return sum
}

// reseal makes the CRC right after header or body were changed.
func reseal(raw []byte) []byte {
	n := len(raw) - 2
	sum := crc(raw[:n])
	raw[n], raw[n+1] = byte(sum>>8), byte(sum)
	return raw
}

// badEscape puts an escape byte before a byte that is none of 01 and 02, so that frames with it fail their CRC.
func badEscape(frame []byte, at int) []byte {
	for i := 0; i < len(frame)-2; i++ {
		k := 1 + (at+i)%(len(frame)-2)
		// Neither inside another escape nor so that a right one comes out.
		if prev := frame[k-1]; prev == escHead || prev == escTail || frame[k] == 1 || frame[k] == 2 {
			continue
		}
		return slices.Concat(frame[:k], []byte{escTail}, frame[k:])
	}
	return frame[:len(frame)-1] // nothing but escapes: no frame then
}

// garbage is no frame, but looks like some.
func (c *chaos) garbage() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]byte, 1+c.rng.IntN(200))
	for i := range out {
		if out[i] = byte(c.rng.Uint32()); c.rng.IntN(8) == 0 {
			out[i] = []byte{headFlag, tailFlag, escHead, escTail}[c.rng.IntN(4)]
		}
	}
	return out
}
