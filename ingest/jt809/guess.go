package jt809

import "encoding/binary"

// GuessEdition is the edition whose layouts a message has. The header tells 2019; before it 2013 is told by messages that
// only it has, and by the lengths of those that it changed. What is the same in both is of 2011.
func GuessEdition(h *Header, e *Envelope) Edition {
	if h.Edition == Edition2019 {
		return Edition2019
	}
	n := len(e.Data)
	switch e.Sub {
	case IDDriverReport, IDWaybillReport, IDAlarmResult:
		return Edition2013
	case IDRegistration:
		if n >= registrationSize2013 {
			return Edition2013
		}
	case IDInspection, IDInspectionReply, IDPlatformText:
		// 2013 has the type and the id of an object in front.
		if !countsRest(e.Data, 4) && countsRest(e.Data, 4+13) {
			return Edition2013
		}
	case IDRecorderRequest:
		if n == 1 || n == 15 {
			return Edition2013
		}
	case IDRecorderReply:
		if !countsRest(e.Data, 0) && countsRest(e.Data, 1) {
			return Edition2013
		}
	}
	return Edition2011
}

// countsRest reports whether the number at at is the count of the bytes behind it.
func countsRest(b []byte, at int) bool {
	return len(b) >= at+4 && uint64(binary.BigEndian.Uint32(b[at:])) == uint64(len(b)-at-4)
}
