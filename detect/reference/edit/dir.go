package edit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// MinKeep is the least number of versions that are kept.
const MinKeep = 100

// Dir is a reference directory whose places can be changed. It is safe for concurrent use, also by several processes of one
// machine; changes are made one after another.
type Dir struct {
	path    string
	keep    int
	workers int

	writing sync.Mutex
	state   atomic.Pointer[state]

	now  func() time.Time
	step func(name string) error // before each action on the disk; tests fail it
}

// state is what was seen at the last look.
type state struct {
	journal  os.FileInfo // nil: there was none
	files    map[Layer]os.FileInfo
	versions []Version
}

// New makes a Dir. keep is how many versions are kept, at least MinKeep; workers bounds the goroutines of a trial compilation.
// Nothing is read or written yet.
func New(path string, keep, workers int) *Dir {
	return &Dir{path: path, keep: max(keep, MinKeep), workers: max(workers, 1), now: time.Now, step: func(string) error { return nil }}
}

// Path is the directory.
func (d *Dir) Path() string { return d.path }

func digest(text []byte) (sum string, size int64) {
	if text == nil {
		return "", 0
	}
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:]), int64(len(text))
}

// stat returns nil for a file that is absent.
func stat(path string) (os.FileInfo, error) {
	i, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return i, err
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// look returns the versions, with what was changed by hand since the last look noted as one.
func (d *Dir) look() ([]Version, error) {
	if s := d.state.Load(); s != nil && d.fresh(s) {
		return s.versions, nil
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	h, err := d.openHistory()
	if err != nil {
		return nil, err
	}
	defer h.close()
	if err := h.noteHand(); err != nil {
		return nil, err
	}
	return h.versions, nil
}

func (d *Dir) fresh(s *state) bool {
	j, err := stat(d.historyPath(journalName))
	if err != nil || !same(j, s.journal) {
		return false
	}
	for _, l := range Layers {
		f, err := stat(filepath.Join(d.path, l.File()))
		if err != nil || !same(f, s.files[l]) {
			return false
		}
	}
	return true
}

// noteHand makes versions of what was changed by hand, and remembers what it has seen.
func (h *history) noteHand() error {
	s := &state{files: map[Layer]os.FileInfo{}}
	old := h.state.Load()
	for _, l := range Layers {
		path := filepath.Join(h.path, l.File())
		info, err := stat(path)
		if err != nil {
			return err
		}
		last := latest(h.versions, l, 0)
		if old == nil || !same(info, old.files[l]) || last == nil {
			text, err := readFile(path)
			if err != nil {
				return err
			}
			sum, _ := digest(text)
			if last == nil && text != nil || last != nil && last.SHA256 != sum {
				if err := h.handVersion(l, last, text); err != nil {
					return err
				}
			}
		}
		s.files[l] = info
	}
	return h.remember(s)
}

// remember keeps what was seen for the next look.
func (h *history) remember(s *state) (err error) {
	s.versions = h.versions
	if s.journal, err = stat(h.historyPath(journalName)); err == nil {
		h.state.Store(s)
	}
	return err
}

func (h *history) handVersion(l Layer, last *Version, text []byte) error {
	v := Version{Who: ByHand, How: HowHand}
	features, err := featuresOf(text)
	if err != nil {
		v.Broken = err.Error()
	}
	var before []Feature
	if last != nil && last.Broken == "" {
		was, err := h.content(last)
		if err != nil {
			return err
		}
		if before, err = featuresOf(was); err != nil {
			return err
		}
	}
	h.describe(&v, l, before, features, text)
	if err := h.keepContent(&v, text); err != nil {
		return err
	}
	if err := h.append(&v); err != nil {
		return err
	}
	return h.prune()
}

func featuresOf(text []byte) ([]Feature, error) {
	if text == nil {
		return nil, nil
	}
	return ParseFeatures(text)
}

// describe fills in what a version is.
func (h *history) describe(v *Version, l Layer, before, after []Feature, text []byte) {
	v.Number, v.Time = h.next(), h.now().In(beijing).Truncate(time.Millisecond)
	v.Layer, v.File, v.Absent = l, l.File(), text == nil
	v.SHA256, v.Size = digest(text)
	v.Features = len(after)
	if v.Broken == "" {
		v.Added, v.Changed, v.Removed = difference(before, after)
	} else {
		v.Added, v.Changed, v.Removed = []string{}, []string{}, []string{}
	}
}

// commit makes a version of a layer. present is what was in force when the change was tried.
func (h *history) commit(v *Version, present *Version, text []byte) error {
	path := filepath.Join(h.path, v.File)
	if err := h.keepContent(v, text); err != nil {
		return err
	}
	b, err := marshalLine(v)
	if err != nil {
		return err
	}
	if err := h.replace(h.historyPath(pendingName), b); err != nil {
		return err
	}
	// Trying takes its time, and people with an editor take no lock.
	now, err := readFile(path)
	if err != nil {
		return err
	}
	if sum, _ := digest(now); present == nil && now != nil || present != nil && sum != present.SHA256 {
		return errors.Join(errChangedByHand, h.remove(pendingName))
	}
	if v.Absent {
		if err = h.step("remove " + v.File); err == nil {
			err = os.Remove(path)
		}
		if err == nil {
			err = syncDir(h.path)
		}
	} else {
		err = h.replace(path, text)
	}
	if err == nil {
		err = h.append(v)
	}
	if err == nil {
		err = h.remove(pendingName)
	}
	if err != nil {
		return err
	}
	if err := h.prune(); err != nil {
		return err
	}
	s := &state{files: map[Layer]os.FileInfo{}}
	if old := h.state.Load(); old != nil {
		for l, i := range old.files {
			s.files[l] = i
		}
	}
	if s.files[v.Layer], err = stat(path); err != nil {
		return err
	}
	return h.remember(s)
}

var errChangedByHand = errors.New("the file was changed by hand in the meantime")

// Versions returns versions, the latest first, of numbers below before (0: all), at most limit of them, and whether there are
// more.
func (d *Dir) Versions(before uint64, limit int) (list []Version, more bool, err error) {
	all, err := d.look()
	if err != nil {
		return nil, false, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if before != 0 && all[i].Number >= before {
			continue
		}
		if len(list) == limit {
			return list, true, nil
		}
		list = append(list, all[i])
	}
	return list, false, nil
}

// Version returns one version.
func (d *Dir) Version(n uint64) (*Version, error) {
	all, err := d.look()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Number == n {
			v := all[i]
			return &v, nil
		}
	}
	return nil, ErrNoVersion
}

// Read returns the features of a layer as they were when version n was made, 0 meaning now, and the version that made them so;
// a version with the number 0 where there never was a file.
func (d *Dir) Read(l Layer, n uint64) ([]Feature, *Version, error) {
	all, err := d.look()
	if err != nil {
		return nil, nil, err
	}
	if n != 0 && (len(all) == 0 || n > all[len(all)-1].Number) {
		return nil, nil, ErrNoVersion
	}
	v := latest(all, l, n)
	if n != 0 && !known(all, v, n) {
		return nil, nil, ErrNoVersion
	}
	if v == nil {
		return nil, &Version{Layer: l, File: l.File(), Absent: true}, nil
	}
	features, err := d.features(v)
	if err != nil {
		return nil, nil, err
	}
	return features, v, nil
}

// known reports whether every version after v up to number n is kept: one that is not could be of the same layer.
func known(all []Version, v *Version, n uint64) bool {
	from, kept := uint64(0), uint64(0)
	if v != nil {
		from = v.Number
	}
	for i := range all {
		if m := all[i].Number; m > from && m <= n {
			kept++
		}
	}
	return kept == n-from
}

// features reads the features of a version.
func (d *Dir) features(v *Version) ([]Feature, error) {
	if v == nil {
		return nil, nil
	}
	text, err := d.content(v)
	if err != nil {
		return nil, err
	}
	features, err := featuresOf(text)
	if err != nil {
		return nil, &BrokenError{v.File, v.Number, err}
	}
	return features, nil
}
