package inferior

import (
	"lushao/ingest"
	"lushao/ingest/jt809"
)

// ForwardGroup is the name under which the offsets of what a peer was sent of the events are kept.
func ForwardGroup(peer string) string { return "forward-" + peer }

// AlarmsGroup is the same for the violations that a peer was told of.
func AlarmsGroup(peer string) string { return "forward-alarms-" + peer }

// InfoOf is the static data of a vehicle as 0x1601 has them.
func InfoOf(v *ingest.Vehicle, r *Record) jt809.Info { return staticInfo(v, r) }
