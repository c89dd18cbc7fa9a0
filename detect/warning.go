package detect

import "lushao/ingest"

// Warning is told to a driver before a limit of driving time is reached (超时驾驶预警). It is no violation and is recorded nowhere.
type Warning struct {
	ID       string       `json:"id"`      // 32 hex digits: hash of vehicle, kind, beginning of the stretch and driver
	Version  uint64       `json:"version"` // of the fix at which it was due, as that of a violation
	Kind     Kind         `json:"kind"`    // of the violation that is ahead
	Plate    string       `json:"plate"`
	Color    ingest.Color `json:"color"`
	Start    Time         `json:"start"` // beginning of the stretch
	Measured *float64     `json:"measured"`
	Limit    *float64     `json:"limit"`
	Unit     *string      `json:"unit"`
}

// WarningKinds lists the kinds of violations that drivers are warned of beforehand.
func WarningKinds() []Kind { return []Kind{KindFatigueContinuous, KindFatigueNight} }

// Warnings returns what the last call of Process or Finish found that drivers are to be warned of, valid until the next one.
func (e *Engine) Warnings() []Warning { return e.warnings }

// warned is a bit for each kind of driving time that is warned of.
func (k fatigueKind) warned() uint8 { return 1 << k }

// warn warns, once a stretch, that it comes near a limit; where that is passed already, it is too late for it.
func (e *Engine) warn(m *moment, d *duty, driver uint32, k fatigueKind, driven int64) {
	of := &e.snap.driving.of[k]
	if of.prewarn == 0 || of.prewarn >= of.limit || driven <= of.limit-of.prewarn || d.warned&k.warned() != 0 {
		return
	}
	d.warned |= k.warned()
	if driven > of.limit {
		return
	}
	subject := ""
	if driver != 0 {
		subject = e.drivers.card(driver).License
	}
	id := e.idOf(m.v)
	e.warnings = append(e.warnings, Warning{ID: violationID(&id, "ahead of "+fatigueNames[k], d.from.ms(), subject, ""), Version: e.version, Kind: fatigueNames[k],
		Plate: id.Plate(), Color: id.Color, Start: Time(d.from.ms()), Measured: hundredthsOfHours(driven), Limit: hundredthsOfHours(of.limit), Unit: ptr("h")})
}
