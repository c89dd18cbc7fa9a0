package jt808

import (
	"reflect"
	"testing"
)

func TestRouteFromJSON(t *testing.T) {
	for _, want := range []Route{
		{ID: 7, Props: AreaTimed, Start: Time{0x24, 0x06, 0x05}, End: Time{0x24, 0x06, 0x30, 0x23, 0x59, 0x59}, Name: GBK("昆曲高速"),
			Points: []RoutePoint{{ID: 1, SectionID: 2, Lat: 25040678, Lon: 102712345, Width: 16, Props: SectionTimed | SectionSpeed | SectionSouth,
				TooLong: 1800, TooShort: 180, MaxSpeed: 80, OverspeedSeconds: 10, NightMaxSpeed: 60}}},
		{ID: 8, Props: AreaTimed, Start: Time{3: 0x22}, End: Time{3: 0x06}, Points: []RoutePoint{}}, // every day
	} {
		js := AppendBodyJSON(nil, Edition2019, &want)
		var got Route
		if err := got.FillJSON("route", js); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v, %v\nwant %+v", js, got, err, want)
		}
	}
	for js, want := range map[string]string{
		`{"points":[{"latitude":1}]}`:                          "route.points[0].latitude: no such field",
		`{"props":1,"start_time":1}`:                           "route.start_time: want a text",
		`{"props":1,"start_time":"1999-01-01T00:00:00+08:00"}`: "route.start_time: want a time such as 2026-03-01T08:00:00+08:00",
		`{"props":1,"start_time_raw":"00"}`:                    "route.start_time_raw: want 6 bytes as hex, have 1",
	} {
		if err := new(Route).FillJSON("route", []byte(js)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", js, err, want)
		}
	}
}
