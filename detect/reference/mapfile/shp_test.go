package mapfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/paulmach/orb"
)

// A small writer of shapefiles, by ESRI's white paper of July 1998 and the dBASE III table layout.

const (
	shapeNull, shapePoint, shapeLine, shapePolygon, shapePoints = 0, 1, 3, 5, 8

	wgs84    = `GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`
	cgcs2000 = `GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`
	gauss    = `PROJCS["CGCS2000_3_Degree_GK_Zone_38",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],UNIT["Meter",1.0]]`
	beijing  = `GEOGCS["GCS_Beijing_1954",DATUM["D_Beijing_1954",SPHEROID["Krasovsky_1940",6378245.0,298.3]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`
)

// shp writes shapes of one type; a nil geometry is a null shape.
func shp(kind uint32, shapes ...orb.Geometry) []byte {
	var body bytes.Buffer
	for i, g := range shapes {
		var c bytes.Buffer
		put := func(v any) { binary.Write(&c, binary.LittleEndian, v) }
		var parts [][]orb.Point
		switch g := g.(type) {
		case nil:
			put(uint32(shapeNull))
		case orb.Point:
			put(uint32(shapePoint))
			put(g)
		case orb.MultiPoint:
			put(uint32(shapePoints))
			put([4]float64{})
			put(uint32(len(g)))
			for _, p := range g {
				put(p)
			}
		case orb.LineString:
			parts = [][]orb.Point{g}
		case orb.MultiLineString:
			for _, l := range g {
				parts = append(parts, l)
			}
		case orb.Polygon:
			for _, r := range g {
				parts = append(parts, r)
			}
		case orb.MultiPolygon:
			for _, p := range g {
				for _, r := range p {
					parts = append(parts, r)
				}
			}
		}
		if parts != nil {
			put(kind)
			put([4]float64{})
			put(uint32(len(parts)))
			total := 0
			for _, p := range parts {
				total += len(p)
			}
			put(uint32(total))
			at := 0
			for _, p := range parts {
				put(uint32(at))
				at += len(p)
			}
			for _, p := range parts {
				for _, x := range p {
					put(x)
				}
			}
		}
		binary.Write(&body, binary.BigEndian, [2]uint32{uint32(i + 1), uint32(c.Len() / 2)})
		body.Write(c.Bytes())
	}
	head := make([]byte, 100)
	binary.BigEndian.PutUint32(head, 9994)
	binary.BigEndian.PutUint32(head[24:], uint32((100+body.Len())/2))
	binary.LittleEndian.PutUint32(head[28:], 1000)
	binary.LittleEndian.PutUint32(head[32:], kind)
	for i := range 8 {
		binary.LittleEndian.PutUint64(head[36+8*i:], math.Float64bits(0))
	}
	return append(head, body.Bytes()...)
}

// column is a column of a table.
type column struct {
	name string
	kind byte
	size int
}

// dbf writes a table; the cells are bytes in whatever encoding. A row that begins with "*" is deleted.
func dbf(columns []column, rows ...[]string) []byte {
	size := 1
	for _, c := range columns {
		size += c.size
	}
	head := make([]byte, 32)
	head[0], head[1], head[2], head[3] = 3, 126, 5, 1
	binary.LittleEndian.PutUint32(head[4:], uint32(len(rows)))
	binary.LittleEndian.PutUint16(head[8:], uint16(32+32*len(columns)+1))
	binary.LittleEndian.PutUint16(head[10:], uint16(size))
	out := head
	for _, c := range columns {
		d := make([]byte, 32)
		copy(d, c.name)
		d[11], d[16] = c.kind, byte(c.size)
		out = append(out, d...)
	}
	out = append(out, 0x0d)
	for _, r := range rows {
		flag := byte(' ')
		if len(r) > len(columns) && r[0] == "*" {
			flag, r = '*', r[1:]
		}
		out = append(out, flag)
		for i, c := range columns {
			cell := r[i]
			if len(cell) > c.size {
				panic(fmt.Sprintf("%q is longer than %d", cell, c.size))
			}
			out = append(out, cell...)
			out = append(out, bytes.Repeat([]byte{' '}, c.size-len(cell))...)
		}
	}
	return append(out, 0x1a)
}

// ring is a square, clockwise as shapefiles have outer rings, or the other way round.
func ring(lon, lat, size float64, clockwise bool) orb.Ring {
	r := orb.Ring{{lon, lat}, {lon, lat + size}, {lon + size, lat + size}, {lon + size, lat}, {lon, lat}}
	if !clockwise {
		r.Reverse()
	}
	return r
}
