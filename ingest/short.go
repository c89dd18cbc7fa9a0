package ingest

import "encoding/binary"

// ShortVehicle is a vehicle in 16 bytes, which is enough for every number plate; a VIN is longer. It is comparable.
type ShortVehicle struct {
	plate [shortPlate]byte // zero-padded
	size  uint8
	color Color
}

const shortPlate = 14

// Short returns the short form of a vehicle; ok is false where its plate is too long for one.
func (v *Vehicle) Short() (s ShortVehicle, ok bool) {
	s.size, s.color = v.size, v.Color
	copy(s.plate[:], v.plate[:shortPlate])
	return s, v.size <= shortPlate
}

// Vehicle returns the vehicle that the short form stands for.
func (s *ShortVehicle) Vehicle() (v Vehicle) {
	v.size, v.Color = s.size, s.color
	copy(v.plate[:], s.plate[:])
	return v
}

// NumberedVehicle returns what stands for a vehicle without a short form: its number in a list of its holder's.
func NumberedVehicle(n uint32) (s ShortVehicle) {
	binary.LittleEndian.PutUint32(s.plate[:], n)
	s.size = numbered
	return s
}

// Number returns the number of what NumberedVehicle made; ok is false for every other.
func (s *ShortVehicle) Number() (n uint32, ok bool) {
	return binary.LittleEndian.Uint32(s.plate[:]), s.size == numbered
}

// numbered stands instead of a plate's length.
const numbered = 0xff
