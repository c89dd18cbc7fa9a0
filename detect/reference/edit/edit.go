// Package edit changes the places of a reference directory: fences, routes and sections. A change is tried as a whole before
// it is made: what would not load, or not compile, is refused feature by feature. What is made is written beside and renamed,
// and kept as a version with who made it, so that it can be read back and restored. What people change in the files by hand
// becomes a version too, at the next look.
//
// The versions are in the folder .history of the directory: journal.ndjson, a line a version, and each version's file as it
// was, compressed. Whoever changes something holds the lock there; a process that ends in the midst of a change leaves the
// old file or the new one, and the next look at the directory completes the journal.
package edit

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"lushao/detect/reference"
)

// Layer is one of the files of places.
type Layer string

// The layers.
const (
	Fences   Layer = "fences"
	Routes   Layer = "routes"
	Sections Layer = "sections"
)

// Layers lists them.
var Layers = []Layer{Fences, Routes, Sections}

// ParseLayer returns the layer of a name.
func ParseLayer(s string) (Layer, bool) {
	for _, l := range Layers {
		if s == string(l) {
			return l, true
		}
	}
	return "", false
}

// File is the layer's file in the directory.
func (l Layer) File() string {
	switch l {
	case Routes:
		return reference.Routes
	case Sections:
		return reference.Sections
	}
	return reference.Fences
}

// How a version came about.
const (
	HowAPI     = "api"
	HowImport  = "import"
	HowRestore = "restore"
	HowHand    = "hand"
)

// ByHand is who made a version that nobody has said anything about.
const ByHand = "by hand"

// Version is one state of one layer. Numbers grow by one over all layers.
type Version struct {
	Number   uint64    `json:"version"`
	Time     time.Time `json:"time"`
	Who      string    `json:"who"`
	How      string    `json:"how"` // api, import, restore, hand
	Layer    Layer     `json:"layer"`
	File     string    `json:"file"`
	Absent   bool      `json:"absent,omitempty"` // there is no file
	SHA256   string    `json:"sha256"`           // hex, of the file
	Size     int64     `json:"size"`
	Features int       `json:"features"`
	Added    []string  `json:"added"`
	Changed  []string  `json:"changed"`
	Removed  []string  `json:"removed"`
	Comment  string    `json:"comment,omitempty"`
	Restored uint64    `json:"restored,omitempty"` // the version that was made anew
	// Broken says why a file that was changed by hand can't be read.
	Broken string `json:"broken,omitempty"`
}

// Errors that a caller tells apart.
var (
	ErrNoVersion = errors.New("there is no such version, or it is no longer kept")
	ErrNoFeature = errors.New("there is no feature of this id")
)

// MovedError says that the layer is no longer what the caller has seen.
type MovedError struct{ Want, Now uint64 }

func (e *MovedError) Error() string {
	return fmt.Sprintf("version %d was expected, and it is version %d: look at what has changed and try again", e.Want, e.Now)
}

// BrokenError says that a layer's file can't be read since somebody changed it by hand.
type BrokenError struct {
	File    string
	Version uint64
	Err     error
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("%s of version %d, which was written by hand: %v; mend the file, replace the whole layer, or restore an older version", e.File, e.Version, e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Problem says why a feature is refused.
type Problem struct {
	Index   int         `json:"index"` // of the feature among those handed in, from 0; -1: it is none of these
	ID      string      `json:"id"`
	Field   string      `json:"field"`
	Message string      `json:"message"`
	At      *[2]float64 `json:"at,omitempty"` // where, WGS-84 degrees, longitude first
}

func (p *Problem) Error() string {
	var b strings.Builder
	switch {
	case p.Index >= 0 && p.ID != "":
		fmt.Fprintf(&b, "feature %d (%q): ", p.Index, p.ID)
	case p.Index >= 0:
		fmt.Fprintf(&b, "feature %d: ", p.Index)
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// RefusedError says that nothing was changed, and why.
type RefusedError struct{ Problems []Problem }

func (e *RefusedError) Error() string {
	var lines []string
	for i := range e.Problems {
		if i == 20 {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-i))
			break
		}
		lines = append(lines, e.Problems[i].Error())
	}
	return strings.Join(lines, "\n")
}
