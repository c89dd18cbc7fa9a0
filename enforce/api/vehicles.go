package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"lushao/detect"
	"lushao/enforce/store"
	"lushao/ingest"
	"lushao/internal/httpx"
)

// choice is one of the vehicles that share a plate.
type choice struct {
	Plate     string       `json:"plate"`
	Color     ingest.Color `json:"color"`
	FirstSeen detect.Time  `json:"first_seen"`
	LastSeen  detect.Time  `json:"last_seen"`
	Href      string       `json:"href"`
}

// vehicleAnswer is what the record knows of a vehicle. Counts are of violations that began in the last 30 and 365 days,
// by kind, without those that are in no count.
type vehicleAnswer struct {
	Plate        string          `json:"plate"`
	Color        ingest.Color    `json:"color"`
	FirstSeen    detect.Time     `json:"first_seen"`
	LastSeen     detect.Time     `json:"last_seen"`
	LastPosition json.RawMessage `json:"last_position"`
	Counts       struct {
		Days30  map[string]uint64 `json:"days_30"`
		Days365 map[string]uint64 `json:"days_365"`
	} `json:"counts"`
	Violations []store.Record `json:"violations"`
}

// getVehicle answers for plate and color. Without a color the plate must be of one vehicle; of several it answers 300 and
// lists them.
func (a *API) getVehicle(w http.ResponseWriter, r *http.Request) error {
	plate := r.PathValue("plate")
	p := readParameters(r)
	color := p.color()
	if _, err := ingest.NewVehicle(plate, 0); err != nil {
		p.Fail("plate", "%v", strings.TrimPrefix(err.Error(), "plate: "))
	}
	if err := p.Finish(); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	if color == nil {
		seen, err := a.store.Colors(r.Context(), plate)
		if err != nil {
			return err
		}
		switch len(seen) {
		case 0:
			return httpx.Refuse(http.StatusNotFound, "not_found", "this plate was never seen", "plate")
		case 1:
			color = &seen[0].Vehicle.Color
		default:
			choices := []choice{}
			for _, s := range seen {
				c := s.Vehicle.Color
				choices = append(choices, choice{plate, c, detect.Time(s.First), detect.Time(s.Last),
					"/v1/vehicles/" + url.PathEscape(plate) + "?color=" + strconv.Itoa(int(c))})
			}
			httpx.WriteJSON(w, http.StatusMultipleChoices, struct {
				Choices []choice `json:"choices"`
			}{choices})
			return nil
		}
	}
	v, err := ingest.NewVehicle(plate, *color)
	if err != nil {
		return badField("plate", err.Error())
	}
	s, err := a.store.Vehicle(r.Context(), v, a.now())
	if err != nil {
		return err
	}
	out := vehicleAnswer{Plate: plate, Color: *color, FirstSeen: detect.Time(s.Seen.First), LastSeen: detect.Time(s.Seen.Last), Violations: s.Recent}
	out.Counts.Days30, out.Counts.Days365 = s.Days30, s.Days365
	if out.Violations == nil {
		out.Violations = []store.Record{}
	}
	if s.Last != nil {
		out.LastPosition = appendPosition(nil, s.Last, "", nil)
	}
	httpx.WriteJSON(w, http.StatusOK, out)
	return nil
}
