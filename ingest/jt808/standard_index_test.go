package jt808

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// standardIndex is the index of the standards: annex B of each edition of JT/T 808, the messages of JT/T 1078-2016 and
// T/JSATL 12-2017, which ride on any 808 of their time and after it, and the one that T/GDRTA 002-2020 adds to 2019.
var standardIndex = map[string]string{
	"2011 2013 2019": `0x0001 0x0002 0x0003 0x0100 0x0102 0x0104 0x0200 0x0201 0x0301 0x0302 0x0303 0x0500 0x0700 0x0701 0x0702
		0x0800 0x0801 0x0802 0x0900 0x0901 0x0A00 0x8001 0x8100 0x8103 0x8104 0x8105 0x8201 0x8202 0x8300 0x8301 0x8302
		0x8303 0x8304 0x8400 0x8401 0x8500 0x8600 0x8601 0x8602 0x8603 0x8604 0x8605 0x8606 0x8607 0x8700 0x8701 0x8800
		0x8801 0x8802 0x8803 0x8804 0x8900 0x8A00`,
	"2013 2019": `0x0107 0x0108 0x0704 0x0705 0x0805 0x8003 0x8106 0x8107 0x8108 0x8203 0x8702 0x8805
		0x1003 0x1005 0x1205 0x1206 0x9003 0x9101 0x9102 0x9105 0x9201 0x9202 0x9205 0x9206 0x9207 0x9301 0x9302 0x9303
		0x9304 0x9305 0x9306 0x1210 0x1211 0x1212 0x9208 0x9212`,
	"2019": `0x0004 0x0005 0x0608 0x8004 0x8204 0x8608 0x1FC4`,
}

// What the goldens have beyond the index of the standards, and why.
var standardExceptions = map[string]string{
	"0x0101 2011": "annex B of 2011 prints 0x0101 for the deregistration, clause 8.6 has 0x0003: both are taken",
}

// Every message of the standards has a golden in every edition that has the message, and is in the index; nothing else
// is, but for the exceptions. 2019 keeps 0x0301 to 0x0303 and 0x8301 to 0x8304 in annex B without a body: that of 2013.
func TestStandardIndex(t *testing.T) {
	want := map[string]bool{}
	for editions, ids := range standardIndex {
		for id := range strings.FieldsSeq(ids) {
			for ed := range strings.FieldsSeq(editions) {
				want[id+" "+ed] = false
			}
		}
	}
	for key := range standardExceptions {
		if _, ok := want[key]; ok {
			t.Errorf("%s is of the standards, so it is no exception", key)
		}
		want[key] = false
	}
	inIndex := map[string]bool{}
	for id := range index {
		inIndex[id.hexName()] = false
	}
	described, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := standardGoldens(t)
	if len(described) != len(all) {
		t.Errorf("%d goldens, %d descriptions", len(all), len(described))
	}
	for _, g := range all {
		for _, ed := range g.editions {
			key := g.id.hexName() + " " + ed.String()
			if _, ok := want[key]; !ok {
				t.Errorf("%s: %s is not of the standards", g.name, key)
			}
			want[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if !want[key] {
			t.Errorf("%s has no golden", key)
		}
		id, _, _ := strings.Cut(key, " ")
		if _, ok := inIndex[id]; !ok {
			t.Errorf("%s is not in the index", id)
		}
		inIndex[id] = true
	}
	for _, id := range slices.Sorted(maps.Keys(inIndex)) {
		if !inIndex[id] {
			t.Errorf("%s is in the index and in none of the standards", id)
		}
	}
}

// A golden that is wrong is said to be: a mistake in one must not pass as an empty field.
func TestStandardGoldenMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"editions 2011\n01":                      "1: message or editions missing",
		"message 0x0002\n01":                     "1: message or editions missing",
		"message two\neditions 2011":             `1: strconv.ParseUint: parsing "two": invalid syntax: "message two"`,
		"message 0x0002\neditions 2012":          `2: no edition 2012: "editions 2012"`,
		"message 0x0002\neditions 2011\n0G":      `3: encoding/hex: invalid byte: U+0047 'G': "0G"`,
		"message 0x0002\neditions 2011\n012":     `3: encoding/hex: odd length hex string: "012"`,
		"message 0x0002\neditions 2011\n01# = 1": `3: a value without a name: "01# = 1"`,
	} {
		if _, err := parseStandardGolden(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
