package jt808

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"lushao/ingest"
)

// decodedSafety is what AppendSafety is to give, through the decoders of the items.
func decodedSafety(id uint8, v []byte) (all []SafetyAlarm) {
	add := func(m *AlarmPlace, system, word string, alarm uint32, flag, level uint8) {
		all = append(all, SafetyAlarm{ingest.Safety{System: system, Kind: word, Level: level, Flag: [256]string{1: "start", 2: "end"}[flag],
			AlarmID: alarm, Speed: uint16(m.Speed) * 10}, m.Time})
	}
	word := func(m *AlarmPlace, kind uint8, words, long meanings) string {
		if w, ok := words[kind]; ok {
			return w
		}
		if w, ok := long[kind]; ok && m.Long {
			return w
		}
		return fmt.Sprintf("kind_0x%02x", kind)
	}
	switch id {
	case ItemADAS:
		var m ADAS
		if Decode(v, EditionAuto, &m) == nil {
			add(&m.AlarmPlace, "adas", word(&m.AlarmPlace, m.Kind, adasWords, adasWordsLong), m.AlarmID, m.Flag, m.Level)
		}
	case ItemDSM:
		var m DSM
		if Decode(v, EditionAuto, &m) == nil {
			add(&m.AlarmPlace, "dsm", word(&m.AlarmPlace, m.Kind, dsmWords, dsmWordsLong), m.AlarmID, m.Flag, m.Level)
		}
	case ItemBSD:
		var m BSD
		if Decode(v, EditionAuto, &m) == nil {
			add(&m.AlarmPlace, "bsd", word(&m.AlarmPlace, m.Kind, bsdWords, nil), m.AlarmID, m.Flag, 0)
		}
	case ItemTPMS:
		var m TPMS
		if Decode(v, EditionAuto, &m) != nil {
			return nil
		}
		var kinds uint16
		for _, t := range m.Tyres {
			kinds |= t.Kinds
		}
		for bit, w := range tyreWords {
			if w != "" && kinds&(1<<bit) != 0 {
				add(&m.AlarmPlace, "tpms", w, m.AlarmID, m.Flag, 0)
			}
		}
	}
	return all
}

// AppendSafety reads at offsets; the decoders of the items say what it must find, in items of every length.
func TestSafetyAgreesWithTheDecoders(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	found := map[uint8]int{}
	for id := ItemADAS; id <= ItemBSD; id++ {
		for n := range 256 {
			for range 20 {
				v := make([]byte, n)
				for i := range v {
					v[i] = byte(random.Uint32())
				}
				if n > 5 {
					v[4], v[5] = v[4]%4, v[5]%24 // flags and kinds that mean something, and some that do not
				}
				// counts of tyres that fit the length, of each layout
				for _, l := range [...]struct{ head, tyre int }{{40, 9}, {64, 10}, {40, 10}, {64, 9}} {
					if id == ItemTPMS && n > l.head && (n-l.head-1)%l.tyre == 0 && random.IntN(2) == 0 {
						v[l.head] = byte((n - l.head - 1) / l.tyre)
					}
				}
				got, want := AppendSafety(nil, AppendItem(nil, id, v)), decodedSafety(id, v)
				if !reflect.DeepEqual(got, want) {
					t.Fatalf("item 0x%02x %x\n got %+v\nwant %+v", id, v, got, want)
				}
				found[id] += len(got)
			}
		}
		if found[id] < 20 {
			t.Errorf("item 0x%02x: %d alarms only", id, found[id])
		}
	}
}
