package reference

import (
	"strings"

	"lushao/detect"
	"lushao/ingest"
)

// The columns of the CSV files. The first need ones must be in the header.
var (
	operatorColumns = []string{"id", "name", "region"}
	stationColumns  = []string{"id", "name", "lat", "lon", "method", "tolerance_pct", "size_tolerance_mm"}
	vehicleColumns  = []string{"plate", "color", "class", "operator", "region", "axles", "combination", "single_drive_axle",
		"gross_limit_kg", "max_speed_kmh", "phone", "night_exempt", "routes"}
	filingColumns  = []string{"plate", "color", "region", "start", "end", "number"}
	waybillColumns = []string{"plate", "color", "number", "start", "end", "cargo_class", "route"}
	permitColumns  = []string{"plate", "color", "kind", "number", "start", "end", "gross_kg", "length_mm", "width_mm",
		"height_mm", "route", "fence"}
)

func (l *loader) loadOperators(f *file) {
	ids := make(idSet)
	whole := f.eachRow(operatorColumns, 1, func(r *row) {
		l.data.Operators = append(l.data.Operators, detect.Operator{ID: r.id(ids), Name: get(r, "name", parseText, ""),
			Region: r.word("region")})
	})
	if whole {
		l.operators = ids
	}
}

func (l *loader) loadStations(f *file) {
	ids := make(idSet)
	whole := f.eachRow(stationColumns, 1, func(r *row) {
		s := detect.Station{ID: r.id(ids), Name: get(r, "name", parseText, ""), Lat: get(r, "lat", parseLat, 0),
			Lon: get(r, "lon", parseLon, 0), Method: get(r, "method", parseMethod, ingest.MethodUnknown),
			TolerancePct: get(r, "tolerance_pct", parsePercent, -1), SizeToleranceMm: get(r, "size_tolerance_mm", parseSizeTolerance, -1)}
		switch lat, lon := len(r.text("lat")) > 0, len(r.text("lon")) > 0; {
		case lat && !lon:
			r.fail("lon", "missing, and lat is there")
		case lon && !lat:
			r.fail("lat", "missing, and lon is there")
		}
		l.data.Stations = append(l.data.Stations, s)
	})
	if whole {
		l.stations = ids
	}
}

func (l *loader) loadVehicles(f *file) {
	seen := make(map[ingest.Vehicle]int)
	f.eachRow(vehicleColumns, 2, func(r *row) {
		v := detect.VehicleRecord{Vehicle: r.vehicle(), Class: get(r, "class", parseClass, detect.ClassOther),
			Operator: r.mention("operator", l.operators, Operators), Region: r.word("region"),
			Axles:           get(r, "axles", parseAxles, 0),
			Combination:     get(r, "combination", parseTri, ingest.Unknown),
			SingleDriveAxle: get(r, "single_drive_axle", parseTri, ingest.Unknown),
			GrossLimitKg:    get(r, "gross_limit_kg", parseAmount, 0), MaxSpeed: get(r, "max_speed_kmh", parseSpeed, 0),
			Phone: get(r, "phone", parsePhone, ""), NightExempt: get(r, "night_exempt", parseBool, false), Routes: l.routeList(r)}
		once(r, seen, v.Vehicle, "plate", v.Vehicle.String())
		l.data.Vehicles = append(l.data.Vehicles, v)
	})
}

// routeList returns the ids of the column routes, which are separated by semicolons.
func (l *loader) routeList(r *row) []string {
	text := r.text("routes")
	if len(text) == 0 {
		return nil
	}
	var ids []string
	for part := range strings.SplitSeq(string(text), ";") {
		id, reason := parseText(strings.Trim(part, " \t"))
		switch {
		case reason != "":
			r.fail("routes", "%s", reason)
		case id == "":
			r.fail("routes", "%q has an empty id; want ids with semicolons between", text)
		default:
			r.check("routes", id, l.routes, Routes)
		}
		id = l.shared(id)
		for _, other := range ids {
			if other == id && id != "" {
				r.fail("routes", "%q is there twice", id)
			}
		}
		ids = append(ids, id)
	}
	return ids
}

func (l *loader) loadFilings(f *file) {
	seen := make(map[detect.Filing]int)
	f.eachRow(filingColumns, 2, func(r *row) {
		v := detect.Filing{Vehicle: r.vehicle(), Region: r.word("region"), Number: get(r, "number", parseText, "")}
		v.Start, v.End = r.validity()
		once(r, seen, v, "plate", "the filing")
		l.data.Filings = append(l.data.Filings, v)
	})
}

func (l *loader) loadWaybills(f *file) {
	seen := make(map[detect.WaybillRecord]int)
	f.eachRow(waybillColumns, 2, func(r *row) {
		v := detect.WaybillRecord{Vehicle: r.vehicle(), Number: get(r, "number", parseText, ""),
			CargoClass: r.word("cargo_class"), Route: r.mention("route", l.routes, Routes)}
		v.Start, v.End = r.validity()
		once(r, seen, v, "plate", "the waybill")
		l.data.Waybills = append(l.data.Waybills, v)
	})
}

func (l *loader) loadPermits(f *file) {
	seen := make(map[detect.Permit]int)
	kind := parseWord(detect.PermitOversize, detect.PermitCharter, detect.PermitRelay)
	f.eachRow(permitColumns, 3, func(r *row) {
		v := detect.Permit{Vehicle: r.vehicle(), Number: get(r, "number", parseText, ""), Kind: get(r, "kind", kind, ""),
			GrossKg: get(r, "gross_kg", parseAmount, 0), LengthMm: get(r, "length_mm", parseAmount, 0),
			WidthMm: get(r, "width_mm", parseAmount, 0), HeightMm: get(r, "height_mm", parseAmount, 0),
			Route: r.mention("route", l.routes, Routes), Fence: r.mention("fence", l.fences, Fences)}
		v.Start, v.End = r.validity()
		if len(r.text("kind")) == 0 {
			r.fail("kind", "missing; want oversize, charter or relay")
		}
		once(r, seen, v, "plate", "the permit")
		l.data.Permits = append(l.data.Permits, v)
	})
}
