package main

import (
	"fmt"
	"testing"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
)

func TestAreasOfAVehicle(t *testing.T) {
	truck, _ := ingest.NewVehicle("晋E12345", 2)
	coach, _ := ingest.NewVehicle("晋E54321", 2)
	stranger, _ := ingest.NewVehicle("京A00001", 2)
	ring := orb.Ring{{112, 35}, {113, 35}, {113, 36}, {112, 35}}
	hazmat := detect.ClassSet(0).With(detect.ClassHazmat)
	data := &detect.ReferenceData{
		Vehicles: []detect.VehicleRecord{{Vehicle: coach, Class: detect.ClassCoachLine}, {Vehicle: truck, Class: detect.ClassHazmat, Routes: []string{"R2", "none"}}},
		Fences: []detect.Fence{
			{ID: "all", Kind: detect.FenceForbidden, Geometry: orb.Point{112.8500004, 35.5}, RadiusM: 300},
			{ID: "hazmat", Kind: detect.FenceForbidden, Geometry: orb.Polygon{ring}, Classes: hazmat, Schedule: []detect.Window{{Days: 127, From: 420, To: 540}, {Days: 127, From: 1320, To: 1440}}},
			{ID: "coach", Kind: detect.FenceBound, Geometry: orb.MultiPolygon{{ring}, {ring, ring}}, Classes: hazmat, Vehicles: []ingest.Vehicle{coach}},
			{ID: "speed", Kind: detect.FenceSpeed, Geometry: orb.LineString{{112, 35}, {112.5, 35.5}}, WidthM: 50, SpeedLimit: 400, NightSpeedLimit: 300,
				Schedule: []detect.Window{{Days: 31, From: 0, To: 600}}},
			{ID: "day", Kind: detect.FenceSpeed, Geometry: orb.Point{112, 35}, RadiusM: 5, SpeedLimit: 400, Schedule: []detect.Window{{Days: 127, From: 60, To: 120}, {Days: 127, From: 0, To: 1440}}},
			{ID: "stop", Kind: detect.FenceNoStop, Geometry: orb.Polygon{ring}},
		},
		Routes: []detect.Route{{ID: "R1", Line: orb.LineString{{112, 35}, {113, 36}}, WidthM: 100}, {ID: "R2", Line: orb.LineString{{112, 35}, {113, 36}}, WidthM: 100}},
	}
	for v, want := range map[ingest.Vehicle]string{
		truck:    "all hazmat coach speed day R2 ",
		coach:    "all coach speed day ",
		stranger: "all speed day ",
	} {
		got := ""
		for _, a := range areasOf(data, v) {
			got += a.ID + " "
		}
		if got != want {
			t.Errorf("%s: %q, want %q", v, got, want)
		}
	}
	got := map[string]string{}
	for _, a := range areasOf(data, truck) {
		if a.Circle != nil {
			got[a.ID] = fmt.Sprint(*a.Circle, a.RadiusM, " ")
			a.Circle = nil
		}
		got[a.ID] += fmt.Sprintf("%v %v %v/%v daily %v odd %v holes %v limit %d/%d enter %v leave %v", len(a.Polygons), len(a.Line), a.WidthM, a.RadiusM, a.Daily, a.OddDays, a.Holes,
			a.Limit, a.NightLimit, a.OnEnter, a.OnLeave)
	}
	for id, want := range map[string]string{
		"all":    "{35500000 112850000} 300 0 0 0/300 daily [] odd false holes false limit 0/0 enter true leave false",
		"hazmat": "1 0 0/0 daily [{420 540} {1320 1440}] odd false holes false limit 0/0 enter true leave false",
		"coach":  "2 0 0/0 daily [] odd false holes true limit 0/0 enter false leave true",
		"speed":  "0 2 50/0 daily [{0 600}] odd true holes false limit 400/300 enter false leave false",
		"day":    "{35000000 112000000} 5 0 0 0/5 daily [] odd false holes false limit 400/0 enter false leave false",
		"R2":     "0 2 100/0 daily [] odd false holes false limit 0/0 enter false leave true",
	} {
		if got[id] != want {
			t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
}
