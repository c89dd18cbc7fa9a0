package media

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"lushao/ingest"
)

// List returns the records of a vehicle that were received in [from, to), in Unix ms, the latest first: at most limit,
// and those that came in the same millisecond as the last of them. more says that there are earlier ones: ask again with
// the last one's time for to.
func (s *Store) List(v ingest.Vehicle, from, to int64, limit int) (list []Entry, more bool, err error) {
	return s.list(func(string) []string { return []string{folderOf(&v)} }, from, to, limit)
}

// ListPlate is List for the vehicles of a plate, whatever its colour.
func (s *Store) ListPlate(plate string, from, to int64, limit int) (list []Entry, more bool, err error) {
	prefix := escapePlate(plate) + "_"
	return s.list(func(day string) (folders []string) {
		all, err := fs.ReadDir(s.root.FS(), day)
		if err != nil {
			return nil // removed meanwhile
		}
		for _, d := range all {
			if color, ok := strings.CutPrefix(d.Name(), prefix); ok && isColor(color) {
				folders = append(folders, d.Name())
			}
		}
		return folders
	}, from, to, limit)
}

func isColor(s string) bool {
	_, err := strconv.ParseUint(s, 10, 8)
	return err == nil
}

func (s *Store) list(folders func(day string) []string, from, to int64, limit int) (list []Entry, more bool, err error) {
	if from >= to || limit <= 0 {
		return nil, false, nil
	}
	for _, day := range slices.Backward(s.dayNames()) {
		if day < dayOf(from) || day > dayOf(to-1) {
			continue
		}
		if len(list) >= limit {
			// There is more where this day has any record in the time.
			one, err := s.listDay(day, folders(day), from, to)
			return list, err == nil && len(one) > 0, err
		}
		found, err := s.listDay(day, folders(day), from, to)
		if err != nil {
			return nil, false, err
		}
		slices.SortFunc(found, func(a, b Entry) int {
			if a.Received != b.Received {
				return int(min(1, max(-1, b.Received-a.Received)))
			}
			return strings.Compare(a.Name, b.Name)
		})
		list = append(list, found...)
		if len(list) > limit {
			n := limit
			for n < len(list) && list[n].Received == list[limit-1].Received {
				n++
			}
			if n < len(list) {
				return list[:n:n], true, nil
			}
		}
	}
	return list, false, nil
}

func (s *Store) listDay(day string, folders []string, from, to int64) (list []Entry, err error) {
	for _, folder := range folders {
		files, err := fs.ReadDir(s.root.FS(), path.Join(day, folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			name, ok := strings.CutSuffix(f.Name(), "."+metaExt)
			if !ok {
				continue
			}
			e, err := s.read(day, folder, name)
			// What can't be read is not ours, or was removed meanwhile.
			if err == nil && int64(e.Received) >= from && int64(e.Received) < to {
				list = append(list, e)
			}
		}
	}
	return list, nil
}

// fileName is what the files of the store are called; nothing else is given out.
var fileName = regexp.MustCompile(`^[0-9a-f]{4}-(undated|[0-9]{8}T[0-9]{6})-[0-9a-f]{16}\.([a-z0-9]{2,4})$`)

// Open opens the data or the metadata of a record by the name of its file, for reading. An error that is not the
// system's is fs.ErrNotExist.
func (s *Store) Open(v ingest.Vehicle, day, file string) (f *os.File, contentType string, err error) {
	m := fileName.FindStringSubmatch(file)
	if m == nil || !isDay(day) {
		return nil, "", fs.ErrNotExist
	}
	contentType = "application/json; charset=utf-8"
	if m[2] != metaExt {
		i := slices.IndexFunc(formats[:], func(t struct{ ext, contentType string }) bool { return t.ext == m[2] })
		if i < 0 {
			return nil, "", fs.ErrNotExist
		}
		contentType = formats[i].contentType
	}
	f, err = s.root.Open(path.Join(day, folderOf(&v), file))
	if err != nil {
		return nil, "", err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, "", fs.ErrNotExist
	}
	return f, contentType, nil
}
