// Package reference reads and writes the reference directory: what is known beforehand of vehicles, operators, fences,
// routes, sections, stations and papers, as CSV and GeoJSON files.
//
// Reading is strict. An unknown column or property, a bad value, a key that is there twice and a mention of a record
// that its file does not have are errors with file, line and column; a directory with an error is not taken at all. A
// mention is checked only where the file of what it names is there: a file that is absent is unknown, not empty.
//
// Half a file can look like a whole one. Whoever changes a directory that is in use must write the new file under
// another name beside it and rename it over the old one, as Write does.
package reference

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"lushao/detect"
)

// The files of a reference directory.
const (
	Operators = "operators.csv"
	Stations  = "stations.csv"
	Routes    = "routes.geojson"
	Fences    = "fences.geojson"
	Sections  = "sections.geojson"
	Vehicles  = "vehicles.csv"
	Filings   = "filings.csv"
	Waybills  = "waybills.csv"
	Permits   = "permits.csv"
	Rules     = "rules.yaml"
)

// FileNames lists the files, those that others mention first. Rules is read elsewhere, but is part of the version.
var FileNames = []string{Operators, Stations, Routes, Fences, Sections, Vehicles, Filings, Waybills, Permits, Rules}

// ErrChanged says that the directory changed while it was read: load it again.
var ErrChanged = errors.New("reference: the directory changed while it was read; load it again")

// Info tells what was read.
type Info struct {
	Dir   string
	Files []FileInfo // those that are there, in the order of FileNames
	// Digest is the version of the reference data: hex SHA-256 over the names and contents of all files.
	Digest string
	// Warnings are remarks on what is taken, and is probably not meant so.
	Warnings []string
}

// FileInfo tells of one file.
type FileInfo struct {
	Name    string
	Rows    int // records; 0 for Rules
	Size    int64
	ModTime time.Time
	SHA256  string // hex

	stat os.FileInfo
}

// File returns what was read of a file, or nil if it is absent.
func (i *Info) File(name string) *FileInfo {
	for n := range i.Files {
		if i.Files[n].Name == name {
			return &i.Files[n]
		}
	}
	return nil
}

// Load reads the reference directory. It reports up to 20 errors at once, each an *Error in what errors.Join makes of
// them; errors.Is(err, ErrChanged) tells that the directory was being changed.
func Load(dir string) (*detect.ReferenceData, *Info, error) {
	return newLoader(dir).directory()
}

// directory loads all files.
func (l *loader) directory() (*detect.ReferenceData, *Info, error) {
	dir := l.dir
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("reference directory: %w", err)
	}
	for _, e := range entries {
		name := e.Name()
		ext := strings.ToLower(filepath.Ext(name))
		if !slices.Contains(FileNames, name) && !strings.HasPrefix(name, ".") &&
			(ext == ".csv" || ext == ".geojson" || ext == ".json" || strings.HasPrefix(name, "rules.")) {
			l.warn("%s: not a file of the reference directory; passed over", filepath.Join(dir, name))
		}
	}
	for _, f := range l.files() {
		if !l.problems.full() {
			l.load(f.name, f.read)
		}
	}
	if err := l.finish(); err != nil {
		return nil, nil, err
	}
	return l.data, l.info, nil
}

// fileReader reads the file of a name.
type fileReader struct {
	name string
	read func(*file)
}

// files are the readers in the order of FileNames.
func (l *loader) files() []fileReader {
	return []fileReader{
		{Operators, l.loadOperators}, {Stations, l.loadStations}, {Routes, l.loadRoutes}, {Fences, l.loadFences},
		{Sections, l.loadSections}, {Vehicles, l.loadVehicles}, {Filings, l.loadFilings}, {Waybills, l.loadWaybills},
		{Permits, l.loadPermits}, {Rules, func(*file) {}},
	}
}

// Changed reports whether the files of dir are others than those of last, by presence, identity, size and modification
// time. It reads none of them. It cannot see a change in place that keeps the size within one tick of the file system's
// clock; a rename it always sees.
func Changed(dir string, last *Info) (bool, error) {
	return changed(dir, last, nil)
}

// changed is Changed for the files that are not instead.
func changed(dir string, last *Info, instead map[string][]byte) (bool, error) {
	for _, name := range FileNames {
		if _, there := instead[name]; there {
			continue
		}
		stat, err := os.Stat(filepath.Join(dir, name))
		was := last.File(name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			if was != nil {
				return true, nil
			}
			continue
		case err != nil:
			return false, fmt.Errorf("reference directory: %w", err)
		case was == nil:
			return true, nil
		case stat.Size() != was.Size || !stat.ModTime().Equal(was.ModTime):
			return true, nil
		case was.stat != nil && !os.SameFile(stat, was.stat):
			return true, nil
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return false, fmt.Errorf("reference directory: %w", err)
	}
	return false, nil
}

// loader is the state of one Load.
type loader struct {
	dir      string
	info     *Info
	data     *detect.ReferenceData
	problems problems
	texts    map[string]string // operators and regions, which many records share

	instead map[string][]byte // contents that stand for files of the directory; nil: the file is absent
	unread  bool              // a file is there and cannot be read

	operators, stations, routes, fences idSet
	unchecked                           map[string]bool // mentions that nothing could be told of, by file and target
}

func newLoader(dir string) *loader {
	return &loader{dir: dir, info: &Info{Dir: dir}, data: new(detect.ReferenceData), texts: make(map[string]string),
		problems: problems{most: maxProblems}, unchecked: make(map[string]bool)}
}

// finish returns what was wrong with the directory; if nothing was, it makes the digest.
func (l *loader) finish() error {
	errs := l.problems.list
	switch {
	case l.problems.full():
		errs = append(errs, fmt.Errorf("%s: %d errors, and maybe more; mend these first", l.dir, len(errs)))
	case l.unread:
		// What could not be read cannot be compared either.
	default:
		if changed, err := changed(l.dir, l.info, l.instead); err != nil {
			errs = append(errs, err)
		} else if changed {
			errs = append(errs, ErrChanged)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	version := sha256.New()
	for _, f := range l.info.Files {
		fmt.Fprintf(version, "%s %s\n", f.Name, f.SHA256)
	}
	l.info.Digest = hexSum(version)
	return nil
}

// file is one file while it is read.
type file struct {
	*loader
	path string
	name string
	r    io.Reader
	size int64 // bytes, as far as is known
	rows int
	grow func(n int) // makes room for about n records; may be nil
}

// load opens a file that may be absent, has it read, and notes what was read.
func (l *loader) load(name string, read func(*file)) {
	path := filepath.Join(l.dir, name)
	if text, there := l.instead[name]; there {
		if text != nil {
			l.loadText(name, path, text, read)
		}
		return
	}
	// Not to wait for a writer, should it be a pipe.
	fd, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err != nil {
		l.unread = true
		l.problems.add(fmt.Errorf("reference directory: %w", err))
		return
	}
	defer fd.Close()
	stat, err := fd.Stat()
	if err == nil && !stat.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		l.unread = true
		l.problems.add(err)
		return
	}
	sum := sha256.New()
	f := &file{loader: l, path: path, name: name, r: io.TeeReader(fd, sum), size: stat.Size()}
	before := len(l.problems.list)
	read(f)
	l.problems.sort(before)
	// What the reader of a file with errors has left is of no interest; that of rules.yaml is all of it.
	if _, err := io.Copy(sum, fd); err != nil {
		l.unread = true
		l.problems.add(fmt.Errorf("%s: %w", path, err))
		return
	}
	l.info.Files = append(l.info.Files, FileInfo{Name: name, Rows: f.rows, Size: stat.Size(), ModTime: stat.ModTime(),
		SHA256: hexSum(sum), stat: stat})
}

func hexSum(h hash.Hash) string { return hexOf(h.Sum(nil)) }

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func (l *loader) warn(format string, args ...any) {
	const most = 100
	if len(l.info.Warnings) < most {
		l.info.Warnings = append(l.info.Warnings, fmt.Sprintf(format, args...))
	}
}

// shared returns the text of b, the same string for the same text.
func (l *loader) shared(s string) string {
	if t, ok := l.texts[s]; ok {
		return t
	}
	l.texts[s] = s
	return s
}

// idSet holds the ids of a file, for the files that mention them. It is nil if the file is absent, or so bad that ids
// are lost.
type idSet map[string]int // line

// mentioned reports whether an id that a file mentions is in the set, as far as one can tell.
func (f *file) mentioned(id string, of idSet, in string) bool {
	if id == "" {
		return true
	}
	if of == nil {
		if key := f.name + " " + in; !f.unchecked[key] {
			f.unchecked[key] = true
			f.warn("%s: mentions records of %s, which is not there: not checked", f.path, in)
		}
		return true
	}
	_, ok := of[id]
	return ok
}
