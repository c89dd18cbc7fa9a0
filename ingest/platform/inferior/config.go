package inferior

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt809"
)

// Config of the role "inferior": the superior platforms that we report to.
type Config struct {
	Listen string       `yaml:"listen"` // host:port where superiors dial their sub links; empty: none does, everything goes over the main links
	Peers  []PeerConfig `yaml:"peers"`

	Heartbeat       time.Duration `yaml:"heartbeat"`        // between two 0x1005 on a main link; each proves what was sent before it
	Silence         time.Duration `yaml:"silence"`          // a link without a frame from the other side for so long is closed
	LoginTimeout    time.Duration `yaml:"login_timeout"`    // for the connection, for 0x1002, and for 0x9001 on the sub link
	BackoffMin      time.Duration `yaml:"backoff_min"`      // before the main link is dialled again
	BackoffMax      time.Duration `yaml:"backoff_max"`      // it doubles up to this
	RefusedBackoff  time.Duration `yaml:"refused_backoff"`  // after results 1 to 4 of a login: somebody must change the settings first
	BusyBackoff     time.Duration `yaml:"busy_backoff"`     // after result 5: no resources, or connected already
	VerifyGrace     time.Duration `yaml:"verify_grace"`     // a sub link may be dialled before the 0x1002 with its code is read
	WriteTimeout    time.Duration `yaml:"write_timeout"`    // a link whose other side takes nothing for so long is closed
	LogoutTimeout   time.Duration `yaml:"logout_timeout"`   // for the last proof and for 0x1004 when we stop
	MaxFrame        int           `yaml:"max_frame"`        // bytes
	MaxQueue        int           `yaml:"max_queue"`        // bytes of a link that the other side has not taken yet; then the log is not read
	MaxUnproven     int           `yaml:"max_unproven"`     // messages sent on a main link until a 0x1005 is sent ahead of time
	MaxVehicles     int           `yaml:"max_vehicles"`     // remembered for each peer and partition
	MaxStored       int           `yaml:"max_stored"`       // answers of each peer that wait while both links are down
	MaxControl      int           `yaml:"max_control"`      // requests for vehicles of each peer that are on their way at a time
	MaxSubLogins    int           `yaml:"max_sub_logins"`   // connections to listen that have not logged in
	RetransmitBytes int           `yaml:"retransmit_bytes"` // of each peer of 2019: what was sent last, for 0x9303
	RememberAlarms  int           `yaml:"remember_alarms"`  // of each peer, to tell which violation is supervised
	AnswerWithin    time.Duration `yaml:"answer_within"`    // for inspections and supervisions that name no deadline
	ControlTimeout  time.Duration `yaml:"control_timeout"`  // for a vehicle's answer to a request
	CountInterval   time.Duration `yaml:"count_interval"`   // between two counts of what was sent, 2019
}

// PeerConfig is a superior platform.
type PeerConfig struct {
	Name         string     `yaml:"name"`
	Address      string     `yaml:"address"`       // host:port of its main link
	AccessCode   uint32     `yaml:"access_code"`   // msg_gnsscenterid, given by it
	User         uint32     `yaml:"user"`          // user_id
	Password     string     `yaml:"password"`      // at most 8 bytes
	PasswordFile string     `yaml:"password_file"` // read instead of password
	PlatformID   string     `yaml:"platform_id"`   // of ours, 11 digits or letters
	ProducerID   string     `yaml:"producer_id"`   // maker of the terminals, in 0x1201, where the register has none
	Edition      string     `yaml:"edition"`       // 2011, 2013, 2019
	Version      string     `yaml:"version"`       // protocol version agreed, such as 1.2.15
	M1           uint32     `yaml:"m1"`
	IA1          uint32     `yaml:"ia1"`
	IC1          uint32     `yaml:"ic1"`
	Encrypt      bool       `yaml:"encrypt"`
	SubAddress   string     `yaml:"sub_address"` // ip:port told in 0x1001, where the superior reaches listen
	Forward      Forward    `yaml:"forward"`
	OnRequest    bool       `yaml:"on_request"` // forward also the vehicles that it asks for by 0x9205, until 0x9206
	From         string     `yaml:"from"`       // where a new peer's positions begin: now, beginning (of the log)
	Alarms       Alarms     `yaml:"alarms"`
	Inspection   Inspection `yaml:"inspection"`
	CountID      string     `yaml:"count_id"` // of the count of positions sent, 2019: 0x9101, 0x1101
}

// Forward chooses vehicles. A vehicle is forwarded when it is in plates, or when it fits every list of classes, operators
// and regions that is not empty, at least one being given, or when all is set.
type Forward struct {
	All       bool     `yaml:"all"`
	Classes   []string `yaml:"classes"`
	Operators []string `yaml:"operators"`
	Regions   []string `yaml:"regions"` // GB/T 2260; a shorter one, such as 53, means all that begin with it
	Plates    []string `yaml:"plates"`  // plate/colour, such as 云A8K216/2
}

// Alarms chooses what is reported as 0x1402.
type Alarms struct {
	Kinds []string          `yaml:"kinds"` // of violations; "all" for every kind; empty: none is reported
	Types map[string]uint16 `yaml:"types"` // warn_type by kind, over the usual ones
}

// Ways to answer an inspection (查岗).
const (
	AnswerAuto  = "auto"
	AnswerStaff = "staff"
)

// Inspection says how 0x9301 is answered.
type Inspection struct {
	Answer       string `yaml:"answer"` // auto: sums are solved, anything else gets text; staff: by a person, over the API
	Responder    string `yaml:"responder"`
	ResponderTel string `yaml:"responder_tel"`
	Text         string `yaml:"text"`
}

// Where a new peer's positions begin.
const (
	FromNow       = "now"
	FromBeginning = "beginning"
)

// DefaultConfig has no peer. The times are those of the standard where it has any (60 s, 180 s).
func DefaultConfig() Config {
	return Config{
		Heartbeat:       time.Minute,
		Silence:         3 * time.Minute,
		LoginTimeout:    30 * time.Second,
		BackoffMin:      10 * time.Second,
		BackoffMax:      5 * time.Minute,
		RefusedBackoff:  5 * time.Minute,
		BusyBackoff:     time.Minute,
		VerifyGrace:     5 * time.Second,
		WriteTimeout:    30 * time.Second,
		LogoutTimeout:   5 * time.Second,
		MaxFrame:        4 << 20,
		MaxQueue:        1 << 20,
		MaxUnproven:     50_000,
		MaxVehicles:     200_000,
		MaxStored:       1000,
		MaxControl:      64,
		MaxSubLogins:    32,
		RetransmitBytes: 4 << 20,
		RememberAlarms:  10_000,
		AnswerWithin:    10 * time.Minute,
		ControlTimeout:  time.Minute,
		CountInterval:   10 * time.Minute,
	}
}

// withDefaults fills in what a peer's settings leave out.
func (p PeerConfig) withDefaults() PeerConfig {
	for _, d := range []struct {
		field *string
		value string
	}{{&p.Edition, "2011"}, {&p.Version, "1.2.15"}, {&p.From, FromNow}, {&p.Inspection.Answer, AnswerAuto},
		{&p.Inspection.Text, "在岗"}, {&p.CountID, "0x9101"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	return p
}

// Validate names the first setting that can't be used.
func (c *Config) Validate() error {
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return fmt.Errorf("inferior.listen: %q; want host:port", c.Listen)
		}
	}
	for _, v := range []struct {
		name  string
		value int64
	}{{"heartbeat", int64(c.Heartbeat)}, {"silence", int64(c.Silence)}, {"login_timeout", int64(c.LoginTimeout)},
		{"backoff_min", int64(c.BackoffMin)}, {"backoff_max", int64(c.BackoffMax)}, {"refused_backoff", int64(c.RefusedBackoff)},
		{"busy_backoff", int64(c.BusyBackoff)}, {"verify_grace", int64(c.VerifyGrace)}, {"write_timeout", int64(c.WriteTimeout)},
		{"logout_timeout", int64(c.LogoutTimeout)}, {"max_queue", int64(c.MaxQueue)}, {"max_unproven", int64(c.MaxUnproven)},
		{"max_vehicles", int64(c.MaxVehicles)}, {"max_stored", int64(c.MaxStored)}, {"max_control", int64(c.MaxControl)},
		{"max_sub_logins", int64(c.MaxSubLogins)}, {"remember_alarms", int64(c.RememberAlarms)}, {"answer_within", int64(c.AnswerWithin)},
		{"control_timeout", int64(c.ControlTimeout)}, {"count_interval", int64(c.CountInterval)}} {
		if v.value <= 0 {
			return fmt.Errorf("inferior.%s: must be greater than 0", v.name)
		}
	}
	switch {
	case c.MaxFrame < 1024:
		return fmt.Errorf("inferior.max_frame: %d bytes; at least 1024", c.MaxFrame)
	case c.RetransmitBytes < 0:
		return errors.New("inferior.retransmit_bytes: must not be negative")
	case c.BackoffMax < c.BackoffMin:
		return errors.New("inferior.backoff_max: less than backoff_min")
	case c.Silence <= c.Heartbeat:
		return errors.New("inferior.silence: must be longer than heartbeat, or every link is closed while it idles")
	}
	names := map[string]bool{}
	for i := range c.Peers {
		p := c.Peers[i].withDefaults()
		if err := p.validate(c.Listen != ""); err != nil {
			return fmt.Errorf("inferior.peers[%d].%w", i, err)
		}
		if names[p.Name] {
			return fmt.Errorf("inferior.peers[%d].name: %q is there twice", i, p.Name)
		}
		names[p.Name] = true
	}
	return nil
}

func (p *PeerConfig) validate(listening bool) error {
	if p.Name == "" || len(p.Name) > 64 || strings.ContainsFunc(p.Name, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '/' }) {
		return fmt.Errorf("name: %q; want a word of at most 64 bytes without '/'", p.Name)
	}
	if _, _, err := net.SplitHostPort(p.Address); err != nil {
		return fmt.Errorf("address: %q; want host:port", p.Address)
	}
	if (p.Password == "") == (p.PasswordFile == "") {
		return errors.New("password_file: give it, or password, one of them")
	}
	if len(p.Password) > maxPassword {
		return fmt.Errorf("password: %d bytes; at most %d", len(p.Password), maxPassword)
	}
	if p.PlatformID == "" || len(p.PlatformID) > platformIDSize || strings.ContainsFunc(p.PlatformID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("platform_id: %q; want at most %d digits or letters", p.PlatformID, platformIDSize)
	}
	if _, err := p.edition(); err != nil {
		return err
	}
	if _, err := p.version(); err != nil {
		return err
	}
	if p.Encrypt && p.cipher() == (jt809.Cipher{}) {
		return errors.New("encrypt: needs m1, ia1 and ic1")
	}
	if listening {
		if _, err := netip.ParseAddrPort(p.SubAddress); err != nil {
			return fmt.Errorf("sub_address: %q; want ip:port, where the superior reaches inferior.listen", p.SubAddress)
		}
	}
	for i, s := range p.Forward.Plates {
		if _, err := parseVehicle(s); err != nil {
			return fmt.Errorf("forward.plates[%d]: %q: %w", i, s, err)
		}
	}
	if p.From != FromNow && p.From != FromBeginning {
		return fmt.Errorf("from: %q; one of now, beginning", p.From)
	}
	if p.Inspection.Answer != AnswerAuto && p.Inspection.Answer != AnswerStaff {
		return fmt.Errorf("inspection.answer: %q; one of auto, staff", p.Inspection.Answer)
	}
	if _, err := p.countID(); err != nil {
		return err
	}
	return nil
}

// Sizes of fields.
const (
	maxPassword    = 8
	platformIDSize = 11
)

func (p *PeerConfig) edition() (jt809.Edition, error) {
	ed, ok := jt809.ParseEdition(p.Edition)
	if !ok || ed == jt809.EditionAuto {
		return ed, fmt.Errorf("edition: %q; one of 2011, 2013, 2019", p.Edition)
	}
	return ed, nil
}

func (p *PeerConfig) version() (v [3]byte, err error) {
	parts := strings.Split(p.Version, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("version: %q; want three numbers, such as 1.2.15", p.Version)
	}
	for i, s := range parts {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil {
			return v, fmt.Errorf("version: %q; want three numbers up to 255, such as 1.2.15", p.Version)
		}
		v[i] = byte(n)
	}
	return v, nil
}

func (p *PeerConfig) cipher() jt809.Cipher { return jt809.Cipher{M1: p.M1, IA1: p.IA1, IC1: p.IC1} }

func (p *PeerConfig) countID() (jt809.MessageID, error) {
	for _, id := range []jt809.MessageID{jt809.IDPositionCount, jt809.IDPositionCountUp} {
		if strings.EqualFold(p.CountID, id.String()) {
			return id, nil
		}
	}
	return 0, fmt.Errorf("count_id: %q; one of 0x9101, 0x1101", p.CountID)
}

// password reads the password, from its file where it has one.
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

// parseVehicle reads plate/colour.
func parseVehicle(s string) (ingest.Vehicle, error) {
	plate, color, ok := strings.Cut(s, "/")
	n, err := strconv.ParseUint(color, 10, 8)
	if !ok || err != nil {
		return ingest.Vehicle{}, errors.New("want plate/colour, such as 云A8K216/2")
	}
	return ingest.NewVehicle(plate, ingest.Color(n))
}

// choice is Forward made ready.
type choice struct {
	all                         bool
	classes, operators, regions []string
	plates                      map[ingest.Vehicle]bool
}

func newChoice(f Forward) (*choice, error) {
	c := &choice{all: f.All, classes: f.Classes, operators: f.Operators, regions: f.Regions, plates: map[ingest.Vehicle]bool{}}
	for _, s := range f.Plates {
		v, err := parseVehicle(s)
		if err != nil {
			return nil, err
		}
		c.plates[v] = true
	}
	return c, nil
}

// has reports whether the vehicle is chosen; r is what the register knows of it, known whether it knows it.
func (c *choice) has(v *ingest.Vehicle, r *Record, known bool) bool {
	if c.all || c.plates[*v] {
		return true
	}
	if !known || len(c.classes)+len(c.operators)+len(c.regions) == 0 {
		return false
	}
	return (len(c.classes) == 0 || slices.Contains(c.classes, r.Class)) &&
		(len(c.operators) == 0 || slices.Contains(c.operators, r.Operator)) &&
		(len(c.regions) == 0 || slices.ContainsFunc(c.regions, func(s string) bool { return s != "" && strings.HasPrefix(r.Region, s) }))
}
