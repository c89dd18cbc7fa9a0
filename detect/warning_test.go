package detect_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"lushao/detect"
	"lushao/ingest"
)

// roadTest feeds fixes to an engine and gathers what it warns of: kind, second of the fix, measured.
type roadTest struct {
	t     *testing.T
	e     *detect.Engine
	v     ingest.Vehicle
	at    int64 // s
	lon   float64
	told  []string
	opens []string
}

func newRoadTest(t *testing.T, class detect.Class, from int64, change func(s *detect.Settings)) *roadTest {
	t.Helper()
	v := vehicleOf(t, "晋E12345")
	s := detect.DefaultSettings()
	if change != nil {
		change(&s)
	}
	snap, err := detect.Compile(&detect.ReferenceData{Vehicles: []detect.VehicleRecord{{Vehicle: v, Class: class, NightExempt: true}}}, s, "", 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &roadTest{t: t, e: detect.New(snap), v: v, at: from, lon: 100}
}

func (r *roadTest) feed(events ...ingest.Event) {
	for _, v := range r.e.Process(events, uint64(r.at)) {
		if strings.HasPrefix(string(v.Kind), "fatigue") && v.State == detect.StateOpen {
			r.opens = append(r.opens, fmt.Sprint(v.Kind, " ", r.at))
		}
	}
	for _, w := range r.e.Warnings() {
		if w.Version != uint64(r.at) || w.Plate != r.v.Plate() || w.Color != r.v.Color || w.ID == "" || *w.Unit != "h" {
			r.t.Errorf("%+v at %d", w, r.at)
		}
		r.told = append(r.told, fmt.Sprintf("%s %d %v/%v", w.Kind, r.at, *w.Measured, *w.Limit))
	}
}

// drive drives for so long with a fix every minute, the last at its end.
func (r *roadTest) drive(long int64) {
	r.fix(60)
	for end := r.at + long; r.at < end; {
		step := min(60, end-r.at)
		r.at += step
		r.lon += float64(step) * 1.8e-4
		r.fix(60)
	}
}

func (r *roadTest) stand(long int64) {
	for end := r.at + long; r.at < end; {
		r.at += min(60, end-r.at)
		r.fix(0)
	}
}

func (r *roadTest) fix(kmh float64) { r.feed(position(r.v, r.at, 35.5, r.lon, kmh)) }

func (r *roadTest) restart() {
	state, _ := r.e.AppendState(nil, 0, math.MaxInt)
	e := detect.New(r.e.Snapshot())
	if err := e.LoadState(state); err != nil {
		r.t.Fatal(err)
	}
	r.e = e
}

func (r *roadTest) want(what string, told, opens string) {
	r.t.Helper()
	if t, o := strings.Join(r.told, ", "), strings.Join(r.opens, ", "); t != told || o != opens {
		r.t.Errorf("%s: warned of [%s], want [%s]; opened [%s], want [%s]", what, t, told, o, opens)
	}
	r.told, r.opens = nil, nil
}

const day8 = 8 * 3600 // no night for hours

// 3.5 h are no warning, a second more is; it comes once a stretch, and again in the next one.
func TestWarnedBeforeFourHours(t *testing.T) {
	r := newRoadTest(t, detect.ClassTruck, day8, nil)
	r.drive(3*3600 + 30*60 - 1)
	r.want("just under 3.5 h", "", "")
	r.drive(1)
	r.want("3.5 h", "", "")
	r.restart()
	r.drive(1)
	r.want("a second more", fmt.Sprint("fatigue_continuous ", day8+12601, " 3.5/4"), "")
	r.drive(60)
	r.restart()
	r.drive(25 * 60)
	r.want("going on", "", "")
	r.stand(1139) // with half a minute on either side not yet 20 min
	r.drive(4 * 60)
	r.want("after a stop that is no rest", "", fmt.Sprint("fatigue_continuous ", r.at))
	r.stand(1260)
	begin := r.at
	r.drive(3*3600 + 31*60)
	if len(r.told) != 1 || len(r.opens) != 0 || !strings.HasPrefix(r.told[0], "fatigue_continuous ") {
		t.Errorf("after a rest, from %d: warned of %v, opened %v", begin, r.told, r.opens)
	}
}

// Where the limit has passed with the fix that would warn, a warning is too late for ever.
func TestNotWarnedAfterTheLimit(t *testing.T) {
	r := newRoadTest(t, detect.ClassTruck, day8, nil)
	r.drive(3*3600 + 20*60)
	r.at += 45 * 60 // a gap that was driven through
	r.lon += 0.83
	r.fix(60)
	r.want("4 h 5 min", "", fmt.Sprint("fatigue_continuous ", r.at))
	r.drive(3600)
	r.want("later", "", "")
}

// The night's two hours have a warning of their own; of who is not judged by them nobody is warned.
func TestWarnedAtNight(t *testing.T) {
	const evening = 21 * 3600
	r := newRoadTest(t, detect.ClassCoachLine, evening, nil)
	r.drive(3600 + 5400) // 1 h by day, 1.5 h by night
	r.want("1.5 h by night", "", "")
	r.drive(1)
	r.want("a second more", fmt.Sprint("fatigue_night ", evening+9001, " 1.5/2"), "")
	r.drive(29 * 60)
	r.want("just under 2 h", "", "")
	r.drive(31 * 60)
	r.want("3.5 h in all", fmt.Sprint("fatigue_continuous ", evening+12601, " 3.5/4"), fmt.Sprint("fatigue_night ", evening+10801))

	r = newRoadTest(t, detect.ClassTruck, evening, nil)
	r.drive(3 * 3600)
	r.want("a truck by night", "", "")
	r = newRoadTest(t, detect.ClassOther, day8, nil)
	r.drive(5 * 3600)
	r.want("a vehicle without rules", "", "")
}

func TestWarningSettings(t *testing.T) {
	for _, c := range []struct {
		prewarn, limit int
		want           string
	}{
		{0, 3600, ""},
		{3600, 3600, ""}, // there is no time before it
		{3599, 3600, fmt.Sprint("fatigue_continuous ", day8+60, " 0.02/1")},
		{600, 3600, fmt.Sprint("fatigue_continuous ", day8+3060, " 0.85/1")},
	} {
		r := newRoadTest(t, detect.ClassTruck, day8, func(s *detect.Settings) {
			s.FatigueContinuous.PrewarnS, s.FatigueContinuous.LimitS = c.prewarn, c.limit
		})
		r.drive(3600)
		r.want(fmt.Sprint(c), c.want, "")
	}
	s := detect.DefaultSettings()
	s.FatigueNight.PrewarnS = -1
	if err := s.Validate(); err == nil || !strings.Contains(err.Error(), "fatigue_night.prewarn_s: -1") {
		t.Error(err)
	}
}

// A driver takes the warning with him: in the next coach he is not warned again in one stretch; another driver is.
func TestWarnedByCard(t *testing.T) {
	r := newRoadTest(t, detect.ClassCoachLine, day8, nil)
	r.feed(position(r.v, r.at-30, 35.5, r.lon, 0), cardOf(r.v, r.at-20, "1"))
	r.drive(3*3600 + 40*60)
	first := strings.Join(r.told, ", ")
	r.told = nil
	r.stand(120)
	r.feed(cardOf(r.v, r.at, "2"))
	r.stand(60)
	r.drive(10 * 60)
	if !strings.HasPrefix(first, "fatigue_continuous") || strings.Contains(first, ",") {
		t.Errorf("the first driver is warned of [%s]", first)
	}
	r.want("the second driver has driven for 10 min", "", "")
	r.drive(3*3600 + 25*60)
	if len(r.told) != 1 {
		t.Errorf("the second driver is warned of %v", r.told)
	}
}

// What comes late is not applied, and warns nobody; a state is the same with and without it.
func TestNotWarnedByLateData(t *testing.T) {
	r := newRoadTest(t, detect.ClassTruck, day8, nil)
	r.drive(3 * 3600)
	r.at += 3 * 3600 // silent, and far away
	r.lon += 1
	r.fix(0)
	r.told, r.opens = nil, nil
	for s := int64(day8 + 3*3600); s < day8+4*3600; s += 60 {
		e := position(r.v, s, 35.5, 100+float64(s-day8)*1.8e-4, 60)
		e.Received = firstMs + r.at*1000
		r.feed(e)
	}
	r.want("what was driven meanwhile comes late", "", "")
}
