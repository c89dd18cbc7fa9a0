package jt809

// StaticData is 0x1601: what is known of a vehicle, as KEY:=value pairs.
type StaticData struct {
	Source
	// Info is what CarInfo says. It is encoded where CarInfo is empty.
	Info    Info
	CarInfo Text // as it came
}

func (m *StaticData) walk(f *fields) {
	f.source(&m.Source)
	f.info("car_info", &m.CarInfo, &m.Info)
}
