package detect

// TamperingSettings are those of the kind tampering.
type TamperingSettings struct {
	Enabled    bool `yaml:"enabled"`
	SustainedS int  `yaml:"sustained_s"`
	ClearS     int  `yaml:"clear_s"` // so long without it ends it
}

// AlarmSettings are those of the kind terminal_alarm.
type AlarmSettings struct {
	Enabled bool `yaml:"enabled"`
	MergeS  int  `yaml:"merge_s"`
}

// SafetySettings are those of the kinds driver_behavior and collision_risk.
type SafetySettings struct {
	Enabled bool `yaml:"enabled"`
	LastS   int  `yaml:"last_s"` // how long a start lasts whose end is not reported
	FlagS   int  `yaml:"flag_s"` // how long after the last start the flag of its end is believed
	MergeS  int  `yaml:"merge_s"`
}

// defaultAlarms sets the numbers of the rules about bits and assistance systems: the rule book's, but for flag_s, which it leaves
// open.
func (s *Settings) defaultAlarms() {
	s.Tampering = TamperingSettings{Enabled: true, SustainedS: 60, ClearS: 60}
	s.Overcrowding = SwitchSettings{Enabled: true}
	s.TerminalAlarm = AlarmSettings{Enabled: true, MergeS: 60}
	s.DriverBehavior = SafetySettings{Enabled: true, LastS: 60, FlagS: 3600, MergeS: 60}
	s.CollisionRisk = s.DriverBehavior
}

// validateAlarms names every setting of these rules that can't be used.
func (s *Settings) validateAlarms(seconds func(name string, v int)) {
	seconds("tampering.sustained_s", s.Tampering.SustainedS)
	seconds("tampering.clear_s", s.Tampering.ClearS)
	seconds("terminal_alarm.merge_s", s.TerminalAlarm.MergeS)
	seconds("driver_behavior.last_s", s.DriverBehavior.LastS)
	seconds("driver_behavior.flag_s", s.DriverBehavior.FlagS)
	seconds("driver_behavior.merge_s", s.DriverBehavior.MergeS)
	seconds("collision_risk.last_s", s.CollisionRisk.LastS)
	seconds("collision_risk.flag_s", s.CollisionRisk.FlagS)
	seconds("collision_risk.merge_s", s.CollisionRisk.MergeS)
}
