// Package mapfile reads places out of files of other programs: GeoJSON, KML, KMZ and shapefiles, and takes them into a reference
// directory. Files are not trusted: what they may cost is bounded, and one bad place costs itself only.
package mapfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/paulmach/orb"
)

// Source is a file to be read.
type Source struct {
	Name string // as people know it
	Data []byte
	// Beside returns the file beside with another ending, such as ".dbf"; nil content where there is none. It may be nil.
	Beside func(ext string) ([]byte, error)
}

// Bounds of what is read.
const (
	MaxUnpacked = 512 << 20 // bytes of all files in an archive
	MaxPlaces   = 200_000   // of a file
	maxDepth    = 64        // of elements in each other
)

// File is what a file holds.
type File struct {
	Name    string
	Format  string // GeoJSON, KML, KMZ, shapefile
	Places  []Place
	Remarks []string // what a person should know
	// Unplaced: nothing in the file says which datum its coordinates have.
	Unplaced bool
}

// Place is something drawn: its geometry, in degrees as they stand, and what is said of it.
type Place struct {
	Number     int // in the file, from 1
	ID, Name   string
	Attributes map[string]any // string, bool, json.Number, float64, or what a JSON text has
	Geometries []orb.Geometry // Point, LineString, Polygon, MultiPolygon
	Bad        string         // why it can't be taken; then there may be no geometry
}

// Read reads a file. What it is, its content tells, not its name.
func Read(s Source) ([]File, error) {
	files, err := read(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	for i := range files {
		if n := len(files[i].Places); n > MaxPlaces {
			return nil, fmt.Errorf("%s: %d places; at most %d in a file", files[i].Name, n, MaxPlaces)
		}
	}
	return files, nil
}

func read(s Source) ([]File, error) {
	b := s.Data
	one := func(f *File, err error) ([]File, error) {
		if err != nil {
			return nil, err
		}
		f.Name = s.Name
		return []File{*f}, nil
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return readZip(s.Name, b)
	case bytes.HasPrefix(b, []byte{0, 0, 0x27, 0x0a}):
		beside := s.Beside
		if beside == nil {
			beside = func(string) ([]byte, error) { return nil, nil }
		}
		return one(readShapefile(b, beside))
	case bytes.HasPrefix(text, []byte("<")), bytes.HasPrefix(b, []byte{0xff, 0xfe}), bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return one(readKML(b))
	case bytes.HasPrefix(text, []byte("{")):
		return one(readGeoJSON(text))
	case len(text) == 0:
		return nil, errors.New("empty")
	}
	return nil, errors.New("is neither GeoJSON, KML, KMZ nor a shapefile; of a shapefile give the .shp, or all its files in a zip")
}

// readZip reads a KMZ, or the shapefiles and other files in an archive.
func readZip(name string, b []byte) ([]File, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("the archive can't be read, it may be cut off: %w", err)
	}
	a := archive{left: MaxUnpacked, files: map[string]*zip.File{}}
	var names []string
	for _, f := range z.File {
		if strings.Contains(f.Name, "__MACOSX/") || strings.HasPrefix(path.Base(f.Name), ".") {
			continue
		}
		key := strings.ToLower(f.Name)
		switch path.Ext(key) {
		case ".kml", ".shp", ".geojson", ".json":
			names = append(names, f.Name)
		}
		a.files[key] = f
	}
	slices.Sort(names)
	kmz := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(path.Ext(n), ".kml") })
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, "doc.kml") }); i >= 0 {
		names = names[i : i+1] // the one that is shown; others are linked from it
	}
	var out []File
	for _, n := range names {
		data, err := a.read(n)
		if err != nil {
			return nil, err
		}
		label := name + "/" + n
		stem := strings.TrimSuffix(n, path.Ext(n))
		files, err := read(Source{Name: label, Data: data, Beside: func(ext string) ([]byte, error) { return a.read(stem + ext) }})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		if kmz && len(files) == 1 && files[0].Format == "KML" {
			files[0].Format = "KMZ"
		}
		out = append(out, files...)
	}
	if len(out) == 0 {
		return nil, errors.New("the archive holds no .kml, .shp or .geojson")
	}
	return out, nil
}

// archive reads files of a zip, as long as they stay within bounds together.
type archive struct {
	files map[string]*zip.File
	left  int64
}

// read returns nil for a file that is not there.
func (a *archive) read(name string) ([]byte, error) {
	f := a.files[strings.ToLower(name)]
	if f == nil {
		return nil, nil
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, a.left+1)) // what the archive says of its size is not believed
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if a.left -= int64(len(b)); a.left < 0 {
		return nil, fmt.Errorf("the archive unpacks to more than %d MiB; take less at a time", MaxUnpacked>>20)
	}
	if bytes.HasPrefix(b, []byte("PK\x03\x04")) {
		return nil, fmt.Errorf("%s: an archive in an archive; unpack it", name)
	}
	if b == nil {
		b = []byte{}
	}
	return b, nil
}
