package media

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// isDay tells a folder of a day from others.
func isDay(name string) bool {
	_, err := time.Parse(dayLayout, name)
	return err == nil
}

// count adds up what is in the folder, and removes days that were to be removed.
func (s *Store) count() error {
	top, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, d := range top {
		switch {
		case strings.HasPrefix(d.Name(), goneFolder):
			if err := s.root.RemoveAll(d.Name()); err != nil {
				return err
			}
		case d.IsDir() && isDay(d.Name()):
			// In order of their names: the last one's vehicles stay in mind.
			s.today, s.vehicles = d.Name(), map[string]int64{}
			if err := s.countDay(d.Name()); err != nil {
				return err
			}
		}
	}
	s.metrics.bytes.Set(float64(s.total))
	return nil
}

func (s *Store) countDay(day string) error {
	s.days[day] = 0
	return fs.WalkDir(s.root.FS(), day, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		n := blocks(info.Size())
		s.days[day] += n
		s.total += n
		if parts := strings.Split(name, "/"); len(parts) == 3 {
			s.vehicles[parts[1]] += n
		}
		return nil
	})
}

// dayNames are the days that there are files of, the oldest first.
func (s *Store) dayNames() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.days))
}

// reserve finds room for n bytes of a vehicle on a day; days before it go where it is needed.
func (s *Store) reserve(day, folder string, n int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day != s.today {
		if day > s.today {
			s.expireLocked(day)
		}
		s.today, s.vehicles = day, map[string]int64{}
	}
	if s.vehicles[folder]+n > s.cfg.MaxVehicleDay {
		return ErrVehicleDay
	}
	for s.total+n > s.cfg.MaxTotal {
		oldest := day
		for d := range s.days {
			oldest = min(oldest, d)
		}
		if oldest == day {
			return ErrFull
		}
		if err := s.removeLocked(oldest); err != nil {
			return err
		}
		s.log.Warn("the oldest day of files was removed to make room; raise media.max_total to keep more", "day", oldest)
	}
	s.addLocked(day, folder, n)
	return nil
}

func (s *Store) release(day, folder string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.days[day]; there { // else the day went meanwhile, with all that was counted for it
		s.addLocked(day, folder, -n)
	}
}

func (s *Store) addLocked(day, folder string, n int64) {
	s.days[day] += n
	s.total += n
	if day == s.today {
		s.vehicles[folder] += n
	}
	s.metrics.bytes.Set(float64(s.total))
}

// goneFolder is before the name of a day that is being removed.
const goneFolder = ".gone-"

// removeLocked takes a day out of sight at once; its files are removed in the background, because they may be many. What
// is not removed when the process ends, Start removes.
func (s *Store) removeLocked(day string) error {
	s.temp++
	gone := fmt.Sprintf("%s%s-%d", goneFolder, day, s.temp)
	if err := s.root.Rename(day, gone); err != nil && !errors.Is(err, fs.ErrNotExist) { // a person may have removed it
		return fmt.Errorf("media: removing the day %s: %w", day, err)
	}
	s.total -= s.days[day]
	delete(s.days, day)
	s.metrics.bytes.Set(float64(s.total))
	s.metrics.removedDays.Inc()
	s.removing.Go(func() {
		if err := s.root.RemoveAll(gone); err != nil {
			s.log.Error("a day of files was not removed; it will be after the next start", "folder", gone, "err", err)
		}
	})
	return nil
}

// expireLocked removes the days that are older than they are kept.
func (s *Store) expireLocked(today string) {
	at, err := time.Parse(dayLayout, today)
	if err != nil {
		return
	}
	first := at.AddDate(0, 0, 1-s.cfg.KeepDays).Format(dayLayout)
	for _, day := range slices.Sorted(maps.Keys(s.days)) {
		if day >= first {
			return
		}
		if err := s.removeLocked(day); err != nil {
			s.log.Error("a day of files that is older than media.keep_days stays", "err", err)
			return
		}
	}
}

// Expire removes the days that are older than media.keep_days at the time now.
func (s *Store) Expire(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expireLocked(now.In(beijing).Format(dayLayout))
}

// Run removes old days until ctx ends, also while no new files come.
func (s *Store) Run(ctx context.Context) error {
	t := time.NewTicker(time.Hour)
	defer t.Stop()
	for {
		s.Expire(time.Now())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}
