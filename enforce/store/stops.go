package store

import (
	"context"
	"strings"

	"lushao/detect"
	"lushao/ingest"
)

// Stop is a vehicle that is blamed for stopping where it is forbidden, and since when, Unix ms.
type Stop struct {
	Vehicle ingest.Vehicle
	Start   int64
}

// StopsAt returns who is blamed for stopping inside of any of the boxes in their times: the violations that stand, by plate and colour.
func (s *Store) StopsAt(ctx context.Context, scenes []Scene) ([]Stop, error) {
	if len(scenes) == 0 {
		return nil, nil
	}
	c := new(conditions)
	c.compare("kind", "=", "String", string(detect.KindFenceStop))
	c.compare("state", "!=", "String", string(detect.StateRetracted))
	c.text = append(c.text, "shadow = ''")
	any, to := make([]string, len(scenes)), scenes[0].To
	for i := range scenes {
		x, of := &scenes[i], new(conditions)
		of.params = c.params
		of.time("start", "<=", x.To)
		of.text = append(of.text, "(`end` IS NULL OR `end` >= "+of.instant(x.From)+")",
			"start_lat BETWEEN "+of.param("Float64", float64(x.MinLat)/1e6)+" AND "+of.param("Float64", float64(x.MaxLat)/1e6),
			"start_lon BETWEEN "+of.param("Float64", float64(x.MinLon)/1e6)+" AND "+of.param("Float64", float64(x.MaxLon)/1e6))
		c.params, any[i] = of.params, "("+of.and()+" )"
		to = max(to, x.To)
	}
	c.time("start", "<=", to) // for the index
	c.text = append(c.text, "("+strings.Join(any, " OR ")+")")
	var out []Stop
	err := s.eachPlate(ctx, func(v ingest.Vehicle, _ string, at int64) { out = append(out, Stop{v, at}) },
		"SELECT plate, color, '', toUnixTimestamp64Milli(start) AS at FROM violations FINAL"+c.where()+" ORDER BY plate, color, at", c.params...)
	return out, err
}
