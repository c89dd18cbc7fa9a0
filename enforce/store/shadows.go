package store

import (
	"context"
	"fmt"
)

// ShadowFilter says which violations of a shadow are compared with those in force.
type ShadowFilter struct {
	Name     string
	Kinds    []string // empty: those that the shadow has found any of
	From, To int64    // bound the start, Unix ms, To exclusive; 0 is open
}

// ShadowCounts are violations of one kind by who found them. A violation in force and one of the shadow are the same when vehicle,
// fence, station, section and permit are, and they overlap in time.
type ShadowCounts struct {
	InForce     uint64 `json:"in_force"`
	Shadow      uint64 `json:"shadow"`
	Both        uint64 `json:"both"`          // of the shadow's, those that are in force too
	OnlyInForce uint64 `json:"only_in_force"` // which the shadow would not find
	OnlyShadow  uint64 `json:"only_shadow"`   // which it would find besides
}

// CompareShadow counts by kind what a shadow found and what is in force, and what is the same. Retracted ones are in neither. What
// began before the time and lasts into it is not looked at.
func (s *Store) CompareShadow(ctx context.Context, f ShadowFilter) (map[string]ShadowCounts, error) {
	c := new(conditions)
	if f.From != 0 {
		c.time("start", ">=", f.From)
	}
	if f.To != 0 {
		c.time("start", "<", f.To)
	}
	c.text = append(c.text, "state != 'retracted'")
	shadow := c.param("String", f.Name)
	if len(f.Kinds) > 0 {
		c.in("kind", f.Kinds)
	} else {
		of := c.where() + " AND shadow = " + shadow
		c.text = append(c.text, "kind IN (SELECT kind FROM violations FINAL"+of+")")
	}
	c.text = append(c.text, "shadow IN ('', "+shadow+")")
	rows, err := s.db.Query(ctx, "SELECT kind, concat(plate, '/', toString(color), '\\0', fence, '\\0', station, '\\0', section, '\\0', permit) AS subject, shadow != '' AS tried,"+
		" toUnixTimestamp64Milli(start), toUnixTimestamp64Milli(ifNull(`end`, toDateTime64('2200-01-01 00:00:00', 3, 'UTC')))"+
		" FROM violations FINAL"+c.where()+" ORDER BY kind, subject, start, tried", c.params...)
	if err != nil {
		return nil, fmt.Errorf("store: compare shadow: %w", err)
	}
	defer rows.Close()
	out := map[string]ShadowCounts{}
	var group []spanOf
	var kind, subject string
	end := func() {
		if len(group) > 0 {
			n := out[kind]
			n.add(group)
			out[kind] = n
		}
	}
	for rows.Next() {
		var k, of string
		var v spanOf
		if err := rows.Scan(&k, &of, &v.tried, &v.start, &v.end); err != nil {
			return nil, fmt.Errorf("store: compare shadow: %w", err)
		}
		if k != kind || of != subject {
			end()
			kind, subject, group = k, of, group[:0]
		}
		group = append(group, v)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: compare shadow: %w", err)
	}
	end()
	return out, nil
}

// spanOf is the time of a violation, both ends included.
type spanOf struct {
	tried      bool // a shadow found it
	start, end int64
}

// add counts the violations of one subject, which are in order of start.
func (n *ShadowCounts) add(group []spanOf) {
	// A violation overlaps one of the other side that began before it and has not ended, or one that begins before it ends.
	const never = -1 << 62
	latest := [2]int64{never, never} // greatest end so far, of those in force and of the shadow's
	next := [2]int{}                 // where the other side goes on
	side := func(tried bool) int {
		if tried {
			return 1
		}
		return 0
	}
	for i := range group {
		v := &group[i]
		mine, other := side(v.tried), 1-side(v.tried)
		same := latest[other] >= v.start
		for next[other] = max(next[other], i+1); !same && next[other] < len(group) && side(group[next[other]].tried) != other; {
			next[other]++
		}
		if !same && next[other] < len(group) {
			same = group[next[other]].start <= v.end
		}
		latest[mine] = max(latest[mine], v.end)
		switch {
		case v.tried && same:
			n.Both++
			n.Shadow++
		case v.tried:
			n.OnlyShadow++
			n.Shadow++
		case same:
			n.InForce++
		default:
			n.OnlyInForce++
			n.InForce++
		}
	}
}
