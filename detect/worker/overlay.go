package worker

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/platform/register"
)

// Platforms gives what platforms made known of vehicles; *register.Register has it.
type Platforms interface {
	// Version changes with every change of the records.
	Version() uint64
	// Records returns all records in one order, and their version.
	Records() ([]register.Record, uint64)
}

// overlay is reference data with what platforms made known laid under it.
type overlay struct {
	data   *detect.ReferenceData
	digest string
	added  int // vehicles that the directory does not have
	filled int // vehicles of the directory of which something was open
	bad    int // records that can't be used
}

// routePrefix begins the ids of routes, and of operators, that platforms made known.
const routePrefix = "809:"

// addition is what a vehicle's record adds; together they are what the version of the data is made of.
type addition struct {
	Vehicle  string           `json:"vehicle"`
	Class    string           `json:"class,omitempty"`
	Operator string           `json:"operator,omitempty"`
	Region   string           `json:"region,omitempty"`
	Phone    string           `json:"phone,omitempty"`
	Company  *detect.Operator `json:"company,omitempty"`
	Routes   []register.Route `json:"routes,omitempty"`
}

// layUnder adds what platforms made known to what the directory says: vehicles, operators and routes that are not there, and
// fields of vehicles that are open there. What the directory says always counts; a class it always says. The data of the
// directory are not changed. Without anything to add they and their digest are returned as they are.
//
// The digest is over the directory's and over what was added, so that the same content has the same version, whichever way
// and in whichever order it came.
func layUnder(dir *detect.ReferenceData, digest string, records []register.Record) overlay {
	o := overlay{data: dir, digest: digest}
	if len(records) == 0 {
		return o
	}
	data := *dir
	data.Vehicles = slices.Clone(dir.Vehicles)
	data.Operators, data.Routes = slices.Clip(dir.Operators), slices.Clip(dir.Routes)
	at := make(map[ingest.Vehicle]int, len(data.Vehicles))
	phones := make(map[string]bool, len(data.Vehicles))
	for i := range data.Vehicles {
		v := &data.Vehicles[i]
		at[v.Vehicle] = i
		if v.Phone != "" {
			phones[v.Phone] = true
		}
	}
	companies := newCompanies(dir.Operators)
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n", digest)
	for i := range records {
		r := &records[i]
		v, err := r.Vehicle()
		if err != nil {
			o.bad++
			continue
		}
		n, there := at[v]
		a := addition{Vehicle: v.String()}
		if !there {
			n = len(data.Vehicles)
			data.Vehicles = append(data.Vehicles, detect.VehicleRecord{Vehicle: v})
			at[v] = n
		}
		record := &data.Vehicles[n]
		if !there {
			if class, ok := detect.ParseClass(r.Class()); ok {
				record.Class, a.Class = class, r.Class()
			}
		}
		if record.Region == "" && r.Region != "" {
			record.Region, a.Region = r.Region, r.Region
		}
		// A terminal's phone names one vehicle: one that the directory gives to another is not this one's.
		if record.Phone == "" && r.Phone != "" && !phones[r.Phone] {
			record.Phone, a.Phone = r.Phone, r.Phone
			phones[r.Phone] = true
		}
		if record.Operator == "" && (r.OperatorID != "" || r.OperatorName != "") {
			id, made := companies.of(r)
			record.Operator, a.Operator = id, id
			if made != nil {
				a.Company = made
				data.Operators = append(data.Operators, *made)
			}
		}
		if len(record.Routes) == 0 && len(r.Routes) > 0 {
			routes := make([]string, 0, len(r.Routes))
			for _, route := range r.Routes {
				id := routePrefix + v.String() + ":" + strconv.FormatUint(uint64(route.ID), 10)
				line := make(orb.LineString, len(route.Line))
				for k, p := range route.Line {
					line[k] = orb.Point{float64(p[1]) / 1e6, float64(p[0]) / 1e6}
				}
				data.Routes = append(data.Routes, detect.Route{ID: id, Name: route.Name, Line: line, WidthM: route.WidthM})
				routes = append(routes, id)
			}
			record.Routes, a.Routes = routes, r.Routes
		}
		switch {
		case !there:
			o.added++
		case a.Region == "" && a.Phone == "" && a.Operator == "" && a.Routes == nil:
			continue
		default:
			o.filled++
		}
		b, err := json.Marshal(a)
		if err != nil {
			panic(fmt.Sprintf("vehicle %s: %v", v, err)) // texts and whole numbers have a JSON
		}
		sum.Write(append(b, '\n'))
	}
	if o.added+o.filled > 0 {
		o.data, o.digest = &data, hex.EncodeToString(sum.Sum(nil))
	}
	return o
}

// companies finds the operator that a platform means. Its ids are of the platform's own system: only where the directory
// has the id with the name, or the name once, it is taken to be the same company.
type companies struct {
	byID, byName map[string]*detect.Operator
	twice        map[string]bool // names that several have
	made         map[string]bool
}

func newCompanies(list []detect.Operator) *companies {
	c := &companies{byID: map[string]*detect.Operator{}, byName: map[string]*detect.Operator{}, twice: map[string]bool{}, made: map[string]bool{}}
	for i := range list {
		o := &list[i]
		c.byID[o.ID] = o
		if c.byName[o.Name] != nil {
			c.twice[o.Name] = true
		}
		c.byName[o.Name] = o
	}
	return c
}

// of returns the id of a record's operator, and the operator where it has to be added.
func (c *companies) of(r *register.Record) (id string, made *detect.Operator) {
	if o := c.byID[r.OperatorID]; o != nil && (r.OperatorName == "" || o.Name == r.OperatorName) {
		return o.ID, nil
	}
	if o := c.byName[r.OperatorName]; o != nil && r.OperatorName != "" && !c.twice[r.OperatorName] {
		return o.ID, nil
	}
	key := r.OperatorID
	if key == "" {
		key = r.OperatorName
	}
	id = routePrefix + r.Platform + ":" + key
	if c.byID[id] != nil || c.made[id] {
		return id, nil
	}
	c.made[id] = true
	return id, &detect.Operator{ID: id, Name: r.OperatorName, Region: r.Region}
}
