package api

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/paulmach/orb"

	"lushao/detect/reference/edit"
	"lushao/internal/httpx"
)

// getLayer answers with a layer as a FeatureCollection: all of it, those of some ids, or those whose bounds meet a box.
func (p *places) getLayer(w http.ResponseWriter, r *http.Request) error {
	layer, err := layerOf(r)
	if err != nil {
		return err
	}
	q := readParameters(r)
	n := q.number64("version")
	datum := q.datum()
	ids := q.Many("id", func(string) error { return nil })
	box := q.bbox()
	if err := q.Finish(); err != nil {
		return err
	}
	features, v, err := p.dir.Read(layer, n)
	if err != nil {
		return editError(err)
	}
	h := w.Header()
	h.Set("ETag", tagOf(v.Number))
	h.Set("Cache-Control", "private, no-cache")
	if etagMatches(r.Header.Get("If-None-Match"), tagOf(v.Number)) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	out := features[:0]
	for _, f := range features {
		if len(ids) > 0 && !slices.Contains(ids, f.ID) {
			continue
		}
		if f = f.Convert(edit.WGS84, datum); box != nil && !meets(&f, *box) {
			continue
		}
		out = append(out, f)
	}
	if len(ids) == 1 && len(out) == 0 && box == nil {
		h.Del("ETag")
		return editError(edit.ErrNoFeature)
	}
	h.Set("Content-Type", "application/geo+json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(edit.Compose(out))
	return nil
}

// meets reports whether the bounds of a feature, with its radius or half of its width, meet a box in degrees.
func meets(f *edit.Feature, box [4]float64) bool {
	g := f.Geometry()
	if g == nil {
		return false
	}
	var size struct {
		Properties struct {
			Radius float64 `json:"radius_m"`
			Width  float64 `json:"width_m"`
		}
	}
	_ = json.Unmarshal(f.Raw, &size) // the loader has taken it
	b := widened(g.Bound(), max(size.Properties.Radius, size.Properties.Width/2))
	return b.Min[0] <= box[2] && b.Max[0] >= box[0] && b.Min[1] <= box[3] && b.Max[1] >= box[1]
}

// widened returns bounds and all that is within metres of them, and a little more.
func widened(b orb.Bound, metres float64) orb.Bound {
	const perDegree = 110574.0 // m of latitude, the least
	lat := metres / perDegree
	top := min(max(-b.Min[1], b.Max[1])+lat, 89)
	lon := metres / (perDegree * math.Cos(top*math.Pi/180))
	return orb.Bound{Min: orb.Point{b.Min[0] - lon, b.Min[1] - lat}, Max: orb.Point{b.Max[0] + lon, b.Max[1] + lat}}
}

// shownIDs is how many ids of each list the versions show in a list; one alone shows all.
const shownIDs = 20

// versionLine is a version in a list.
type versionLine struct {
	edit.Version
	AddedCount   int `json:"added_count"`
	ChangedCount int `json:"changed_count"`
	RemovedCount int `json:"removed_count"`
}

func (p *places) listVersions(w http.ResponseWriter, r *http.Request) error {
	q := readParameters(r)
	limit := q.Integer("limit", defaultLimit, 1, maxLimit)
	before := q.number64("cursor")
	if err := q.Finish(); err != nil {
		return err
	}
	list, more, err := p.dir.Versions(before, limit)
	if err != nil {
		return editError(err)
	}
	out := make([]versionLine, len(list))
	for i, v := range list {
		out[i] = versionLine{v, len(v.Added), len(v.Changed), len(v.Removed)}
		for _, ids := range []*[]string{&out[i].Added, &out[i].Changed, &out[i].Removed} {
			*ids = (*ids)[:min(len(*ids), shownIDs)]
		}
	}
	next := ""
	if more {
		next = strconv.FormatUint(list[len(list)-1].Number, 10)
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"versions": out, "next": nextCursor(next)})
	return nil
}

func versionNumber(r *http.Request) (uint64, error) {
	n, err := strconv.ParseUint(r.PathValue("n"), 10, 64)
	if err != nil {
		return 0, editError(edit.ErrNoVersion)
	}
	return n, nil
}

func (p *places) getVersion(w http.ResponseWriter, r *http.Request) error {
	n, err := versionNumber(r)
	if err == nil {
		err = readParameters(r).Finish()
	}
	if err != nil {
		return err
	}
	v, err := p.dir.Version(n)
	if err != nil {
		return editError(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, v)
	return nil
}
