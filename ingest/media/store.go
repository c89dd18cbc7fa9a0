// Package media keeps what terminals send as files: photos, sound and video (JT/T 808 0x0801 and 0x0800), the data of
// driving recorders (0x0700), what is passed through (0x0900, 0x0901).
//
//	<dir>/2026-05-01/晋E12345_2/0801-20260501T080000-9f86d081884c7d65.jpg   the data
//	<dir>/2026-05-01/晋E12345_2/0801-20260501T080000-9f86d081884c7d65.json  the metadata: see Entry
//
// The day is that of receipt, so that a terminal with a wrong clock neither hides a file nor keeps it for ever. The name is
// made of the message id, the time of the recording and a digest: the same record again gives the same file. A record is
// there when its metadata are; they are written last.
package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"lushao/internal/embed/datadir"
)

// Errors of Put, besides those of the file system. Their texts say which setting they come from.
var (
	ErrTooLarge   = errors.New("media: the file is larger than media.max_file")
	ErrVehicleDay = errors.New("media: the vehicle's files of the day reach media.max_vehicle_day")
	ErrFull       = errors.New("media: the files of today alone reach media.max_total")
)

// blockSize is what the size of a file on the disk is a multiple of. Small files are counted so: else many of them would
// fill a disk that the limits say has room.
const blockSize = 4096

// maxWriters is how many records are written at once: each waits for the disk several times.
const maxWriters = 8

const tmpFolder = ".tmp"

// Store is a folder of records. Safe for concurrent use, between Start and Close.
type Store struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	lock    *datadir.Lock
	root    *os.Root
	writers chan struct{}
	create  func(root *os.Root, name string) (*os.File, error)

	mu       sync.Mutex
	days     map[string]int64 // bytes on the disk by day
	total    int64
	today    string           // the day that something was received on last
	vehicles map[string]int64 // bytes on the disk of today, by folder
	busy     map[string]chan struct{}
	temp     uint64 // number of the last temporary file
	failing  bool   // the last write failed
	removing sync.WaitGroup
}

// New makes a store that is not open yet.
func New(cfg Config, log *slog.Logger, reg prometheus.Registerer) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Store{cfg: cfg, log: log, metrics: newMetrics(reg), writers: make(chan struct{}, maxWriters), create: createFile,
		days: map[string]int64{}, vehicles: map[string]int64{}, busy: map[string]chan struct{}{}}, nil
}

func createFile(root *os.Root, name string) (*os.File, error) {
	return root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
}

// Start locks the folder, removes what an earlier process did not finish, and counts what is there.
func (s *Store) Start() (err error) {
	if s.lock, err = datadir.Acquire(s.cfg.Dir); err != nil {
		return fmt.Errorf("media.dir: %w", err)
	}
	if s.root, err = os.OpenRoot(s.cfg.Dir); err == nil {
		if err = s.root.RemoveAll(tmpFolder); err == nil {
			err = s.root.Mkdir(tmpFolder, 0o750)
		}
	}
	if err == nil {
		err = s.count()
	}
	if err != nil {
		s.Close()
		return fmt.Errorf("media.dir: %w", err)
	}
	return nil
}

// Close gives the folder free. Nothing may be under way.
func (s *Store) Close() error {
	s.removing.Wait()
	var err error
	if s.root != nil {
		err = s.root.Close()
	}
	return errors.Join(err, s.lock.Release())
}

// Put stores a record and returns its metadata once both files are on the disk. Where the same record is there already
// it is left as it is, and repeated is true. After an error nothing of the record is there.
func (s *Store) Put(r *Record) (e Entry, repeated bool, err error) {
	e, repeated, err = s.put(r)
	s.mu.Lock()
	again := s.failing // said once, and not for every file of every terminal
	s.failing = err != nil
	s.mu.Unlock()
	switch {
	case err != nil:
		reason := refusalOf(err)
		s.metrics.refused[reason].Inc()
		level := slog.LevelError
		if again || reason == refusedTooLarge || reason == refusedVehicle { // what one terminal can bring about again and again
			level = slog.LevelDebug
		}
		s.log.Log(context.Background(), level, "a file of a terminal was not stored", "vehicle", r.Vehicle, "message", fmt.Sprintf("0x%04x", r.Message),
			"bytes", len(r.Data), "reason", reason, "err", err)
	case repeated:
		s.metrics.repeated.Inc()
	default:
		s.metrics.stored.Inc()
		s.metrics.storedBytes.Add(float64(e.Size))
		s.log.Debug("a file of a terminal was stored", "vehicle", r.Vehicle, "day", e.Day, "name", e.Name, "bytes", e.Size)
	}
	return e, repeated, err
}

func refusalOf(err error) string {
	switch {
	case errors.Is(err, ErrTooLarge):
		return refusedTooLarge
	case errors.Is(err, ErrVehicleDay):
		return refusedVehicle
	case errors.Is(err, ErrFull):
		return refusedFull
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return refusedDiskFull
	}
	return refusedError
}

func (s *Store) put(r *Record) (e Entry, repeated bool, err error) {
	if int64(len(r.Data)) > s.cfg.MaxFile {
		return e, false, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(r.Data))
	}
	s.writers <- struct{}{}
	defer func() { <-s.writers }()
	names, folder, day := r.names(), folderOf(&r.Vehicle), dayOf(r.Received)
	defer s.only(path.Join(folder, names[0]))()
	if e, ok := s.find(r, folder, names); ok {
		return e, true, nil
	}
	e = Entry{Name: names[0], Day: day, Size: int64(len(r.Data)), Plate: r.Vehicle.Plate(), Color: r.Vehicle.Color, Phone: r.Phone,
		Message: fmt.Sprintf("0x%04x", r.Message), Serial: r.Serial, Received: Time(r.Received), Recorded: Time(r.Recorded)}
	if r.Data != nil {
		sum := sha256.Sum256(r.Data)
		e.SHA256 = hex.EncodeToString(sum[:])
		e.File = e.Name + "." + formats[r.Format].ext
		e.ContentType = formats[r.Format].contentType
	}
	if r.Details != nil {
		if e.Details, err = json.Marshal(r.Details); err != nil {
			return e, false, fmt.Errorf("media: details: %w", err)
		}
	}
	meta, err := json.MarshalIndent(&e, "", "  ")
	if err != nil {
		return e, false, fmt.Errorf("media: metadata: %w", err)
	}
	meta = append(meta, '\n')
	cost := blocks(int64(len(meta)))
	if r.Data != nil {
		cost += blocks(int64(len(r.Data)))
	}
	if err := s.reserve(day, folder, cost); err != nil {
		return e, false, err
	}
	if err := s.write(&e, folder, r.Data, meta); err != nil {
		s.release(day, folder, cost)
		return e, false, fmt.Errorf("media: %w", err)
	}
	return e, false, nil
}

// only waits until nobody else writes the record of that name, and returns what lets the next one in.
func (s *Store) only(key string) (done func()) {
	for {
		s.mu.Lock()
		other, there := s.busy[key]
		if !there {
			mine := make(chan struct{})
			s.busy[key] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.busy, key)
				s.mu.Unlock()
				close(mine)
			}
		}
		s.mu.Unlock()
		<-other
	}
}

// find looks for a record of one of the names, on any day that it may have come on.
func (s *Store) find(r *Record, folder string, names []string) (Entry, bool) {
	first := ""
	if !r.Lasting {
		first = dayOf(r.Received - 2*repeatWindow)
	}
	for _, day := range slices.Backward(s.dayNames()) {
		if day < first {
			break
		}
		for _, name := range names {
			if e, err := s.read(day, folder, name); err == nil {
				return e, true
			}
		}
	}
	return Entry{}, false
}

// maxMeta is the most bytes of metadata that are read: they come from a disk that others may write to.
const maxMeta = 256 << 10

func (s *Store) read(day, folder, name string) (e Entry, err error) {
	f, err := s.root.Open(path.Join(day, folder, name+"."+metaExt))
	if err != nil {
		return e, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxMeta))
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err == nil && (e.Name != name || e.Day != day) {
		err = fmt.Errorf("metadata of %s/%s", e.Day, e.Name)
	}
	return e, err
}

// write puts the files of a record in their place: the data first, then the metadata, each written beside and renamed.
func (s *Store) write(e *Entry, folder string, data, meta []byte) (err error) {
	dir := path.Join(e.Day, folder)
	_, known := s.root.Stat(dir)
	if err := s.root.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if e.File != "" {
		if err := s.writeFile(path.Join(dir, e.File), data); err != nil {
			return err
		}
		defer func() {
			if err != nil {
				s.root.Remove(path.Join(dir, e.File))
			}
		}()
	}
	name := path.Join(dir, e.Name+"."+metaExt)
	if err := s.writeFile(name, meta); err != nil {
		return err
	}
	dirs := []string{dir}
	if known != nil {
		dirs = append(dirs, e.Day, ".")
	}
	for _, d := range dirs {
		if err := s.syncDir(d); err != nil {
			s.root.Remove(name)
			return err
		}
	}
	return nil
}

func (s *Store) writeFile(name string, b []byte) error {
	s.mu.Lock()
	s.temp++
	temp := fmt.Sprintf("%s/%d", tmpFolder, s.temp)
	s.mu.Unlock()
	f, err := s.create(s.root, temp)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = s.root.Rename(temp, name)
	}
	if err != nil {
		s.root.Remove(temp)
	}
	return err
}

func (s *Store) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func blocks(n int64) int64 { return max(1, (n+blockSize-1)/blockSize) * blockSize }
