package edit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	historyDir  = ".history"
	journalName = "journal.ndjson"
	pendingName = "pending.json" // the version that is being made
	lockName    = "lock"
)

// history is the folder of versions while its lock is held.
type history struct {
	*Dir
	lock     *os.File
	versions []Version // oldest first
}

func (d *Dir) historyPath(name string) string { return filepath.Join(d.path, historyDir, name) }

// contentName is where the file of a version is kept.
func contentName(v *Version) string { return fmt.Sprintf("%010d-%s.gz", v.Number, v.File) }

// openHistory waits for the lock, reads the journal and completes what was interrupted.
func (d *Dir) openHistory() (*history, error) {
	if _, err := os.Stat(d.path); err != nil {
		return nil, fmt.Errorf("reference directory: %w", err)
	}
	if err := os.Mkdir(d.historyPath(""), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("the versions of the reference directory: %w", err)
	}
	f, err := os.OpenFile(d.historyPath(lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the versions of the reference directory: %w", err)
	}
	h := &history{Dir: d, lock: f}
	if err = lockFile(f); err == nil {
		if err = h.readJournal(); err == nil {
			err = h.complete()
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the versions of the reference directory: %w", err)
	}
	return h, nil
}

func (h *history) close() { h.lock.Close() }

// readJournal reads the versions. A last line that is not whole was being written when its process ended: it is cut off, and
// written again by complete.
func (h *history) readJournal() error {
	path := h.historyPath(journalName)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	h.versions = nil
	for at, line := 0, 1; at < len(b); line++ {
		end := bytes.IndexByte(b[at:], '\n')
		var v Version
		if end >= 0 {
			err = json.Unmarshal(b[at:at+end], &v)
		}
		last := end < 0 || at+end+1 == len(b)
		switch {
		case (end < 0 || err != nil) && last:
			return os.Truncate(path, int64(at))
		case err != nil:
			return fmt.Errorf("%s:%d: %w; move the file away to begin anew", path, line, err)
		}
		h.versions = append(h.versions, v)
		at += end + 1
	}
	return nil
}

// complete ends a change that was interrupted: if its file is in place, it is a version; else it never happened.
func (h *history) complete() error {
	path := h.historyPath(pendingName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var v Version
	if err := json.Unmarshal(b, &v); err != nil { // it was renamed into place whole, so somebody else wrote it
		return fmt.Errorf("%s: %w; remove it", path, err)
	}
	if n := len(h.versions); n == 0 || h.versions[n-1].Number < v.Number {
		text, err := readFile(filepath.Join(h.path, v.File))
		if err != nil {
			return err
		}
		if sum, _ := digest(text); (text == nil) == v.Absent && sum == v.SHA256 {
			if err := h.append(&v); err != nil {
				return err
			}
		}
	}
	return h.remove(pendingName)
}

// append writes a line of the journal.
func (h *history) append(v *Version) error {
	if err := h.step("journal"); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := h.historyPath(journalName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	before, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		if _, err = f.Write(append(b, '\n')); err == nil {
			err = f.Sync()
		}
		if err != nil { // such as a full disk: half a line must not stay
			err = errors.Join(err, f.Truncate(before))
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	h.versions = append(h.versions, *v)
	return syncDir(h.historyPath(""))
}

// keepContent writes the file of a version.
func (h *history) keepContent(v *Version, text []byte) error {
	if v.Absent {
		return nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(text) // into memory: it does not fail
	if err := z.Close(); err != nil {
		return err
	}
	return h.replace(h.historyPath(contentName(v)), b.Bytes())
}

// content reads the file of a version back; nil if there was none.
func (d *Dir) content(v *Version) ([]byte, error) {
	if v.Absent {
		return nil, nil
	}
	path := d.historyPath(contentName(v))
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoVersion
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	text, err := io.ReadAll(io.LimitReader(z, v.Size+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if sum, size := digest(text); sum != v.SHA256 || size != v.Size {
		return nil, fmt.Errorf("%s: is not what the journal says of version %d", path, v.Number)
	}
	return text, nil
}

// latest returns the version of a layer in force up to a number, 0 meaning the present; nil if there is none.
func latest(versions []Version, l Layer, upTo uint64) *Version {
	for i := len(versions) - 1; i >= 0; i-- {
		if v := &versions[i]; v.Layer == l && (upTo == 0 || v.Number <= upTo) {
			return v
		}
	}
	return nil
}

// next is the number of the next version.
func (h *history) next() uint64 {
	if n := len(h.versions); n > 0 {
		return h.versions[n-1].Number + 1
	}
	return 1
}

// prune lets go of the oldest versions that are too many, but never of the present ones, and of files that belong to none.
func (h *history) prune() error {
	if len(h.versions) > h.keep {
		var kept []Version
		for i := range h.versions {
			v := &h.versions[i]
			if i >= len(h.versions)-h.keep || v == latest(h.versions, v.Layer, 0) {
				kept = append(kept, *v)
			}
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		for i := range kept {
			if err := enc.Encode(&kept[i]); err != nil {
				return err
			}
		}
		if err := h.replace(h.historyPath(journalName), b.Bytes()); err != nil {
			return err
		}
		h.versions = kept
	}
	names := make(map[string]bool, len(h.versions))
	for i := range h.versions {
		names[contentName(&h.versions[i])] = true
	}
	entries, err := os.ReadDir(h.historyPath(""))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".gz") && !names[n] {
			if err := h.remove(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes a file of the history.
func (h *history) remove(name string) error {
	if err := h.step("remove " + name); err != nil {
		return err
	}
	err := os.Remove(h.historyPath(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// replace writes a file beside and renames it over path.
func (h *history) replace(path string, b []byte) error {
	dir, name := filepath.Split(path)
	if err := h.step("write " + name); err != nil {
		return err
	}
	fresh := filepath.Join(dir, ".fresh-"+name)
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = h.step("rename " + name); err == nil {
			if err = os.Rename(fresh, path); err == nil {
				return syncDir(dir)
			}
		}
	}
	os.Remove(fresh) // a leftover does no harm either
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readFile returns nil for a file that is absent, and never nil for one that is there.
func readFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if b == nil {
		b = []byte{}
	}
	return b, err
}
