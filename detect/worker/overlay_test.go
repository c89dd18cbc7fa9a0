package worker

import (
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/platform/register"
)

// fakePlatforms is a register that a test fills.
type fakePlatforms struct {
	records []register.Record
	version uint64
	asked   int
}

func (f *fakePlatforms) Version() uint64 { return f.version }

func (f *fakePlatforms) Records() ([]register.Record, uint64) {
	f.asked++
	return f.records, f.version
}

func (f *fakePlatforms) set(records ...register.Record) {
	f.records = records
	f.version++
}

func vehicleAt(t *testing.T, plate string) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOverlay(t *testing.T) {
	dir := &detect.ReferenceData{
		Operators: []detect.Operator{{ID: "Y1", Name: "云南甲"}, {ID: "Y2", Name: "同名"}, {ID: "Y3", Name: "同名"}},
		Vehicles: []detect.VehicleRecord{
			{Vehicle: vehicleAt(t, "云A00001"), Class: detect.ClassTruck, Operator: "Y2", Region: "530100", Phone: "13900000001", Routes: []string{"R1"}},
			{Vehicle: vehicleAt(t, "云A00002"), Class: detect.ClassCoachTour}},
		Routes: []detect.Route{{ID: "R1", Line: orb.LineString{{102, 25}, {102.1, 25}}, WidthM: 50}},
	}
	before := *dir
	route := register.Route{ID: 7, Name: "线", WidthM: 50, Line: [][2]int32{{25_000_000, 102_000_000}, {25_100_000, 102_100_000}}}
	full := func(plate, phone string) register.Record {
		return register.Record{Plate: plate, Color: 2, Platform: "co", TransType: "030", Region: "530200", OperatorID: "17", OperatorName: "云南乙", Phone: phone, Static: true, Routes: []register.Route{route}}
	}
	coach := register.Record{Plate: "云A00004", Color: 2, Platform: "co", TransType: "099", OperatorID: "Y1", OperatorName: "别的公司", Phone: "13900000001"}
	known := register.Record{Plate: "云A00005", Color: 2, Platform: "other", OperatorName: "云南甲", TransType: "012"}
	twice := register.Record{Plate: "云A00006", Color: 2, Platform: "other", OperatorName: "同名"}
	records := []register.Record{full("云A00001", "13900000009"), full("云A00002", "13900000002"), full("云A00003", "13900000003"), coach, known, twice, {Plate: "", Color: 2}}
	o := layUnder(dir, "d0", records)
	if o.added != 4 || o.filled != 1 || o.bad != 1 || !reflect.DeepEqual(before, *dir) || len(dir.Vehicles) != 2 || dir.Vehicles[1].Region != "" {
		t.Fatalf("%+v; the directory: %+v", o, dir)
	}
	want := []detect.VehicleRecord{
		dir.Vehicles[0], // it says all
		{Vehicle: vehicleAt(t, "云A00002"), Class: detect.ClassCoachTour, Operator: "809:co:17", Region: "530200", Phone: "13900000002", Routes: []string{"809:云A00002/2:7"}},
		{Vehicle: vehicleAt(t, "云A00003"), Class: detect.ClassHazmat, Operator: "809:co:17", Region: "530200", Phone: "13900000003", Routes: []string{"809:云A00003/2:7"}},
		{Vehicle: vehicleAt(t, "云A00004"), Class: detect.ClassOther, Operator: "809:co:Y1"}, // no class; the phone is another vehicle's
		{Vehicle: vehicleAt(t, "云A00005"), Class: detect.ClassCoachCharter, Operator: "Y1"},
		{Vehicle: vehicleAt(t, "云A00006"), Operator: "809:other:同名"},
	}
	if !reflect.DeepEqual(o.data.Vehicles, want) {
		t.Errorf("vehicles:\n%+v\nwant\n%+v", o.data.Vehicles, want)
	}
	if got := o.data.Operators[3:]; !reflect.DeepEqual(got, []detect.Operator{{ID: "809:co:17", Name: "云南乙", Region: "530200"}, {ID: "809:co:Y1", Name: "别的公司"}, {ID: "809:other:同名", Name: "同名"}}) {
		t.Errorf("operators: %+v", got)
	}
	if got := o.data.Routes; len(got) != 3 || got[1].ID != "809:云A00002/2:7" || got[1].WidthM != 50 || got[1].Line[1] != [2]float64{102.1, 25.1} {
		t.Errorf("routes: %+v", got)
	}
	if _, err := detect.Compile(o.data, mustSettings(t), o.digest, 1, 1); err != nil {
		t.Error(err)
	}

	// The version is of the content.
	if again := layUnder(dir, "d0", records); again.digest != o.digest || o.digest == "d0" {
		t.Errorf("the same content has the versions %s and %s", o.digest, again.digest)
	}
	if other := layUnder(dir, "d1", records); other.digest == o.digest {
		t.Error("another directory has the same version")
	}
	changed := append([]register.Record(nil), records...)
	changed[2].Region = "530300"
	if other := layUnder(dir, "d0", changed); other.digest == o.digest {
		t.Error("another region has the same version")
	}
	silent := append([]register.Record(nil), records...)
	silent[2].Model, silent[2].Confirmed, silent[0].Region = "KX", 5, "530300" // what is not used, or the directory says
	if other := layUnder(dir, "d0", silent); other.digest != o.digest {
		t.Error("what is not used changes the version")
	}
	for _, nothing := range [][]register.Record{nil, records[:1], {{Plate: "x\x00"}}} {
		if o := layUnder(dir, "d0", nothing); o.digest != "d0" || o.data != dir {
			t.Errorf("nothing to add makes the version %s", o.digest)
		}
	}
}

func mustSettings(t *testing.T) detect.Settings {
	t.Helper()
	s, err := detect.ParseSettings(nil)
	if err != nil {
		t.Fatal(err)
	}
	return *s
}

// However many records come, the data are compiled once an interval.
func TestOverlayIsBoundedInRate(t *testing.T) {
	r := newRig(t)
	c := DefaultReferenceConfig()
	c.Dir = r.dir
	reg := prometheus.NewRegistry()
	ref := NewReference(c, slog.New(slog.DiscardHandler), reg)
	now := time.Unix(1777564800, 0)
	ref.now = func() time.Time { return now }
	platforms := &fakePlatforms{}
	ref.UsePlatforms(platforms)
	if err := ref.Load(); err != nil {
		t.Fatal(err)
	}
	bare := ref.Current()
	rnd := rand.New(rand.NewPCG(1, 2))
	changes := 0
	var last *detect.Snapshot = bare
	for range 1000 {
		platforms.set(register.Record{Plate: "云A00001", Color: 2, Platform: "co", Region: string([]byte{'5', '3', '0', '1', byte('0' + rnd.IntN(10)), byte('0' + rnd.IntN(10))})})
		now = now.Add(100 * time.Millisecond)
		ref.poll()
		if s := ref.Current(); s != last {
			last = s
			changes++
		}
	}
	if changes != 3 { // in 100 s
		t.Errorf("compiled %d times", changes)
	}
	if platforms.asked != 4 || ref.Current().Digest == bare.Digest || ref.Current().Vehicles() != 2 {
		t.Errorf("asked %d times, %d vehicles", platforms.asked, ref.Current().Vehicles())
	}
	if n := testutil.ToFloat64(ref.records.WithLabelValues("platforms")); n != 1 {
		t.Errorf("%v vehicles of platforms in the metric", n)
	}
	// A change that says nothing new compiles nothing.
	now = now.Add(time.Hour)
	ref.poll()
	before := ref.Current()
	platforms.version++
	now = now.Add(time.Hour)
	ref.poll()
	if ref.Current() != before {
		t.Error("compiled, and nothing changed")
	}
	// A change of the directory keeps them; a bad one changes nothing; off in the settings, nothing is added.
	r.write("vehicles.csv", "plate,color,class,region\n晋E12345,2,hazmat,140500\n云A00001,2,truck,140500\n")
	ref.poll()
	if d := ref.Data(); len(d.Vehicles) != 2 || d.Vehicles[1].Region != "140500" || d.Vehicles[1].Class != detect.ClassTruck {
		t.Errorf("%+v", d.Vehicles)
	}
	platforms.set(register.Record{Plate: "", Color: 2}, register.Record{Plate: "云A00009", Color: 2, TransType: "030"})
	now = now.Add(time.Hour)
	ref.poll()
	if d := ref.Data(); len(d.Vehicles) != 3 || testutil.ToFloat64(ref.bad) != 1 {
		t.Errorf("%+v, %v bad", d.Vehicles, testutil.ToFloat64(ref.bad))
	}
	c.Platforms = false
	off := NewReference(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	off.UsePlatforms(platforms)
	if err := off.Load(); err != nil || off.Current().Vehicles() != 2 {
		t.Errorf("off: %v, %d vehicles", err, off.Current().Vehicles())
	}
	c.PlatformsInterval = 0
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "reference.platforms_interval") {
		t.Errorf("no interval: %v", err)
	}
}

// A vehicle that only a platform knows is judged by its class as soon as it is known.
func TestVehicleOfAPlatformIsJudged(t *testing.T) {
	r := newRig(t)
	r.write("vehicles.csv", "plate,color,class\n")
	c := DefaultReferenceConfig()
	c.Dir = r.dir
	ref := NewReference(c, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	now := time.Unix(1777564800, 0)
	ref.now = func() time.Time { return now }
	platforms := &fakePlatforms{}
	ref.UsePlatforms(platforms)
	if err := ref.Load(); err != nil {
		t.Fatal(err)
	}
	stop := r.run(ref, prometheus.NewRegistry())
	r.send(fix(0, 85), fix(30, 85), fix(60, 40)) // of a vehicle that nobody knows
	r.committed()
	platforms.set(register.Record{Plate: hazmat.Plate(), Color: hazmat.Color, Platform: "co", TransType: "030"})
	now = now.Add(time.Minute)
	ref.poll()
	r.send(fix(600, 85), fix(630, 85), fix(660, 40))
	r.committed()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	vs := r.violations()
	vs = slices.DeleteFunc(vs, func(v detect.Violation) bool { return v.Kind == detect.KindNoWaybill }) // it has none, and is found without too
	if len(vs) == 0 {
		t.Fatal("no violation")
	}
	for _, v := range vs {
		if v.Kind != detect.KindSpeeding || int64(v.Start) < 1777564800000+600_000 || v.Class != "hazmat" {
			t.Errorf("%+v", v)
		}
	}
}
