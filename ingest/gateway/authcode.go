package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"lushao/ingest"
)

// An authentication code is the vehicle that was registered, signed: base64url(colour, plate, first 12 bytes of
// HMAC-SHA256(secret, phone, colour, plate)). It needs no store, so that any gateway with the secret can check it at any
// time, and it is of use to the terminal with that phone only. It has at most 47 characters of ASCII: terminals keep 50.
type signer struct{ secret []byte }

const macSize = 12

// code returns the code for a phone, in digits without leading zeros, and a vehicle.
func (s signer) code(phone string, v ingest.Vehicle) string {
	b := v.AppendPlate([]byte{byte(v.Color)})
	return base64.RawURLEncoding.EncodeToString(append(b, s.mac(phone, b)...))
}

// check returns the vehicle of a code that was made for the phone.
func (s signer) check(phone, code string) (v ingest.Vehicle, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(code)
	if err != nil || len(b) < 1+1+macSize || len(b) > 1+ingest.MaxPlate+macSize {
		return v, false
	}
	b, mac := b[:len(b)-macSize], b[len(b)-macSize:]
	if !hmac.Equal(mac, s.mac(phone, b)) {
		return v, false
	}
	v, err = ingest.NewVehicle(string(b[1:]), ingest.Color(b[0]))
	return v, err == nil
}

func (s signer) mac(phone string, vehicle []byte) []byte {
	h := hmac.New(sha256.New, s.secret)
	h.Write([]byte("JT/T 808 authentication\x00"))
	h.Write([]byte(phone))
	h.Write([]byte{0})
	h.Write(vehicle)
	return h.Sum(nil)[:macSize]
}
