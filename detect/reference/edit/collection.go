package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Feature is a feature of a GeoJSON file.
type Feature struct {
	Index int    // among those that were handed in, from 0; -1: it was there before
	ID    string // property id, if it is a text
	Raw   json.RawMessage
}

// ParseFeatures takes a FeatureCollection, or one Feature, apart. What the features say is not looked at yet.
func ParseFeatures(text []byte) ([]Feature, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8; convert it, from GB18030 for example")
	}
	var top struct {
		Type     string
		Features *[]json.RawMessage
		CRS      json.RawMessage
	}
	if err := json.Unmarshal(text, &top); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("no JSON: byte %d: %w", syntax.Offset, err)
		}
		return nil, errors.New("want a FeatureCollection or a Feature of GeoJSON")
	}
	if crs := top.CRS; len(crs) > 0 && string(crs) != "null" && !bytes.Contains(crs, []byte("CRS84")) &&
		!bytes.Contains(crs, []byte("EPSG:4326")) && !bytes.Contains(crs, []byte("EPSG::4326")) {
		return nil, fmt.Errorf("crs: %.80s: want longitude and latitude; save it as RFC 7946 GeoJSON", crs)
	}
	var list []json.RawMessage
	switch {
	case top.Type == "Feature":
		list = []json.RawMessage{bytes.TrimSpace(text)}
	case top.Type != "FeatureCollection":
		return nil, fmt.Errorf("type: %.40q; want FeatureCollection or Feature", top.Type)
	case top.Features == nil:
		return nil, errors.New("features: want a list of features")
	default:
		list = *top.Features
	}
	out := make([]Feature, len(list))
	for i, raw := range list {
		out[i] = Feature{Index: i, ID: idOf(raw), Raw: raw}
	}
	return out, nil
}

// idOf returns the property id; empty if there is none that is a text.
func idOf(raw json.RawMessage) string {
	var f struct{ Properties struct{ ID json.RawMessage } }
	var id string
	if json.Unmarshal(raw, &f) != nil || json.Unmarshal(f.Properties.ID, &id) != nil {
		return ""
	}
	return id
}

// Compose makes a FeatureCollection, a feature a line.
func Compose(features []Feature) []byte {
	n := 64
	for i := range features {
		n += len(features[i].Raw) + 2
	}
	b := bytes.NewBuffer(make([]byte, 0, n))
	b.WriteString(`{"type":"FeatureCollection","features":[`)
	for i := range features {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(features[i].Raw)
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

// compact is the feature without white space; as it is where it is no JSON.
func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	b.Grow(len(raw))
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// merge puts features into a layer: those of an id that is there take its place, others come at the end.
func merge(present, fresh []Feature, remove []string) []Feature {
	gone := make(map[string]bool, len(remove))
	for _, id := range remove {
		gone[id] = true
	}
	out := make([]Feature, 0, len(present)+len(fresh))
	at := make(map[string]int, len(present))
	for _, f := range present {
		if gone[f.ID] {
			continue
		}
		f.Index = -1
		at[f.ID] = len(out)
		out = append(out, f)
	}
	for _, f := range fresh {
		if i, ok := at[f.ID]; ok && f.ID != "" {
			out[i] = f
			continue
		}
		out = append(out, f)
	}
	return out
}

// difference tells what became of the ids, each list in the order of the files.
func difference(before, after []Feature) (added, changed, removed []string) {
	added, changed, removed = []string{}, []string{}, []string{}
	was := make(map[string]json.RawMessage, len(before))
	for _, f := range before {
		was[f.ID] = f.Raw
	}
	is := make(map[string]bool, len(after))
	for _, f := range after {
		is[f.ID] = true
		switch raw, there := was[f.ID]; {
		case !there:
			added = append(added, f.ID)
		case !bytes.Equal(raw, f.Raw) && !bytes.Equal(compact(raw), compact(f.Raw)):
			changed = append(changed, f.ID)
		}
	}
	for _, f := range before {
		if !is[f.ID] {
			removed = append(removed, f.ID)
		}
	}
	return added, changed, removed
}
