package media

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
	"unicode"

	"lushao/ingest"
)

// Record is what a terminal sent to be kept.
type Record struct {
	Vehicle  ingest.Vehicle
	Phone    string // of the terminal, digits without leading zeros
	Message  uint16 // id of the message
	Serial   uint16 // of the message
	Received int64  // Unix ms
	Recorded int64  // when it was made, by the terminal; Unix ms; 0 unknown
	// Body is the whole body of the message: it tells records apart.
	Body []byte
	// Lasting says that the same body is the same record whenever it comes, as with a photo. Otherwise it is where it has
	// the same serial and comes within minutes: a terminal that got no answer sends again.
	Lasting bool
	// Data is the content of the file. It is part of Body. Nil: there is none, only metadata.
	Data   []byte
	Format Format
	// Details is what the message says besides, for the metadata; anything that has JSON.
	Details any
}

// Format of a file.
type Format uint8

const (
	Binary Format = iota
	JPEG
	TIFF
	MP3
	WAV
	WMV
	Gzip
)

var formats = [...]struct{ ext, contentType string }{Binary: {"bin", "application/octet-stream"}, JPEG: {"jpg", "image/jpeg"},
	TIFF: {"tif", "image/tiff"}, MP3: {"mp3", "audio/mpeg"}, WAV: {"wav", "audio/wav"}, WMV: {"wmv", "video/x-ms-wmv"}, Gzip: {"gz", "application/gzip"}}

const metaExt = "json"

// Entry is the metadata of a record, as it stands in the JSON file beside the data.
type Entry struct {
	Name        string          `json:"name"`           // of both files, without extension
	Day         string          `json:"day"`            // of receipt, Beijing time; the folder
	File        string          `json:"file,omitempty"` // of the data; none where the record is metadata only
	ContentType string          `json:"content_type,omitempty"`
	Size        int64           `json:"size"` // bytes
	SHA256      string          `json:"sha256,omitempty"`
	Plate       string          `json:"plate"`
	Color       ingest.Color    `json:"color"`
	Phone       string          `json:"phone"`
	Message     string          `json:"message"`
	Serial      uint16          `json:"serial"`
	Received    Time            `json:"received"`
	Recorded    Time            `json:"recorded,omitzero"`
	Details     json.RawMessage `json:"details,omitempty"`
}

// Time is Unix ms; in JSON it is RFC 3339 in Beijing time, with milliseconds.
type Time int64

// beijing is the zone of the protocol's times, and of the days that the folders are named by.
var beijing = time.FixedZone("", 8*3600)

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

func (t Time) MarshalText() ([]byte, error) {
	return time.UnixMilli(int64(t)).In(beijing).AppendFormat(nil, timeLayout), nil
}

func (t *Time) UnmarshalText(b []byte) error {
	at, err := time.Parse(time.RFC3339, string(b))
	*t = Time(at.UnixMilli())
	return err
}

const dayLayout = "2006-01-02"

func dayOf(ms int64) string { return time.UnixMilli(ms).In(beijing).Format(dayLayout) }

// repeatWindow is the time, in ms, within which the same message again is a repetition.
const repeatWindow = 10 * 60 * 1000

// names are the names that the record may have been stored under; the first is the one for a new one.
func (r *Record) names() []string {
	h := sha256.New()
	if r.Lasting {
		h.Write(r.Body)
		stamp := "undated"
		if r.Recorded != 0 {
			stamp = stampOf(r.Recorded)
		}
		return []string{r.name(stamp, h.Sum(nil))}
	}
	h.Write(binary.BigEndian.AppendUint16(nil, r.Serial))
	h.Write(r.Body)
	sum, window := h.Sum(nil), r.Received-r.Received%repeatWindow
	return []string{r.name(stampOf(window), sum), r.name(stampOf(window-repeatWindow), sum)}
}

func stampOf(ms int64) string { return time.UnixMilli(ms).In(beijing).Format("20060102T150405") }

func (r *Record) name(stamp string, sum []byte) string {
	return fmt.Sprintf("%04x-%s-%s", r.Message, stamp, hex.EncodeToString(sum[:8]))
}

// folderOf is the name of a vehicle's folder within a day. A plate may hold any character that is no control character:
// all but letters, digits and - are written as %XX, so that the name can't lead anywhere.
func folderOf(v *ingest.Vehicle) string { return fmt.Sprintf("%s_%d", escapePlate(v.Plate()), v.Color) }

func escapePlate(plate string) string {
	var b []byte
	for _, r := range plate {
		if r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			b = append(b, string(r)...)
			continue
		}
		for _, c := range []byte(string(r)) {
			b = fmt.Appendf(b, "%%%02X", c)
		}
	}
	return string(b)
}
