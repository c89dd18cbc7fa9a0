package reference

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/eventfile/textform"
)

// Write writes data as a reference directory, which is made if need be. It writes everything beside the directory's
// files and reads it as Load does; only if that is well are the files renamed into place, one after another, and those
// of which data has nothing removed. Rules stays as it is. A Load in the midst of that finds ErrChanged, or errors that
// are gone at the next. What Load gives for the directory equals data, an empty list being none.
func Write(dir string, data *detect.ReferenceData) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("reference directory: %w", err)
	}
	fresh, err := os.MkdirTemp(dir, ".write-")
	if err != nil {
		return fmt.Errorf("reference directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	files := []struct {
		name  string
		count int
		write func(*writer)
	}{
		{Operators, len(data.Operators), func(w *writer) { w.operators(data.Operators) }},
		{Stations, len(data.Stations), func(w *writer) { w.stations(data.Stations) }},
		{Routes, len(data.Routes), func(w *writer) { w.routes(data.Routes) }},
		{Fences, len(data.Fences), func(w *writer) { w.fences(data.Fences) }},
		{Sections, len(data.Sections), func(w *writer) { w.sections(data.Sections) }},
		{Vehicles, len(data.Vehicles), func(w *writer) { w.vehicles(data.Vehicles) }},
		{Filings, len(data.Filings), func(w *writer) { w.filings(data.Filings) }},
		{Waybills, len(data.Waybills), func(w *writer) { w.waybills(data.Waybills) }},
		{Permits, len(data.Permits), func(w *writer) { w.permits(data.Permits) }},
	}
	for _, f := range files {
		if f.count > 0 {
			if err := writeFile(filepath.Join(fresh, f.name), f.write); err != nil {
				return err
			}
		}
	}
	if _, _, err := Load(fresh); err != nil {
		return fmt.Errorf("reference directory %s is not written, as it could not be read again: %w", dir, err)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if f.count > 0 {
			err = os.Rename(filepath.Join(fresh, f.name), path)
		} else if err = os.Remove(path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("reference directory: %w", err)
		}
	}
	return syncDir(dir)
}

// writeFile writes a file and waits until it is on the disk.
func writeFile(path string, write func(*writer)) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	w := &writer{out: bufio.NewWriterSize(f, 64<<10)}
	write(w)
	err = w.err
	if err == nil {
		err = w.out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writer writes one file. The first error is kept: of out, which keeps its own until Flush, or of a record that the form
// cannot carry.
type writer struct {
	out  *bufio.Writer
	line []byte
	err  error
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// header begins a CSV file.
func (w *writer) header(columns []string) {
	io.WriteString(w.out, strings.Join(columns, ",")+"\n")
}

// row writes a line of CSV.
func (w *writer) row(cells ...string) {
	w.line = w.line[:0]
	for i, c := range cells {
		if strings.ContainsAny(c, "\r\n") {
			w.fail("%q has a line break, which a cell cannot carry", c)
		}
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = textform.AppendCell(w.line, c)
	}
	w.line = append(w.line, '\n')
	w.out.Write(w.line)
}

// The following give a value as a cell; unknown is empty.

func plate(v ingest.Vehicle) string { return v.Plate() }

func color(v ingest.Vehicle) string { return strconv.Itoa(int(v.Color)) }

func amount[T uint8 | uint16 | uint32](v T) string {
	if v == 0 {
		return ""
	}
	return strconv.Itoa(int(v))
}

func tenths(v uint16) string {
	if v == 0 {
		return ""
	}
	return string(textform.AppendDecimal(nil, int64(v), 1))
}

func tri(v ingest.Tri) string {
	if v == ingest.Unknown {
		return ""
	}
	return strconv.FormatBool(v == ingest.Yes)
}

func instant(ms int64) string {
	if ms == 0 {
		return ""
	}
	return string(textform.AppendTime(nil, ms))
}

func float(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func (w *writer) operators(list []detect.Operator) {
	w.header(operatorColumns)
	for _, v := range list {
		w.row(v.ID, v.Name, v.Region)
	}
}

func (w *writer) stations(list []detect.Station) {
	w.header(stationColumns)
	for _, v := range list {
		var lat, lon, method, tolerance, size string
		if v.Lat != 0 || v.Lon != 0 {
			lat = string(textform.AppendDecimal(nil, int64(v.Lat), 6))
			lon = string(textform.AppendDecimal(nil, int64(v.Lon), 6))
		}
		if v.Method != ingest.MethodUnknown {
			method = v.Method.String()
		}
		if v.TolerancePct != -1 {
			tolerance = float(v.TolerancePct)
		}
		if v.SizeToleranceMm != -1 {
			size = strconv.Itoa(int(v.SizeToleranceMm))
		}
		w.row(v.ID, v.Name, lat, lon, method, tolerance, size)
	}
}

func (w *writer) vehicles(list []detect.VehicleRecord) {
	w.header(vehicleColumns)
	for i := range list {
		v := &list[i]
		w.row(plate(v.Vehicle), color(v.Vehicle), v.Class.String(), v.Operator, v.Region, amount(v.Axles), tri(v.Combination),
			tri(v.SingleDriveAxle), amount(v.GrossLimitKg), tenths(v.MaxSpeed), v.Phone, strconv.FormatBool(v.NightExempt),
			strings.Join(v.Routes, ";"))
	}
}

func (w *writer) filings(list []detect.Filing) {
	w.header(filingColumns)
	for i := range list {
		v := &list[i]
		w.row(plate(v.Vehicle), color(v.Vehicle), v.Region, instant(v.Start), instant(v.End), v.Number)
	}
}

func (w *writer) waybills(list []detect.WaybillRecord) {
	w.header(waybillColumns)
	for i := range list {
		v := &list[i]
		w.row(plate(v.Vehicle), color(v.Vehicle), v.Number, instant(v.Start), instant(v.End), v.CargoClass, v.Route)
	}
}

func (w *writer) permits(list []detect.Permit) {
	w.header(permitColumns)
	for i := range list {
		v := &list[i]
		w.row(plate(v.Vehicle), color(v.Vehicle), string(v.Kind), v.Number, instant(v.Start), instant(v.End), amount(v.GrossKg),
			amount(v.LengthMm), amount(v.WidthMm), amount(v.HeightMm), v.Route, v.Fence)
	}
}

// collection writes a GeoJSON file, a feature a line.
func (w *writer) collection(n int, feature func(i int)) {
	io.WriteString(w.out, `{"type":"FeatureCollection","features":[`)
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.line = append(w.line[:0], "\n"+`{"type":"Feature","properties":{`...)
		feature(i)
		w.line = append(w.line, '}')
		w.out.Write(w.line)
	}
	io.WriteString(w.out, "\n]}\n")
}

// text writes a property that is not empty; the id is first and always there.
func (w *writer) text(name, s string) {
	if s != "" || name == "id" {
		w.property(name)
		w.line = textform.AppendString(w.line, s)
	}
}

func (w *writer) property(name string) {
	if name != "id" {
		w.line = append(w.line, ',')
	}
	w.line = textform.AppendString(w.line, name)
	w.line = append(w.line, ':')
}

// raw writes a property that is a number in its text form; empty is unknown.
func (w *writer) raw(name, number string) {
	if number != "" {
		w.property(name)
		w.line = append(w.line, number...)
	}
}

func (w *writer) metres(name string, v float64) {
	if v != 0 {
		w.raw(name, float(v))
	}
}

// list writes a property that is a list of texts.
func (w *writer) list(name string, texts []string) {
	if len(texts) == 0 {
		return
	}
	w.property(name)
	for i, s := range texts {
		w.line = append(w.line, "[,"[min(i, 1)])
		w.line = textform.AppendString(w.line, s)
	}
	w.line = append(w.line, ']')
}

func (w *writer) classes(set detect.ClassSet) {
	var names []string
	for c := detect.ClassOther; c <= detect.ClassSchoolBus; c++ {
		if set.Has(c) {
			names = append(names, c.String())
		}
	}
	w.list("classes", names)
}

func (w *writer) schedule(windows []detect.Window) {
	if len(windows) == 0 {
		return
	}
	w.property("schedule")
	for i, v := range windows {
		w.line = append(w.line, "[,"[min(i, 1)])
		w.line = append(w.line, `{"days":`...)
		sep := byte('[')
		for day := range 7 {
			if v.Days&(1<<day) != 0 {
				w.line = append(w.line, sep, byte('1'+day))
				sep = ','
			}
		}
		if sep == '[' {
			w.fail("a window of a schedule has no day")
			return
		}
		w.line = fmt.Appendf(w.line, `],"from":"%02d:%02d","to":"%02d:%02d"`, v.From/60, v.From%60, v.To/60, v.To%60)
		for _, d := range []struct {
			name string
			day  int32
		}{{"first_day", v.FirstDay}, {"last_day", v.LastDay}} {
			if d.day != 0 {
				w.line = fmt.Appendf(w.line, `,%q:%q`, d.name, time.Unix(int64(d.day)*86400, 0).UTC().Format(time.DateOnly))
			}
		}
		w.line = append(w.line, '}')
	}
	w.line = append(w.line, ']')
}

func (w *writer) fences(list []detect.Fence) {
	w.collection(len(list), func(i int) {
		v := &list[i]
		w.text("id", v.ID)
		w.text("name", v.Name)
		w.text("kind", string(v.Kind))
		w.metres("radius_m", v.RadiusM)
		w.metres("width_m", v.WidthM)
		w.classes(v.Classes)
		var plates []string
		for _, vehicle := range v.Vehicles {
			plates = append(plates, vehicle.String())
		}
		w.list("plates", plates)
		w.list("operators", v.Operators)
		w.list("regions", v.Regions)
		w.schedule(v.Schedule)
		w.raw("speed_limit_kmh", tenths(v.SpeedLimit))
		w.raw("night_speed_limit_kmh", tenths(v.NightSpeedLimit))
		w.raw("max_stay_s", amount(v.MaxStayS))
		for name, road := range roads {
			if road == v.Road {
				w.text("road", name)
			}
		}
		w.text("region", v.Region)
		w.text("station", v.Station)
		w.geometry(v.ID, v.Geometry)
	})
}

func (w *writer) routes(list []detect.Route) {
	w.collection(len(list), func(i int) {
		v := &list[i]
		w.text("id", v.ID)
		w.text("name", v.Name)
		w.metres("width_m", v.WidthM)
		w.geometry(v.ID, v.Line)
	})
}

func (w *writer) sections(list []detect.Section) {
	w.collection(len(list), func(i int) {
		v := &list[i]
		w.text("id", v.ID)
		w.text("name", v.Name)
		w.metres("length_m", v.LengthM)
		w.raw("speed_limit_kmh", tenths(v.SpeedLimit))
		w.metres("gate_radius_m", v.GateRadiusM)
		w.classes(v.Classes)
		w.geometry(v.ID, v.Line)
	})
}

// geometry ends the properties of a feature and writes its geometry.
func (w *writer) geometry(id string, g orb.Geometry) {
	var coordinates []byte
	switch g := g.(type) {
	case orb.Point:
		coordinates = appendPoint(nil, g)
	case orb.LineString:
		coordinates = appendList(nil, g, appendPoint)
	case orb.Polygon:
		coordinates = appendPolygon(nil, g)
	case orb.MultiPolygon:
		coordinates = appendList(nil, g, appendPolygon)
	default:
		w.fail("%q: geometry %T; want orb.Point, LineString, Polygon or MultiPolygon", id, g)
		return
	}
	w.line = fmt.Appendf(w.line, `},"geometry":{"type":"%s","coordinates":%s}`, g.GeoJSONType(), coordinates)
}

func appendPolygon(dst []byte, p orb.Polygon) []byte {
	return appendList(dst, p, func(dst []byte, r orb.Ring) []byte { return appendList(dst, r, appendPoint) })
}

func appendPoint(dst []byte, p orb.Point) []byte {
	dst = append(dst, '[')
	dst = strconv.AppendFloat(dst, p[0], 'f', -1, 64)
	dst = append(dst, ',')
	dst = strconv.AppendFloat(dst, p[1], 'f', -1, 64)
	return append(dst, ']')
}

func appendList[T any](dst []byte, list []T, item func([]byte, T) []byte) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item(dst, v)
	}
	return append(dst, ']')
}
