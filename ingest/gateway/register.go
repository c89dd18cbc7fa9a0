package gateway

import (
	"fmt"
	"strings"

	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Register is what is known of terminals and vehicles beforehand. Phones are digits without leading zeros. It must be
// safe for concurrent use and must not change: SetRegister puts another one in its place.
type Register interface {
	// ByPhone returns the vehicle of a terminal.
	ByPhone(phone string) (ingest.Vehicle, bool)
	// PhoneOf returns the terminal of a vehicle, "" where the register has none for it, and whether it has the vehicle.
	PhoneOf(v ingest.Vehicle) (phone string, known bool)
}

// Terminal is a line of a register; Phone may be empty.
type Terminal struct {
	Vehicle ingest.Vehicle
	Phone   string
}

type register struct {
	vehicles map[string]ingest.Vehicle
	phones   map[ingest.Vehicle]string
}

// NewRegister makes a register from a list. A phone with two vehicles is an error.
func NewRegister(terminals []Terminal) (Register, error) {
	r := &register{vehicles: make(map[string]ingest.Vehicle, len(terminals)), phones: make(map[ingest.Vehicle]string, len(terminals))}
	for _, t := range terminals {
		phone := strings.TrimLeft(t.Phone, "0")
		if other, there := r.vehicles[phone]; there && phone != "" && other != t.Vehicle {
			return nil, fmt.Errorf("register: phone %s belongs to %s and to %s", phone, other, t.Vehicle)
		}
		r.phones[t.Vehicle] = phone
		if phone != "" {
			r.vehicles[phone] = t.Vehicle
		}
	}
	return r, nil
}

func (r *register) ByPhone(phone string) (v ingest.Vehicle, ok bool) {
	v, ok = r.vehicles[phone]
	return v, ok
}

func (r *register) PhoneOf(v ingest.Vehicle) (phone string, known bool) {
	phone, known = r.phones[v]
	return phone, known
}

// admit decides about a registration (0x0100): the result of the 0x8100, and the vehicle where it is RegisterOK.
//
// Where the register knows the phone, its vehicle counts. The terminal may claim nothing, a VIN, or that plate; the
// register's colour wins, because colours are often set wrong in terminals. Where it does not, the claim counts, unless
// the register gives that vehicle another terminal.
func admit(r Register, acceptUnknown bool, phone string, m *jt808.Register) (ingest.Vehicle, uint8) {
	claimed, err := m.Vehicle()
	bare := m.Color == 0 || m.Plate.Trimmed() == ""
	if r != nil {
		if v, ok := r.ByPhone(phone); ok {
			if bare || err == nil && claimed.Plate() == v.Plate() {
				return v, jt808.RegisterOK
			}
			return v, jt808.RegisterTerminalRegistered
		}
	}
	if err != nil {
		return claimed, jt808.RegisterNoVehicle
	}
	known := false
	if r != nil {
		var other string
		if other, known = r.PhoneOf(claimed); known && other != "" && other != phone {
			return claimed, jt808.RegisterVehicleRegistered
		}
	}
	switch {
	case acceptUnknown:
		return claimed, jt808.RegisterOK
	case known:
		return claimed, jt808.RegisterNoTerminal
	}
	return claimed, jt808.RegisterNoVehicle
}

// entitled reports whether the register still gives the phone the vehicle that its code was made for.
func entitled(r Register, acceptUnknown bool, phone string, v ingest.Vehicle) bool {
	if r == nil {
		return acceptUnknown
	}
	if known, ok := r.ByPhone(phone); ok {
		return known == v
	}
	other, known := r.PhoneOf(v)
	return acceptUnknown && (!known || other == "")
}
