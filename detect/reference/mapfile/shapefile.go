package mapfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/twpayne/go-geom"
	shapefile "github.com/twpayne/go-shapefile"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
)

// readShapefile reads an ESRI shapefile: the shapes, and what the files beside say of them (.dbf), of the text in that (.cpg) and of
// the coordinates (.prj).
func readShapefile(shp []byte, beside func(ext string) ([]byte, error)) (f *File, err error) {
	side := map[string][]byte{}
	for _, ext := range []string{".prj", ".dbf", ".cpg"} {
		if side[ext], err = beside(ext); err != nil {
			return nil, err
		}
	}
	f = &File{Format: "shapefile"}
	if prj := side[".prj"]; prj == nil {
		f.Unplaced = true
	} else if err := checkProjection(string(prj)); err != nil {
		return nil, fmt.Errorf(".prj: %w", err)
	}
	shapes, err := readShapes(shp)
	if err != nil {
		return nil, fmt.Errorf(".shp: %w", err)
	}
	var rows []map[string]any
	if side[".dbf"] == nil {
		f.Remarks = append(f.Remarks, "there is no .dbf: nothing is known of the shapes but their outlines")
	} else {
		var remarks []string
		if rows, remarks, err = readTable(side[".dbf"], side[".cpg"]); err != nil {
			return nil, fmt.Errorf(".dbf: %w", err)
		}
		f.Remarks = append(f.Remarks, remarks...)
		if len(rows) != len(shapes) {
			return nil, fmt.Errorf("%d shapes in the .shp and %d rows in the .dbf: they do not belong together", len(shapes), len(rows))
		}
	}
	deleted := 0
	for i, s := range shapes {
		p := Place{Number: i + 1, Attributes: map[string]any{}}
		if rows != nil {
			if p.Attributes = rows[i]; p.Attributes == nil {
				deleted++
				continue
			}
		}
		err := s.bad
		if err == nil {
			p.Geometries, err = geometriesOf(s.geometry)
		}
		if err != nil {
			p.Bad = err.Error()
		}
		f.Places = append(f.Places, p)
	}
	if deleted > 0 {
		f.Remarks = append(f.Remarks, fmt.Sprintf("%d rows are marked as deleted and are passed over", deleted))
	}
	return f, nil
}

// guarded turns a panic of the library about a broken file into an error.
func guarded[T any](read func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is broken: %v", p)
		}
	}()
	return read()
}

// shape is a record of a .shp, or why it can't be read.
type shape struct {
	geometry geom.T
	bad      error
}

// readShapes takes the records apart and has each read by itself, so that a bad one costs itself only.
func readShapes(b []byte) (out []shape, err error) {
	const header, recordHeader = 100, 8
	_, err = guarded(func() (*shapefile.SHP, error) {
		return shapefile.ReadSHP(bytes.NewReader(b[:min(len(b), header)]), int64(len(b)), nil)
	})
	if err != nil {
		return nil, fmt.Errorf("%w; the file may be cut off", err)
	}
	for at := header; at < len(b); {
		if len(b)-at < recordHeader {
			return nil, fmt.Errorf("is cut off after shape %d", len(out))
		}
		size := recordHeader + 2*int64(binary.BigEndian.Uint32(b[at+4:]))
		if size > int64(len(b)-at) {
			return nil, fmt.Errorf("is cut off after shape %d", len(out))
		}
		record := b[at : at+int(size)]
		at += int(size)
		if len(out) == MaxPlaces {
			return nil, fmt.Errorf("more than %d shapes", MaxPlaces)
		}
		r, err := guarded(func() (*shapefile.SHPRecord, error) {
			return shapefile.ReadSHPRecord(bytes.NewReader(record), &shapefile.ReadSHPOptions{MaxParts: len(record), MaxPoints: len(record)})
		})
		if err != nil {
			out = append(out, shape{bad: fmt.Errorf("the shape is broken: %w", err)})
			continue
		}
		out = append(out, shape{geometry: r.Geom})
	}
	return out, nil
}

func geometriesOf(g geom.T) (out []orb.Geometry, err error) {
	at := func(flat []float64, stride, i int) orb.Point { return orb.Point{flat[i*stride], flat[i*stride+1]} }
	// run returns the positions between two offsets, which the file gives.
	run := func(flat []float64, stride, from, to int) ([]orb.Point, error) {
		if from < 0 || to < from || to > len(flat) {
			return nil, errors.New("its parts are out of order")
		}
		var list []orb.Point
		for i := from / stride; i < to/stride; i++ {
			p := at(flat, stride, i)
			if err := inRange(p); err != nil {
				return nil, err
			}
			list = append(list, p)
		}
		return list, nil
	}
	switch g := g.(type) {
	case nil:
		return nil, errors.New("has no geometry")
	case *geom.Point:
		list, err := run(g.FlatCoords(), g.Stride(), 0, len(g.FlatCoords()))
		if err != nil || len(list) != 1 {
			return nil, errors.Join(err, errors.New("has no position"))
		}
		return []orb.Geometry{list[0]}, nil
	case *geom.MultiPoint:
		list, err := run(g.FlatCoords(), g.Stride(), 0, len(g.FlatCoords()))
		for _, p := range list {
			out = append(out, p)
		}
		return out, err
	case *geom.MultiLineString:
		from := 0
		for _, to := range g.Ends() {
			list, err := run(g.FlatCoords(), g.Stride(), from, to)
			if err != nil {
				return nil, err
			}
			out = append(out, orb.LineString(list))
			from = to
		}
		return out, nil
	case *geom.MultiPolygon:
		var all orb.MultiPolygon
		from := 0
		for _, ends := range g.Endss() {
			var poly orb.Polygon
			for _, to := range ends {
				list, err := run(g.FlatCoords(), g.Stride(), from, to)
				if err != nil {
					return nil, err
				}
				poly = append(poly, list)
				from = to
			}
			all = append(all, poly)
		}
		if len(all) == 1 {
			return []orb.Geometry{all[0]}, nil
		}
		return []orb.Geometry{all}, nil
	}
	return nil, fmt.Errorf("a shape of type %T is not taken", g)
}

// readTable reads the attributes, a map for each row, nil for one that is marked as deleted.
func readTable(b, cpg []byte) (rows []map[string]any, remarks []string, err error) {
	const header = 32
	if len(b) < header {
		return nil, nil, errors.New("is cut off")
	}
	// The library makes room for as many rows as the header claims.
	claimed, size := uint64(binary.LittleEndian.Uint32(b[4:])), uint64(binary.LittleEndian.Uint16(b[10:]))
	if claimed*max(size, 1) > uint64(len(b)) {
		return nil, nil, fmt.Errorf("is cut off: %d rows of %d bytes do not fit into %d bytes", claimed, size, len(b))
	}
	name, enc, remark, err := encodingOf(b, cpg)
	if err != nil {
		return nil, nil, err
	}
	if remark != "" {
		remarks = append(remarks, remark)
	}
	read := func(skip bool) (*shapefile.DBF, error) {
		return guarded(func() (*shapefile.DBF, error) {
			return shapefile.ReadDBF(bytes.NewReader(b), int64(len(b)), &shapefile.ReadDBFOptions{Charset: name, SkipBrokenFields: skip})
		})
	}
	t, err := read(false)
	if err != nil { // perhaps an empty date; perhaps a number that did not fit
		var again error
		if t, again = read(true); again != nil {
			return nil, nil, again
		}
		remarks = append(remarks, fmt.Sprintf("values that can't be read are taken as unknown, such as: %v", err))
	}
	names := make([]string, len(t.FieldDescriptors))
	for i, d := range t.FieldDescriptors {
		if names[i], err = enc.NewDecoder().String(d.Name); err != nil {
			names[i] = d.Name
		}
	}
	for i, r := range t.Records {
		if r == nil {
			rows = append(rows, nil)
			continue
		}
		row := make(map[string]any, len(names))
		for j, v := range r {
			switch x := v.(type) {
			case string:
				if strings.ContainsRune(x, utf8.RuneError) {
					return nil, nil, fmt.Errorf("row %d: %s: %q is not %s; give a .cpg that says which encoding it is", i+1, names[j], x, name)
				}
			case time.Time:
				v = x.Format(time.DateOnly)
			case shapefile.DBFMemo:
				v = nil
			}
			row[names[j]] = v
		}
		rows = append(rows, row)
	}
	return rows, remarks, nil
}

var codePage = regexp.MustCompile(`^(?:(?:OEM|ANSI|CP|MS)[ _-]?)?(\d+)$`)

// encodingOf says which encoding the texts of a table have: by the .cpg, the mark in the table (0x4D is code page 936), or what the
// bytes are.
func encodingOf(dbf, cpg []byte) (name string, enc encoding.Encoding, remark string, err error) {
	said := strings.TrimSpace(strings.Trim(string(bytes.TrimPrefix(cpg, []byte("\ufeff"))), "\x00"))
	switch up := strings.ToUpper(said); {
	case up == "" && dbf[29] == 0x4d:
		name = "gbk"
	case up == "" && utf8.Valid(dbf[32:]):
		name = "utf-8"
	case up == "":
		name, remark = "gb18030", "nothing says which encoding the table has, and it is not UTF-8: taken for GBK"
	case up == "UTF8":
		name = "utf-8"
	default:
		if m := codePage.FindStringSubmatch(up); m != nil {
			switch m[1] {
			case "936":
				name = "gbk"
			case "54936":
				name = "gb18030"
			case "65001":
				name = "utf-8"
			default:
				name = "windows-" + m[1]
			}
		} else {
			name = strings.ToLower(said)
		}
	}
	enc, canonical := charset.Lookup(name)
	if enc == nil {
		return "", nil, "", fmt.Errorf(".cpg: %.40q is no encoding that is known; want UTF-8 or GBK", said)
	}
	return canonical, enc, remark, nil
}

var (
	wktName  = regexp.MustCompile(`^\s*([A-Za-z_]+)\s*[\[(]\s*"([^"]*)"`)
	wktDatum = regexp.MustCompile(`(?i)\b(?:DATUM|ENSEMBLE|TRF)\s*[\[(]\s*"([^"]*)"`)
	wktUnit  = regexp.MustCompile(`(?i)\b(?:ANGLEUNIT|UNIT)\s*[\[(]\s*"([^"]*)"\s*,\s*([0-9.eE+-]+)`)
	wktPrime = regexp.MustCompile(`(?i)\bPRIMEM\s*[\[(]\s*"[^"]*"\s*,\s*([0-9.eE+-]+)`)
)

// checkProjection takes WKT of geographic coordinates in degrees on WGS-84, or on CGCS2000, which is the same to centimetres.
func checkProjection(wkt string) error {
	const mend = "; save it as WGS 84 (EPSG:4326) or CGCS2000 (EPSG:4490), longitude and latitude in degrees"
	head := wktName.FindStringSubmatch(strings.TrimPrefix(wkt, "\ufeff"))
	if head == nil {
		return fmt.Errorf("%.60q is no coordinate system%s", wkt, mend)
	}
	switch strings.ToUpper(head[1]) {
	case "GEOGCS", "GEOGCRS", "GEODCRS":
	default:
		return fmt.Errorf("%q is projected%s", head[2], mend)
	}
	datum := wktDatum.FindStringSubmatch(wkt)
	if datum == nil {
		return fmt.Errorf("%q has no datum%s", head[2], mend)
	}
	switch d := strings.TrimPrefix(letters(datum[1]), "D"); {
	case strings.HasPrefix(d, "WGS84"), strings.HasPrefix(d, "WGS1984"), strings.HasPrefix(d, "WORLDGEODETICSYSTEM1984"),
		d == "CHINA2000", d == "CGCS2000", d == "CHINAGEODETICCOORDINATESYSTEM2000":
	default:
		return fmt.Errorf("datum %q%s", datum[1], mend)
	}
	if u := wktUnit.FindStringSubmatch(wkt); u != nil && !strings.HasPrefix(u[2], "0.01745") {
		return fmt.Errorf("unit %q is no degree%s", u[1], mend)
	}
	if p := wktPrime.FindStringSubmatch(wkt); p != nil && strings.Trim(p[1], "0.") != "" {
		return fmt.Errorf("longitudes are not from Greenwich%s", mend)
	}
	return nil
}

// letters are the letters and digits, in capitals: writers differ in the rest.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}
