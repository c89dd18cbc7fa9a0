package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// asLoad makes the test's own binary be a load of terminals, described by a loadSpec in JSON. It answers with a loadReport in JSON
// whenever it has come to something, and begins the storm with the first line that it reads.
const asLoad = "TEST_AS_LOAD"

// loadSpec is what a load of terminals does. Each reports every interval for the given rounds; then all hang up, some with a
// report on its way, connect again at once, and report for the rounds after.
type loadSpec struct {
	Addr      string        `json:"addr"`
	Terminals int           `json:"terminals"`
	Interval  time.Duration `json:"interval"`
	Rounds    int           `json:"rounds"`
	After     int           `json:"after"`
	Base      int64         `json:"base"` // Unix ms of the first position
}

// positions is how many each terminal reports: one is in the storm.
func (s *loadSpec) positions() int { return s.Rounds + 1 + s.After }

// loadStep is the time from one position to the next, as the positions have it.
const loadStep = 10_000 // ms

// The states of a load.
const (
	loadLinked = "linked" // all are connected and authenticated
	loadSteady = "steady" // all rounds are over
	loadBack   = "back"   // all are authenticated again after the storm
	loadDone   = "done"
)

type loadReport struct {
	State        string           `json:"state"`
	Took         time.Duration    `json:"took"`         // since the state before
	Acknowledged int64            `json:"acknowledged"` // positions
	Slowest      time.Duration    `json:"slowest"`      // from a position to its acknowledgement, in this state
	Refused      map[string]int64 `json:"refused"`      // what was not as it should be, by kind
}

// load is the process of the terminals: one goroutine and a small buffer for each.
type load struct {
	spec    loadSpec
	dials   chan struct{}
	begin   time.Time // of the rounds; set before steps[0] is closed
	again   time.Time // of the rounds after the storm; set before steps[2] is closed
	steps   [3]chan struct{}
	waiting [4]sync.WaitGroup
	acked   atomic.Int64
	slowest atomic.Int64

	mu      sync.Mutex
	refused map[string]int64
}

func loadMain() {
	l := &load{dials: make(chan struct{}, 256), refused: map[string]int64{}}
	if err := json.Unmarshal([]byte(os.Getenv(asLoad)), &l.spec); err != nil {
		fmt.Fprintln(os.Stderr, asLoad+":", err)
		os.Exit(2)
	}
	if _, err := raiseFileLimit(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := range l.steps {
		l.steps[i] = make(chan struct{})
	}
	for i := range l.waiting {
		l.waiting[i].Add(l.spec.Terminals)
	}
	for i := range l.spec.Terminals {
		go (&loadTerminal{load: l, number: i, buf: make([]byte, 0, 256)}).run()
	}
	orders := bufio.NewScanner(os.Stdin)
	since := time.Now()
	report := func(state string) {
		l.mu.Lock()
		b, _ := json.Marshal(loadReport{state, time.Since(since), l.acked.Load(), time.Duration(l.slowest.Swap(0)), l.refused})
		l.mu.Unlock()
		fmt.Println(string(b))
		since = time.Now()
	}
	l.waiting[0].Wait()
	report(loadLinked)
	l.begin = time.Now()
	close(l.steps[0])
	l.waiting[1].Wait()
	report(loadSteady)
	if !orders.Scan() {
		os.Exit(1) // nobody is there any more
	}
	since = time.Now()
	close(l.steps[1])
	l.waiting[2].Wait()
	report(loadBack)
	l.again = time.Now()
	close(l.steps[2])
	l.waiting[3].Wait()
	report(loadDone)
	orders.Scan() // connections stay until whoever looks at the server has seen enough
	os.Exit(0)
}

// refuse counts what the server should not have done.
func (l *load) refuse(what string, err error) {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without addresses, so that equal ones are counted together
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind := fmt.Sprintf("%s: %v", what, err); l.refused[kind] > 0 || len(l.refused) < 20 {
		l.refused[kind]++
	}
}

type loadTerminal struct {
	load   *load
	number int
	code   jt808.Text
	conn   net.Conn
	framer jt808.Framer
	buf    []byte
	serial uint16
	next   int // position to be acknowledged
}

// loadPlate is the plate of a terminal's vehicle, which is yellow.
func loadPlate(number int) string { return fmt.Sprintf("晋E%05d", number) }

func (t *loadTerminal) run() {
	l := t.load
	l.dials <- struct{}{}
	t.link()
	<-l.dials
	l.waiting[0].Done()
	<-l.steps[0]
	offset := l.spec.Interval * time.Duration(t.number) / time.Duration(l.spec.Terminals)
	for k := range l.spec.Rounds {
		t.idle(l.begin.Add(offset + time.Duration(k)*l.spec.Interval))
		t.report()
	}
	l.waiting[1].Done()
	<-l.steps[1]
	if t.number%2 == 0 {
		t.report()
	} else if err := t.send(jt808.IDLocation, t.position()); err != nil {
		l.refuse("a report in the storm", err)
	}
	t.conn.Close()
	t.link()
	l.waiting[2].Done()
	if t.number%2 != 0 {
		t.report() // what the storm left without an answer
	}
	<-l.steps[2]
	for k := range l.spec.After {
		t.idle(l.again.Add(offset + time.Duration(k)*l.spec.Interval))
		t.report()
	}
	l.waiting[3].Done()
}

// loadPatience is how long a terminal waits for an answer before that counts as refused.
const loadPatience = time.Minute

// loadTries is how often a terminal tries to connect before the whole load gives up.
const loadTries = 50

// link connects and authenticates.
func (t *loadTerminal) link() {
	for range loadTries {
		err := t.login()
		if err == nil {
			return
		}
		t.load.refuse("link", err)
		if t.conn != nil {
			t.conn.Close()
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.load.mu.Lock() // for good: what is counted is final
	fmt.Fprintln(os.Stderr, "a terminal was refused", loadTries, "times; all refusals:", t.load.refused)
	os.Exit(1)
}

func (t *loadTerminal) login() error {
	// One source address has 28,232 ports by default, and those of connections that ended are not free at once.
	dialer := net.Dialer{Timeout: loadPatience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+t.number%8))}}
	conn, err := dialer.Dial("tcp", t.load.spec.Addr)
	if err != nil {
		return err
	}
	t.conn, t.framer, t.buf = conn, jt808.Framer{}, t.buf[:0]
	if t.code == "" {
		m := jt808.Register{Maker: "HF001", Model: "TX-100", TerminalID: "A10203C", Color: 2, Plate: jt808.GBK(loadPlate(t.number))}
		if err := t.send(jt808.IDRegister, jt808.AppendBody(nil, jt808.Edition2013, &m)); err != nil {
			return err
		}
		var r jt808.RegisterReply
		if err := t.answer(jt808.IDRegisterReply, func(body []byte) (bool, error) {
			return true, jt808.Decode(body, jt808.Edition2013, &r)
		}); err != nil {
			return err
		}
		if r.Result != jt808.RegisterOK {
			return fmt.Errorf("registration: result %d", r.Result)
		}
		t.code = r.AuthCode
	}
	if err := t.send(jt808.IDAuthenticate, []byte(t.code)); err != nil {
		return err
	}
	return t.acknowledged()
}

// position is the body of the next one.
func (t *loadTerminal) position() []byte {
	at := t.load.spec.Base + int64(t.next)*loadStep
	l := jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Speed: 605, Direction: 90, Time: jt808.TimeOf(at)}
	l.Extras = jt808.AppendItem32(nil, jt808.ItemMileage, uint32(t.next))
	l.SetCoordinates(35_500_000+int32(t.number), 112_850_000+int32(t.next)*1500)
	return jt808.AppendLocation(nil, &l)
}

// report sends the next position until it is acknowledged.
func (t *loadTerminal) report() {
	for {
		began := time.Now()
		err := t.send(jt808.IDLocation, t.position())
		if err == nil {
			err = t.acknowledged()
		}
		if err == nil {
			t.next++
			t.load.acked.Add(1)
			took := int64(time.Since(began))
			for old := t.load.slowest.Load(); took > old && !t.load.slowest.CompareAndSwap(old, took); old = t.load.slowest.Load() {
			}
			return
		}
		t.load.refuse("report", err)
		t.conn.Close()
		t.link()
	}
}

// idle waits for the time of the next report; the server has nothing to say in it.
func (t *loadTerminal) idle(until time.Time) {
	for time.Until(until) > 0 {
		t.conn.SetReadDeadline(until)
		n, err := t.conn.Read(t.buf[len(t.buf):cap(t.buf)])
		t.buf = t.buf[:len(t.buf)+n]
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return
		}
		if err != nil {
			t.load.refuse("idle", err)
			t.conn.Close()
			t.link()
		}
	}
}

func (t *loadTerminal) send(id jt808.MessageID, body []byte) error {
	phone, err := jt808.ParsePhone(fmt.Sprintf("138%08d", t.number), jt808.Edition2013)
	if err != nil {
		return err
	}
	t.serial++
	h := jt808.Header{ID: id, Phone: phone, Serial: t.serial}
	_, err = t.conn.Write(jt808.AppendFrame(nil, &h, body))
	return err
}

// acknowledged waits for result 0 to what was sent last.
func (t *loadTerminal) acknowledged() error {
	var ack jt808.Ack
	err := t.answer(jt808.IDPlatformAck, func(body []byte) (bool, error) {
		err := jt808.Decode(body, jt808.Edition2013, &ack)
		return ack.Serial == t.serial, err
	})
	if err == nil && ack.Result != jt808.ResultOK {
		err = fmt.Errorf("%v: result %d", ack.ID, ack.Result)
	}
	return err
}

// answer reads until done says that a message of the given id is the answer.
func (t *loadTerminal) answer(id jt808.MessageID, done func(body []byte) (bool, error)) error {
	t.conn.SetReadDeadline(time.Now().Add(loadPatience))
	for {
		frame, n, err := t.framer.Next(t.buf)
		if frame == nil && err == nil {
			t.buf = t.buf[:copy(t.buf, t.buf[n:])]
			n, err := t.conn.Read(t.buf[len(t.buf):cap(t.buf)])
			t.buf = t.buf[:len(t.buf)+n]
			if n == 0 && err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		var h jt808.Header
		body, err := h.Decode(frame)
		ok := false
		if err == nil && h.ID == id {
			ok, err = done(body)
		}
		t.buf = t.buf[:copy(t.buf, t.buf[n:])]
		if ok || err != nil {
			return err
		}
	}
}

// loadVehicle finds a terminal's number by its vehicle.
func loadVehicle(v ingest.Vehicle) (number int, ok bool) {
	_, err := fmt.Sscanf(v.Plate(), "晋E%05d", &number)
	return number, err == nil && loadPlate(number) == v.Plate()
}
