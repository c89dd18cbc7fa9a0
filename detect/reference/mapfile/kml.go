package mapfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"golang.org/x/net/html/charset"
)

// readKML reads the placemarks of OGC KML 2.2 (12-007r2), wherever they are. Entities of a document type are an error: the decoder
// knows those of XML only.
func readKML(b []byte) (*File, error) {
	k := &kml{dec: xml.NewDecoder(bytes.NewReader(b)), file: &File{Format: "KML"}}
	k.dec.CharsetReader = charset.NewReaderLabel // GBK, for example
	root, links := "", 0
	for depth := 0; ; {
		t, err := k.dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, k.wrong(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if root == "" {
				if root = t.Name.Local; root != "kml" {
					return nil, fmt.Errorf("an XML file of %.40q; want kml", root)
				}
			}
			if depth++; depth > maxDepth {
				return nil, k.wrong(fmt.Errorf("elements in each other deeper than %d", maxDepth))
			}
			switch t.Name.Local {
			case "Placemark":
				if len(k.file.Places) == MaxPlaces {
					return nil, fmt.Errorf("more than %d placemarks", MaxPlaces)
				}
				if err := k.placemark(t); err != nil {
					return nil, k.wrong(err)
				}
				depth--
			case "NetworkLink":
				links++
			}
		case xml.EndElement:
			depth--
		}
	}
	if root == "" {
		return nil, errors.New("no KML")
	}
	if links > 0 {
		k.file.Remarks = append(k.file.Remarks, fmt.Sprintf("%d links to other files are not followed", links))
	}
	return k.file, nil
}

type kml struct {
	dec  *xml.Decoder
	file *File
}

func (k *kml) wrong(err error) error {
	line, column := k.dec.InputPos()
	return fmt.Errorf("line %d, column %d: %w", line, column, err)
}

// each calls fn for every child of the element that has begun; fn reads the child to its end.
func (k *kml) each(fn func(xml.StartElement) error) error {
	for {
		t, err := k.dec.Token()
		if err != nil {
			return cutOff(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if err := fn(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is cut off")
	}
	return err
}

// text reads an element that has only text.
func (k *kml) text() (string, error) {
	var b strings.Builder
	for depth := 0; ; {
		t, err := k.dec.Token()
		if err != nil {
			return "", cutOff(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			if depth == 0 {
				b.Write(t)
			}
		case xml.StartElement:
			depth++
		case xml.EndElement:
			if depth == 0 {
				return strings.TrimSpace(b.String()), nil
			}
			depth--
		}
	}
}

func (k *kml) skip() error { return cutOff(k.dec.Skip()) }

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

func (k *kml) placemark(e xml.StartElement) error {
	p := Place{Number: len(k.file.Places) + 1, ID: attribute(e, "id"), Attributes: map[string]any{}}
	err := k.each(func(c xml.StartElement) (err error) {
		switch c.Name.Local {
		case "name":
			p.Name, err = k.text()
			return err
		case "ExtendedData":
			return k.extended(p.Attributes)
		}
		return k.geometry(&p, c, 0)
	})
	if err != nil {
		return err
	}
	if len(p.Geometries) == 0 && p.Bad == "" {
		p.Bad = "has no geometry"
	}
	k.file.Places = append(k.file.Places, p)
	return nil
}

// extended reads Data with a value, and SimpleData of a schema.
func (k *kml) extended(into map[string]any) error {
	return k.each(func(e xml.StartElement) error {
		name := attribute(e, "name")
		switch e.Name.Local {
		case "Data":
			return k.each(func(c xml.StartElement) error {
				if c.Name.Local != "value" {
					return k.skip()
				}
				v, err := k.text()
				into[name] = v
				return err
			})
		case "SchemaData":
			return k.extended(into)
		case "SimpleData":
			v, err := k.text()
			into[name] = v
			return err
		}
		return k.skip()
	})
}

func (k *kml) geometry(p *Place, e xml.StartElement, depth int) error {
	add := func(g orb.Geometry, err error) error {
		switch {
		case err == nil:
			p.Geometries = append(p.Geometries, g)
		case p.Bad == "":
			p.Bad = e.Name.Local + ": " + err.Error()
		}
		return nil
	}
	switch e.Name.Local {
	case "Point":
		list, bad, err := k.coordinates()
		if err != nil {
			return err
		}
		if bad == nil && len(list) != 1 {
			bad = fmt.Errorf("%d positions; a point has one", len(list))
		}
		if bad != nil {
			return add(nil, bad)
		}
		return add(list[0], nil)
	case "LineString", "LinearRing":
		list, bad, err := k.coordinates()
		if err != nil {
			return err
		}
		return add(orb.LineString(list), bad)
	case "Polygon":
		poly, bad, err := k.polygon()
		if err != nil {
			return err
		}
		return add(poly, bad)
	case "MultiGeometry":
		if depth == maxDepth {
			return fmt.Errorf("elements in each other deeper than %d", maxDepth)
		}
		return k.each(func(c xml.StartElement) error { return k.geometry(p, c, depth+1) })
	case "Model", "Track", "MultiTrack":
		if p.Bad == "" {
			p.Bad = e.Name.Local + ": is not taken; draw a point, a line or a polygon"
		}
	}
	return k.skip()
}

// polygon reads the rings of a Polygon, the outer one first.
func (k *kml) polygon() (poly orb.Polygon, bad, err error) {
	var outer, holes []orb.Ring
	err = k.each(func(e xml.StartElement) error {
		to := &holes
		switch e.Name.Local {
		case "outerBoundaryIs":
			to = &outer
		case "innerBoundaryIs":
		default:
			return k.skip()
		}
		return k.each(func(c xml.StartElement) error {
			if c.Name.Local != "LinearRing" {
				return k.skip()
			}
			list, wrong, err := k.coordinates()
			if bad == nil {
				bad = wrong
			}
			*to = append(*to, list)
			return err
		})
	})
	if bad == nil && len(outer) != 1 {
		bad = fmt.Errorf("%d outer boundaries; want one", len(outer))
	}
	return append(outer, holes...), bad, err
}

// coordinates reads the children of a geometry and the positions among them. bad is what is wrong with these; the element is read
// to its end all the same.
func (k *kml) coordinates() (list []orb.Point, bad, err error) {
	err = k.each(func(e xml.StartElement) error {
		if e.Name.Local != "coordinates" {
			return k.skip()
		}
		text, err := k.text()
		if err == nil {
			list, bad = positions(text)
		}
		return err
	})
	return list, bad, err
}

// positions reads longitude,latitude[,altitude] separated by white space. White space round the commas, which the standard does not
// allow and people write, is taken.
func positions(text string) (list []orb.Point, err error) {
	tuple := ""
	take := func() error {
		if tuple == "" {
			return nil
		}
		parts := strings.Split(tuple, ",")
		if len(parts) < 2 || len(parts) > 3 {
			return fmt.Errorf("%.60q; want longitude,latitude", tuple)
		}
		var p orb.Point
		for i := range p {
			if p[i], err = strconv.ParseFloat(parts[i], 64); err != nil {
				return fmt.Errorf("%.60q; want longitude,latitude", tuple)
			}
		}
		tuple = ""
		list = append(list, p)
		return inRange(p)
	}
	for field := range strings.FieldsSeq(text) {
		if !strings.HasSuffix(tuple, ",") && !strings.HasPrefix(field, ",") {
			if err := take(); err != nil {
				return nil, err
			}
		}
		if tuple += field; len(tuple) > 200 {
			return nil, fmt.Errorf("%.60q…; want longitude,latitude", tuple)
		}
	}
	if err := take(); err != nil {
		return nil, err
	}
	return list, nil
}
