package detect

// MonitoringSettings say who must be monitored all the time.
type MonitoringSettings struct {
	Classes []string `yaml:"classes"`
}

// GoneDarkSettings are those of the kind gone_dark.
type GoneDarkSettings struct {
	Enabled  bool    `yaml:"enabled"`
	SilentS  int     `yaml:"silent_s"`
	MinSpeed float64 `yaml:"min_speed_kmh"` // of the last fix
	Least    float64 `yaml:"least_m"`       // a silence after which the vehicle is nearer was none
}

// OfflineDisplacementSettings are those of the kind offline_displacement.
type OfflineDisplacementSettings struct {
	Enabled bool    `yaml:"enabled"`
	SilentS int     `yaml:"silent_s"`
	Least   float64 `yaml:"least_m"`  // more than this
	DecideS int     `yaml:"decide_s"` // so long after the second fix was received
}

// FrozenPositionSettings are those of the kind frozen_position.
type FrozenPositionSettings struct {
	Enabled    bool    `yaml:"enabled"`
	Place      float64 `yaml:"place_deg"` // by so much a place may change and be the same, in latitude and in longitude
	SustainedS int     `yaml:"sustained_s"`
	MinSpeed   float64 `yaml:"min_speed_kmh"`
	MileageKm  float64 `yaml:"mileage_km"`
}

// UnmonitoredRunningSettings are those of the kind unmonitored_running.
type UnmonitoredRunningSettings struct {
	Enabled bool `yaml:"enabled"`
	SilentS int  `yaml:"silent_s"` // on either side of the weighing
}

// PositionConflictSettings are those of the kind position_conflict.
type PositionConflictSettings struct {
	Enabled         bool    `yaml:"enabled"`
	WindowS         int     `yaml:"window_s"` // fixes farther away in time are not asked
	Least           float64 `yaml:"least_m"`
	Speed           float64 `yaml:"speed_kmh"`        // with which a vehicle can have come
	StationVehicles int     `yaml:"station_vehicles"` // more vehicles than this in conflict with a station: it is at fault
	StationWindowS  int     `yaml:"station_window_s"` // within this time
}

// defaultMonitoring sets the rule book's numbers of the rules about monitoring.
func (s *Settings) defaultMonitoring() {
	s.Monitoring = MonitoringSettings{Classes: []string{"coach_line", "coach_charter", "coach_tour", "hazmat", "heavy_truck", "dump_truck"}}
	s.GoneDark = GoneDarkSettings{Enabled: true, SilentS: 600, MinSpeed: 20, Least: 1000}
	s.OfflineDisplacement = OfflineDisplacementSettings{Enabled: true, SilentS: 1800, Least: 20000, DecideS: 7200}
	s.FrozenPosition = FrozenPositionSettings{Enabled: true, Place: 1e-5, SustainedS: 300, MinSpeed: 20, MileageKm: 2}
	s.UnmonitoredRunning = UnmonitoredRunningSettings{Enabled: true, SilentS: 600}
	s.PositionConflict = PositionConflictSettings{Enabled: true, WindowS: 7200, Least: 5000, Speed: 120, StationVehicles: 3, StationWindowS: 3600}
}

// validateMonitoring names every setting of these rules that can't be used.
func (s *Settings) validateMonitoring(check func(ok bool, format string, args ...any)) {
	for _, c := range s.Monitoring.Classes {
		_, ok := ParseClass(c)
		check(ok, "monitoring.classes: %s", noClass(c))
	}
	for name, v := range map[string]int{"gone_dark.silent_s": s.GoneDark.SilentS, "offline_displacement.silent_s": s.OfflineDisplacement.SilentS,
		"offline_displacement.decide_s": s.OfflineDisplacement.DecideS, "frozen_position.sustained_s": s.FrozenPosition.SustainedS,
		"unmonitored_running.silent_s": s.UnmonitoredRunning.SilentS, "position_conflict.window_s": s.PositionConflict.WindowS,
		"position_conflict.station_window_s": s.PositionConflict.StationWindowS} {
		check(v >= 1 && v <= 86400, "%s: %d; from 1 to 86400 seconds", name, v)
	}
	for name, v := range map[string]float64{"gone_dark.min_speed_kmh": s.GoneDark.MinSpeed, "frozen_position.min_speed_kmh": s.FrozenPosition.MinSpeed,
		"position_conflict.speed_kmh": s.PositionConflict.Speed} {
		check(v >= 0 && v <= 1000 && tenths(v), "%s: %v; a speed from 0 to 1000 km/h with at most one decimal", name, v)
	}
	for name, v := range map[string]float64{"gone_dark.least_m": s.GoneDark.Least, "offline_displacement.least_m": s.OfflineDisplacement.Least,
		"position_conflict.least_m": s.PositionConflict.Least} {
		check(v >= 0 && v <= 1_000_000, "%s: %v; from 0 to 1000000 metres", name, v)
	}
	check(s.FrozenPosition.Place >= 0 && s.FrozenPosition.Place <= 0.001, "frozen_position.place_deg: %v; from 0 to 0.001 degrees", s.FrozenPosition.Place)
	check(s.FrozenPosition.MileageKm >= 0.1 && s.FrozenPosition.MileageKm <= 1000 && tenths(s.FrozenPosition.MileageKm),
		"frozen_position.mileage_km: %v; from 0.1 to 1000 km with at most one decimal", s.FrozenPosition.MileageKm)
	check(s.PositionConflict.StationVehicles >= 0, "position_conflict.station_vehicles: %d; 0 or more", s.PositionConflict.StationVehicles)
}
