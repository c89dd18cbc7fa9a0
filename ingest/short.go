package ingest

// ShortVehicle is a vehicle in 16 bytes, which is enough for every number plate; a VIN is longer. It is comparable.
type ShortVehicle struct {
	plate [shortPlate]byte // zero-padded
	size  uint8
	color Color
}

const shortPlate = 14

// Short returns the short form of a vehicle; where its plate is too long for one, ok is false, and the form is zero.
func (v *Vehicle) Short() (s ShortVehicle, ok bool) {
	if v.size > shortPlate {
		return s, false
	}
	s.size, s.color = v.size, v.Color
	copy(s.plate[:], v.plate[:shortPlate])
	return s, true
}

// Vehicle returns the vehicle that the short form stands for.
func (s *ShortVehicle) Vehicle() (v Vehicle) {
	v.size, v.Color = s.size, s.color
	copy(v.plate[:], s.plate[:])
	return v
}

// IsZero reports whether it stands for no vehicle.
func (s *ShortVehicle) IsZero() bool { return s.size == 0 }
