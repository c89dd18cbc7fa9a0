package superior

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"lushao/ingest/jt809"
	"lushao/ingest/platform/link"
)

// Config is the section "superior" of the settings: the inferior platforms that report to us. Without peers nobody may.
type Config struct {
	Listen string       `yaml:"listen"` // host:port of the main links
	Peers  []PeerConfig `yaml:"peers"`

	LoginTimeout             time.Duration `yaml:"login_timeout"`   // from the connection to 0x1001, and from 0x9001 to 0x9002
	Silence                  time.Duration `yaml:"silence"`         // a link without a frame from the other side for so long is closed
	Heartbeat                time.Duration `yaml:"heartbeat"`       // between two 0x9005 on a sub link
	ReplaceAfter             time.Duration `yaml:"replace_after"`   // a new login takes the place of a main link that is silent for so long
	ReplaceGrace             time.Duration `yaml:"replace_grace"`   // a new login waits so long for the end of a main link that is not silent
	RefusedDelay             time.Duration `yaml:"refused_delay"`   // before a login is answered that has a wrong password or the like
	RedialDelay              time.Duration `yaml:"redial_delay"`    // between the first tries to dial a sub link
	RedialTries              int           `yaml:"redial_tries"`    // of them, before 0x9007
	RedialSlow               time.Duration `yaml:"redial_slow"`     // between the tries after them
	DialTimeout              time.Duration `yaml:"dial_timeout"`    // for a connection to a sub link
	SubAlone                 time.Duration `yaml:"sub_alone"`       // a sub link is closed so long after its main link was lost
	WriteTimeout             time.Duration `yaml:"write_timeout"`   // a platform that takes nothing for so long is cut off
	AnswerTimeout            time.Duration `yaml:"answer_timeout"`  // of requests that name no deadline
	BackfillWithin           time.Duration `yaml:"backfill_within"` // after an outage; then what is missing is asked for
	Tick                     time.Duration `yaml:"tick"`            // between two looks at the clocks of all peers
	MaxConnections           int           `yaml:"max_connections"`
	MaxConnectionsPerAddress int           `yaml:"max_connections_per_address"`
	MaxPending               int           `yaml:"max_pending"`  // connections that have not logged in
	MaxFrame                 int           `yaml:"max_frame"`    // bytes; photos come in one frame
	MaxQueue                 int           `yaml:"max_queue"`    // bytes that a platform has not taken yet, by link
	MaxVehicles              int           `yaml:"max_vehicles"` // remembered of each peer, about 300 bytes each
	MaxWatches               int           `yaml:"max_watches"`  // vehicles that one peer may apply for (0x1207)
	MaxStatic                int           `yaml:"max_static"`   // 0x9601 a minute to one peer
	Resend                   int           `yaml:"resend"`       // messages to each peer that are kept for 0x1303, 2019
	RememberAlarms           int           `yaml:"remember_alarms"`
}

// PeerConfig is an inferior platform.
type PeerConfig struct {
	Name         string      `yaml:"name"`
	AccessCode   uint32      `yaml:"access_code"` // msg_gnsscenterid
	User         uint32      `yaml:"user"`        // user_id
	Password     string      `yaml:"password"`    // at most 8 bytes
	PasswordFile string      `yaml:"password_file"`
	Addresses    []string    `yaml:"addresses"` // CIDRs that it may log in from; empty: any
	Edition      string      `yaml:"edition"`   // auto, 2011, 2013, 2019
	M1           uint32      `yaml:"m1"`
	IA1          uint32      `yaml:"ia1"`
	IC1          uint32      `yaml:"ic1"`
	Encrypt      bool        `yaml:"encrypt"`     // what we send
	PlatformID   string      `yaml:"platform_id"` // of ours, in alarms to it; 11 digits or letters
	Operator     string      `yaml:"operator"`    // of its vehicles, where the register knows none
	Region       string      `yaml:"region"`      // the same; GB/T 2260
	SubLink      SubLink     `yaml:"sub_link"`
	AskStatic    bool        `yaml:"ask_static"`  // 0x9601 after the registration of a vehicle that the register does not know
	Retransmit   bool        `yaml:"retransmit"`  // 0x9303 for serials that are missing, 2019
	CountEvery   int         `yaml:"count_every"` // positions between two 0x9101, 2011 and 2013; 0 never
	Inspections  Inspections `yaml:"inspections"`
	Supervise    Supervise   `yaml:"supervise"`
}

// Values of sub_link.dial besides host:port.
const (
	DialAsTold = "as_told" // where the platform's login says
	DialNever  = "never"
)

// SubLink says where a peer's sub link is dialled.
type SubLink struct {
	Dial string `yaml:"dial"`
}

// Inspections are those on schedule (查岗, 0x9301).
type Inspections struct {
	Every      time.Duration `yaml:"every"` // 0: none but by hand
	AnswerTime time.Duration `yaml:"answer_time"`
	ObjectType uint8         `yaml:"object_type"` // 1 the platform, 2 an operator, 3 all operators
	ObjectID   string        `yaml:"object_id"`
	Between    string        `yaml:"between"` // such as 08:00-20:00, Beijing time; empty: at any hour
}

// Supervise says what violations are to be handled by the platform (督办, 0x9401).
type Supervise struct {
	Kinds           []string      `yaml:"kinds"` // of violations; "all" for every kind; empty: none
	Within          time.Duration `yaml:"within"`
	Level           uint8         `yaml:"level"` // 0 urgent, 1 normal
	Supervisor      string        `yaml:"supervisor"`
	SupervisorTel   string        `yaml:"supervisor_tel"`
	SupervisorEmail string        `yaml:"supervisor_email"`
}

// DefaultConfig returns settings without peers. 60 s, 180 s and three tries are the standard's.
func DefaultConfig() Config {
	return Config{
		Listen:                   ":7809",
		LoginTimeout:             30 * time.Second,
		Silence:                  3 * time.Minute,
		Heartbeat:                time.Minute,
		ReplaceAfter:             70 * time.Second,
		ReplaceGrace:             2 * time.Second,
		RefusedDelay:             time.Second,
		RedialDelay:              10 * time.Second,
		RedialTries:              3,
		RedialSlow:               time.Minute,
		DialTimeout:              10 * time.Second,
		SubAlone:                 5 * time.Minute,
		WriteTimeout:             30 * time.Second,
		AnswerTimeout:            time.Minute,
		BackfillWithin:           10 * time.Minute,
		Tick:                     time.Second,
		MaxConnections:           1000,
		MaxConnectionsPerAddress: 64,
		MaxPending:               128,
		MaxFrame:                 link.DefaultMaxFrame,
		MaxQueue:                 4 << 20,
		MaxVehicles:              200_000,
		MaxWatches:               10_000,
		MaxStatic:                600,
		Resend:                   1000,
		RememberAlarms:           10_000,
	}
}

// Defaults of a peer.
const (
	defaultAnswerTime = 5 * time.Minute
	defaultWithin     = 30 * time.Minute
	maxAnswerTime     = 255 * time.Second // what one byte of seconds can say
)

func (p PeerConfig) withDefaults() PeerConfig {
	if p.Edition == "" {
		p.Edition = "auto"
	}
	if p.SubLink.Dial == "" {
		p.SubLink.Dial = DialAsTold
	}
	if p.Inspections.AnswerTime == 0 {
		p.Inspections.AnswerTime = defaultAnswerTime
	}
	if p.Inspections.ObjectType == 0 {
		p.Inspections.ObjectType = jt809.ObjectPlatform
	}
	if p.Supervise.Within == 0 {
		p.Supervise.Within = defaultWithin
	}
	return p
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	if len(c.Peers) > 0 && c.Listen == "" {
		return errors.New("superior.listen: empty; give host:port")
	}
	for _, s := range []struct {
		name string
		v    int64
	}{{"login_timeout", int64(c.LoginTimeout)}, {"silence", int64(c.Silence)}, {"heartbeat", int64(c.Heartbeat)},
		{"replace_after", int64(c.ReplaceAfter)}, {"replace_grace", int64(c.ReplaceGrace)}, {"redial_delay", int64(c.RedialDelay)}, {"redial_tries", int64(c.RedialTries)},
		{"redial_slow", int64(c.RedialSlow)}, {"dial_timeout", int64(c.DialTimeout)}, {"sub_alone", int64(c.SubAlone)},
		{"write_timeout", int64(c.WriteTimeout)}, {"answer_timeout", int64(c.AnswerTimeout)}, {"backfill_within", int64(c.BackfillWithin)},
		{"tick", int64(c.Tick)}, {"max_connections", int64(c.MaxConnections)}, {"max_connections_per_address", int64(c.MaxConnectionsPerAddress)},
		{"max_pending", int64(c.MaxPending)}, {"max_vehicles", int64(c.MaxVehicles)}, {"max_watches", int64(c.MaxWatches)},
		{"max_static", int64(c.MaxStatic)}, {"resend", int64(c.Resend)}, {"remember_alarms", int64(c.RememberAlarms)}} {
		if s.v <= 0 {
			return fmt.Errorf("superior.%s: must be greater than 0", s.name)
		}
	}
	switch {
	case c.MaxFrame < 1024 || c.MaxFrame > 64<<20:
		return fmt.Errorf("superior.max_frame: %d bytes; from 1024 to %d", c.MaxFrame, 64<<20)
	case c.MaxQueue < 4096:
		return fmt.Errorf("superior.max_queue: %d bytes; at least 4096", c.MaxQueue)
	case c.RefusedDelay < 0:
		return errors.New("superior.refused_delay: must not be negative")
	case c.Heartbeat >= c.Silence:
		return fmt.Errorf("superior.heartbeat: %v; must be shorter than superior.silence, %v", c.Heartbeat, c.Silence)
	}
	names, codes := map[string]int{}, map[uint32]int{}
	for i := range c.Peers {
		p := c.Peers[i].withDefaults()
		if err := p.validate(); err != nil {
			return fmt.Errorf("superior.peers[%d].%w", i, err)
		}
		if j, ok := names[p.Name]; ok {
			return fmt.Errorf("superior.peers[%d].name: %q is that of superior.peers[%d] too", i, p.Name, j)
		}
		if j, ok := codes[p.AccessCode]; ok {
			return fmt.Errorf("superior.peers[%d].access_code: %d is that of superior.peers[%d] too", i, p.AccessCode, j)
		}
		names[p.Name], codes[p.AccessCode] = i, i
	}
	return nil
}

// maxPassword is the size of the password's field.
const maxPassword = 8

func (p *PeerConfig) validate() error {
	switch {
	case p.Name == "" || len(p.Name) > 64 || strings.ContainsFunc(p.Name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' }):
		return fmt.Errorf("name: %q; give a word of at most 64 bytes", p.Name)
	case p.AccessCode == 0:
		return errors.New("access_code: must be greater than 0")
	case (p.Password == "") == (p.PasswordFile == ""):
		return errors.New("password: give it, or password_file, one of them")
	case len(p.Password) > maxPassword:
		return fmt.Errorf("password: %d bytes; at most %d", len(p.Password), maxPassword)
	case p.Encrypt && p.cipher() == (jt809.Cipher{}):
		return errors.New("encrypt: true, but m1, ia1 and ic1 are 0; give the constants that were agreed")
	case len(p.PlatformID) > 11:
		return fmt.Errorf("platform_id: %q; at most 11 bytes", p.PlatformID)
	case p.CountEvery < 0:
		return errors.New("count_every: must not be negative")
	case p.Inspections.Every < 0:
		return errors.New("inspections.every: must not be negative")
	case p.Inspections.AnswerTime < time.Second:
		return fmt.Errorf("inspections.answer_time: %v; at least 1s", p.Inspections.AnswerTime)
	case p.Inspections.ObjectType > jt809.ObjectOperators:
		return fmt.Errorf("inspections.object_type: %d; 1, 2 or 3", p.Inspections.ObjectType)
	case len(p.Inspections.ObjectID) > 20:
		return fmt.Errorf("inspections.object_id: %q; at most 20 bytes", p.Inspections.ObjectID)
	case p.Supervise.Within < time.Second:
		return fmt.Errorf("supervise.within: %v; at least 1s", p.Supervise.Within)
	case p.Supervise.Level > 1:
		return fmt.Errorf("supervise.level: %d; 0 urgent or 1 normal", p.Supervise.Level)
	case len(p.Region) > 0 && (len(p.Region) != 6 || strings.Trim(p.Region, "0123456789") != ""):
		return fmt.Errorf("region: %q; six digits of GB/T 2260", p.Region)
	}
	if _, ok := jt809.ParseEdition(p.Edition); !ok {
		return fmt.Errorf("edition: %q; one of auto, 2011, 2013, 2019", p.Edition)
	}
	if _, err := p.prefixes(); err != nil {
		return err
	}
	if d := p.SubLink.Dial; d != DialAsTold && d != DialNever {
		if _, port, err := net.SplitHostPort(d); err != nil || port == "" {
			return fmt.Errorf("sub_link.dial: %q; one of as_told, never, host:port", d)
		}
	}
	if _, _, err := hours(p.Inspections.Between); err != nil {
		return fmt.Errorf("inspections.between: %w", err)
	}
	return nil
}

func (p *PeerConfig) cipher() jt809.Cipher { return jt809.Cipher{M1: p.M1, IA1: p.IA1, IC1: p.IC1} }

func (p *PeerConfig) edition() jt809.Edition {
	ed, _ := jt809.ParseEdition(p.Edition)
	return ed
}

func (p *PeerConfig) prefixes() ([]netip.Prefix, error) {
	list := make([]netip.Prefix, 0, len(p.Addresses))
	for i, a := range p.Addresses {
		prefix, err := netip.ParsePrefix(a)
		if err != nil {
			addr, e := netip.ParseAddr(a)
			if e != nil {
				return nil, fmt.Errorf("addresses[%d]: %q; an address, or a network such as 10.1.0.0/16", i, a)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}

// supervises reports whether violations of the kind are supervised.
func (p *PeerConfig) supervises(kind string) bool {
	return slices.Contains(p.Supervise.Kinds, kind) || slices.Contains(p.Supervise.Kinds, "all")
}

// password reads the password.
func (p *PeerConfig) password() (string, error) {
	if p.PasswordFile == "" {
		return p.Password, nil
	}
	b, err := os.ReadFile(p.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	s := strings.TrimSpace(string(b))
	if s == "" || len(s) > maxPassword {
		return "", fmt.Errorf("password_file: %s has %d bytes; from 1 to %d", p.PasswordFile, len(s), maxPassword)
	}
	return s, nil
}

// hours reads hh:mm-hh:mm as minutes of the day. The end may be before the begin: over midnight.
func hours(s string) (from, to int, err error) {
	if s == "" {
		return 0, 24 * 60, nil
	}
	a, b, _ := strings.Cut(s, "-")
	for _, x := range []struct {
		text string
		v    *int
	}{{a, &from}, {b, &to}} {
		text := strings.TrimSpace(x.text)
		if text == "24:00" {
			*x.v = 24 * 60
			continue
		}
		t, err := time.Parse("15:04", text)
		if err != nil {
			return 0, 0, fmt.Errorf("%q; hours such as 08:00-20:00", s)
		}
		*x.v = t.Hour()*60 + t.Minute()
	}
	return from, to, nil
}

var beijing = time.FixedZone("", 8*3600)

// within reports whether a time is in the hours.
func within(between string, at time.Time) bool {
	from, to, err := hours(between)
	if err != nil {
		return false
	}
	at = at.In(beijing)
	m := at.Hour()*60 + at.Minute()
	if from <= to {
		return m >= from && m < to
	}
	return m >= from || m < to
}
