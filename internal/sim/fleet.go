package sim

import (
	"fmt"
	"math/rand/v2"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// MaxVehicles is the greatest fleet: a phone number has five digits for the vehicle.
const MaxVehicles = 100_000

// vehicle is what never changes about one.
type vehicle struct {
	detect.VehicleRecord
	index   int
	plate   string
	color   uint8
	edition jt808.Edition
	drivers []card // who take turns
	tareKg  uint32
	sizeMm  [3]uint32 // length, width, height; 0 unknown
	pull    float64   // m/s², how it speeds up
	phase   int64     // seconds into the interval at which it reports
	jitter  int64     // milliseconds into the second at which it sends
}

// card is a driver's card.
type card struct{ name, licence, id string }

// classMix gives the class of each vehicle in turn, so that a small fleet is mixed too.
var classMix = [...]detect.Class{
	detect.ClassHeavyTruck, detect.ClassHazmat, detect.ClassCoachLine, detect.ClassTruck, detect.ClassHeavyTruck,
	detect.ClassHazmat, detect.ClassDumpTruck, detect.ClassCoachTour, detect.ClassHeavyTruck, detect.ClassHazmat,
	detect.ClassCoachCharter, detect.ClassTruck, detect.ClassHeavyTruck, detect.ClassHazmat, detect.ClassDumpTruck,
	detect.ClassCoachLine, detect.ClassHeavyTruck, detect.ClassHazmat, detect.ClassSchoolBus, detect.ClassOther,
}

// operators by what they do; each class has those of its trade.
var operatorTable = []struct {
	name                   string
	coach, hazmat, freight bool
}{
	{"路哨客运有限公司", true, false, false}, {"安达旅游客运有限公司", true, false, false},
	{"恒安危货运输有限公司", false, true, false}, {"清源化工物流有限公司", false, true, false}, {"顺通燃气运输有限公司", false, true, false},
	{"大成货运有限公司", false, false, true}, {"东沟矿业车队", false, false, true}, {"北山砂石运输有限公司", false, false, true},
	{"远达物流有限公司", false, false, true}, {"路哨县城运车队", true, false, true},
}

// The letters and digits of number plates (GA 36): no I and no O.
const plateSigns = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"

// Plate colours of JT/T 697.7.
const (
	blue        = 1
	yellow      = 2
	yellowGreen = 93
	gradient    = 94
)

// plateOf makes the plate of vehicle i: different for each i below MaxVehicles.
func plateOf(i int, seed uint64, color uint8) string {
	// n is a permutation of the numbers below the modulus: the factor has no divisor in common with it.
	scatter := func(modulus uint64) uint64 { return (uint64(i)*7368787 + seed%modulus) % modulus }
	signs := func(n uint64, count int) string {
		b := make([]byte, count)
		for k := range b {
			b[k] = plateSigns[n%34]
			n /= 34
		}
		return string(b)
	}
	switch color {
	case yellowGreen: // large new-energy vehicles: five digits and a letter
		n := scatter(1_000_000)
		return fmt.Sprintf("晋E%05d%c", n%100_000, "DABCEFGHJK"[n/100_000])
	case gradient: // small ones: a letter, a sign and four digits
		n := scatter(10_000 * 34)
		return fmt.Sprintf("晋ED%s%04d", signs(n/10_000, 1), n%10_000)
	}
	return "晋E" + signs(scatter(34*34*34*34*34), 5)
}

var (
	surnames = []rune("王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林郑")
	given    = []rune("伟强军勇杰涛明超建国志平海波刚辉斌鹏华东")
)

// newFleet makes n vehicles from the seed. editions are taken by chance.
func newFleet(n int, seed uint64, editions []jt808.Edition, interval int64) ([]*vehicle, error) {
	fleet := make([]*vehicle, n)
	for i := range fleet {
		// A stream of its own: a vehicle is the same in fleets of every size.
		rng := rand.New(rand.NewPCG(seed, uint64(i)<<1))
		v := &vehicle{index: i, edition: editions[rng.IntN(len(editions))], color: yellow}
		v.Class = classMix[i%len(classMix)]
		v.phase = rng.Int64N(interval)
		v.jitter = rng.Int64N(1000)
		v.Region = region
		v.Phone = fmt.Sprintf("145%03d%05d", seed%1000, i)
		v.build(rng)
		v.plate = plateOf(i, seed, v.color)
		id, err := ingest.NewVehicle(v.plate, ingest.Color(v.color))
		if err != nil {
			return nil, fmt.Errorf("sim: vehicle %d: %w", i, err)
		}
		v.Vehicle = id
		v.Operator = operatorOf(v.Class, rng)
		drivers := 1
		switch {
		case v.Class.Coach():
			drivers = 3 // two would exceed eight hours a day
		case v.Class == detect.ClassHazmat || v.Class == detect.ClassHeavyTruck:
			drivers = 2
		}
		for k := range drivers {
			v.drivers = append(v.drivers, card{
				name:    string([]rune{surnames[rng.IntN(len(surnames))], given[rng.IntN(len(given))], given[rng.IntN(len(given))]}),
				licence: fmt.Sprintf("%s%07d%05d", region, i, k+1),
				id:      fmt.Sprintf("%s19%02d%02d%02d%04d", region, 65+rng.IntN(35), 1+rng.IntN(12), 1+rng.IntN(28), rng.IntN(10000)),
			})
		}
		fleet[i] = v
	}
	return fleet, nil
}

// build chooses axles, masses and sizes that suit the class.
func (v *vehicle) build(rng *rand.Rand) {
	v.pull, v.Combination, v.SingleDriveAxle = 0.5, ingest.No, ingest.Unknown
	vary := func(kg uint32) uint32 { return kg - kg/10 + uint32(rng.IntN(int(kg/5))) }
	switch v.Class {
	case detect.ClassHeavyTruck, detect.ClassHazmat:
		switch rng.IntN(4) {
		case 0: // rigid, four axles
			v.Axles, v.tareKg, v.sizeMm = 4, vary(13000), [3]uint32{11800, 2500, 3900}
		case 1: // tractor with one drive axle and a three-axle trailer, six in all
			v.Axles, v.Combination, v.SingleDriveAxle = 6, ingest.Yes, ingest.Yes
			v.tareKg, v.sizeMm = vary(15000), [3]uint32{16800, 2500, 3950}
		default:
			v.Axles, v.Combination, v.SingleDriveAxle = 6, ingest.Yes, ingest.No
			v.tareKg, v.sizeMm = vary(16000), [3]uint32{17200, 2550, 3980}
		}
		if rng.IntN(4) == 0 {
			v.MaxSpeed = 800 + 50*uint16(rng.IntN(3))
		}
		if rng.IntN(10) == 0 {
			v.color = yellowGreen
		}
	case detect.ClassDumpTruck:
		v.Axles, v.tareKg, v.sizeMm = 4, vary(13500), [3]uint32{9600, 2500, 3450}
		if rng.IntN(5) == 0 {
			v.color = yellowGreen
		}
	case detect.ClassTruck:
		v.Axles, v.tareKg, v.sizeMm, v.color = 2, vary(6500), [3]uint32{7600, 2400, 3300}, blue
		v.GrossLimitKg = []uint32{0, 12000, 16000}[rng.IntN(3)]
		if rng.IntN(5) == 0 {
			v.color = gradient
		}
		v.pull = 0.7
	default: // coaches, school buses, others
		v.Axles, v.tareKg, v.sizeMm, v.pull = 2, vary(11000), [3]uint32{10500, 2500, 3400}, 0.7
		if rng.IntN(3) == 0 {
			v.color = yellowGreen
		}
	}
}

// weighed reports whether stations weigh the vehicle: those that carry goods.
func (v *vehicle) weighed() bool { return freight.Has(v.Class) }

// massLimit is the vehicle's lawful gross mass in kg.
func (v *vehicle) massLimit() uint32 {
	return massLimit(v.Axles, v.Combination == ingest.Yes, v.SingleDriveAxle == ingest.Yes, v.GrossLimitKg)
}

func operatorOf(c detect.Class, rng *rand.Rand) string {
	var fit []int
	for i, o := range operatorTable {
		if c == detect.ClassHazmat && o.hazmat || c != detect.ClassHazmat && freight.Has(c) && o.freight || !freight.Has(c) && o.coach {
			fit = append(fit, i)
		}
	}
	return operatorID(fit[rng.IntN(len(fit))])
}

func operatorID(i int) string { return fmt.Sprintf("O%02d", i+1) }

// referenceOf is the county and the fleet as reference data.
func referenceOf(w *world, fleet []*vehicle) *detect.ReferenceData {
	d := &detect.ReferenceData{}
	for i, o := range operatorTable {
		d.Operators = append(d.Operators, detect.Operator{ID: operatorID(i), Name: o.name, Region: region})
	}
	for i := range w.fences {
		d.Fences = append(d.Fences, w.fences[i].Fence)
	}
	d.Stations = append(d.Stations, w.stations...)
	for _, v := range fleet {
		d.Vehicles = append(d.Vehicles, v.VehicleRecord)
		if v.Class == detect.ClassHazmat {
			// Always open, so that the register suits a run at any time.
			d.Waybills = append(d.Waybills, detect.WaybillRecord{Number: "YD" + v.Phone, Vehicle: v.Vehicle, CargoClass: []string{"2.1", "3", "8"}[v.index%3]})
		}
	}
	return d
}
