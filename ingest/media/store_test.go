package media

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"lushao/ingest"
	"lushao/internal/embed/datadir"
)

// noon is 2026-05-01T12:00:00+08:00.
var noon = time.Date(2026, 5, 1, 4, 0, 0, 0, time.UTC).UnixMilli()

const dayMillis = 24 * 3600 * 1000

func vehicle(t testing.TB, plate string) ingest.Vehicle {
	t.Helper()
	v, err := ingest.NewVehicle(plate, 2)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t testing.TB, dir string, change func(*Config)) *Store {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Dir = dir
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func photo(v ingest.Vehicle, received int64, content string) *Record {
	data := []byte(content)
	return &Record{Vehicle: v, Phone: "13800138000", Message: 0x0801, Serial: 7, Received: received, Recorded: noon - 5000,
		Body: append([]byte{0, 0, 0, 9}, data...), Lasting: true, Data: data, Format: JPEG, Details: map[string]int{"media_id": 9}}
}

func put(t testing.TB, s *Store, r *Record) Entry {
	t.Helper()
	e, _, err := s.Put(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// files are the regular files below dir, but for the lock.
func files(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "lushao.lock" {
			rel, _ := filepath.Rel(dir, p)
			list = append(list, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPutWritesDataAndMetadata(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	e, repeated, err := s.Put(photo(vehicle(t, "晋E12345"), noon, "a photo"))
	if err != nil || repeated {
		t.Fatal(err, repeated)
	}
	if !strings.HasPrefix(e.Name, "0801-20260501T115955-") || e.Day != "2026-05-01" || e.Size != 7 || e.ContentType != "image/jpeg" {
		t.Errorf("%+v", e)
	}
	folder := filepath.Join(dir, "2026-05-01", "晋E12345_2")
	if b, err := os.ReadFile(filepath.Join(folder, e.File)); err != nil || string(b) != "a photo" {
		t.Errorf("%q %v", b, err)
	}
	b, err := os.ReadFile(filepath.Join(folder, e.Name+".json"))
	var m map[string]any
	if err != nil || json.Unmarshal(b, &m) != nil {
		t.Fatalf("%s %v", b, err)
	}
	for k, want := range map[string]any{"plate": "晋E12345", "color": 2.0, "phone": "13800138000", "message": "0x0801", "serial": 7.0,
		"received": "2026-05-01T12:00:00.000+08:00", "recorded": "2026-05-01T11:59:55.000+08:00", "size": 7.0, "file": e.File} {
		if m[k] != want {
			t.Errorf("%s is %v, want %v", k, m[k], want)
		}
	}
	if d, _ := m["details"].(map[string]any); d["media_id"] != 9.0 {
		t.Errorf("details %v", m["details"])
	}
	if got := files(t, dir); len(got) != 2 {
		t.Errorf("files %q", got)
	}
	// Metadata alone.
	r := photo(vehicle(t, "晋E12345"), noon, "")
	r.Data, r.Body = nil, []byte("event")
	if e := put(t, s, r); e.File != "" || e.Size != 0 {
		t.Errorf("%+v", e)
	}
	if got := files(t, dir); len(got) != 3 {
		t.Errorf("files %q", got)
	}
}

func TestTheSameAgainGivesTheSame(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	v := vehicle(t, "晋E12345")
	first := put(t, s, photo(v, noon, "a photo"))
	again := func(r *Record, want bool) {
		t.Helper()
		e, repeated, err := s.Put(r)
		if err != nil || repeated != want {
			t.Errorf("repeated %v, want %v: %v", repeated, want, err)
		}
		if want && (e.Name != first.Name || e.Day != first.Day || e.Received != first.Received) {
			t.Errorf("%+v, want %+v", e, first)
		}
	}
	again(photo(v, noon+1000, "a photo"), true)
	again(photo(v, noon+3*dayMillis, "a photo"), true) // on another day too
	s.Close()
	s = open(t, dir, nil)
	again(photo(v, noon+dayMillis, "a photo"), true) // and after a restart
	again(photo(v, noon, "another photo"), false)
	again(photo(vehicle(t, "晋E54321"), noon, "a photo"), false)

	// What has no time of its own is the same only with its serial, and for minutes.
	raw := func(serial uint16, received int64) *Record {
		return &Record{Vehicle: v, Message: 0x0900, Serial: serial, Received: received, Body: []byte("A1"), Data: []byte("1")}
	}
	first = put(t, s, raw(5, noon))
	again(raw(5, noon+5*60*1000), true)
	again(raw(5, noon+15*60*1000), true) // the window of the first is just over
	again(raw(6, noon), false)
	again(raw(5, noon+3600*1000), false)
}

func TestManyAtOnceOfTheSame(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	v := vehicle(t, "晋E12345")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, _, err := s.Put(photo(v, noon, fmt.Sprint("photo", i%4))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := files(t, dir); len(got) != 8 {
		t.Errorf("files %q", got)
	}
	if s.total != 8*blockSize {
		t.Errorf("%d bytes are counted", s.total)
	}
	if n := testutil.ToFloat64(s.metrics.repeated); n != 16 {
		t.Errorf("%v repeated", n)
	}
}

func TestHostilePlates(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "media"), nil)
	for _, plate := range []string{"..", ".", "../../../etc", "/etc/passwd", "a/b", `a\b`, "a%2Fb", "a_2", "-rf", "~", "*", "CON", " ", "\u202e晋"} {
		v := vehicle(t, plate)
		e := put(t, s, photo(v, noon, "x"))
		list, _, err := s.List(v, 0, noon+1, 10)
		if err != nil || len(list) != 1 || list[0].Plate != plate || list[0].Name != e.Name {
			t.Errorf("%q: %+v %v", plate, list, err)
		}
		if f, _, err := s.Open(v, e.Day, e.File); err != nil {
			t.Errorf("%q: %v", plate, err)
		} else {
			f.Close()
		}
	}
	for _, f := range files(t, dir) {
		if parts := strings.Split(f, string(filepath.Separator)); len(parts) != 4 || parts[0] != "media" || parts[1] != "2026-05-01" {
			t.Errorf("file %q", f)
		}
	}
	v := vehicle(t, "晋E1")
	e := put(t, s, photo(v, noon, "x"))
	os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600)
	os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "media", "2026-05-01", "晋E1_2", "0801-undated-0123456789abcdef.jpg"))
	for _, c := range [][2]string{{"..", e.File}, {"2026-05-01", "../晋E1_2/" + e.File}, {"2026-05-01", ".."}, {"2026-05-01", ""},
		{"2026-05-01", "0801-undated-0123456789abcdef.jpg"}, {"2026-05-01/晋E1_2", e.File}, {"2026-05-01", e.Name + ".exe"}, {"", "lushao.lock"}} {
		if f, _, err := s.Open(v, c[0], c[1]); err == nil {
			f.Close()
			t.Errorf("%q is opened", c)
		}
	}
}

func TestLimits(t *testing.T) {
	dir := t.TempDir()
	limits := func(c *Config) {
		c.MaxFile, c.MaxVehicleDay, c.MaxTotal = 2*blockSize, 4*blockSize, 6*blockSize
	}
	s := open(t, dir, limits)
	a, b := vehicle(t, "晋E1"), vehicle(t, "晋E2")
	if _, _, err := s.Put(photo(a, noon, strings.Repeat("x", 2*blockSize+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	put(t, s, photo(a, noon, "1"))
	put(t, s, photo(a, noon, "2"))
	if _, _, err := s.Put(photo(a, noon, "3")); !errors.Is(err, ErrVehicleDay) {
		t.Errorf("a vehicle's day: %v", err)
	}
	put(t, s, photo(b, noon, "1")) // another has room
	if _, _, err := s.Put(photo(b, noon, "2")); !errors.Is(err, ErrFull) {
		t.Errorf("full by today alone: %v", err)
	}
	if _, repeated, err := s.Put(photo(a, noon, "1")); err != nil || !repeated {
		t.Errorf("what is there, when full: %v %v", repeated, err)
	}
	for reason, want := range map[string]float64{refusedTooLarge: 1, refusedVehicle: 1, refusedFull: 1, refusedError: 0} {
		if n := testutil.ToFloat64(s.metrics.refused[reason]); n != want {
			t.Errorf("%s: %v refused, want %v", reason, n, want)
		}
	}
	// After a restart the limits still know what is there.
	s.Close()
	s = open(t, dir, limits)
	if _, _, err := s.Put(photo(a, noon, "3")); !errors.Is(err, ErrVehicleDay) {
		t.Errorf("a vehicle's day after a restart: %v", err)
	}
	// The next day makes room: the oldest day goes, and with it all of its files.
	put(t, s, photo(a, noon+dayMillis, "3"))
	if names := s.dayNames(); !slices.Equal(names, []string{"2026-05-02"}) || s.total != 2*blockSize {
		t.Errorf("days %q, %d bytes", names, s.total)
	}
	if list, _, err := s.List(a, 0, noon+2*dayMillis, 10); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	s.Close() // waits for the removal
	for _, f := range files(t, dir) {
		if !strings.HasPrefix(f, "2026-05-02") {
			t.Errorf("%s stays", f)
		}
	}
}

func TestOldDaysGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, func(c *Config) { c.KeepDays = 2 })
	v := vehicle(t, "晋E1")
	for d := range int64(4) {
		put(t, s, photo(v, noon+d*dayMillis, fmt.Sprint(d)))
	}
	if names := s.dayNames(); !slices.Equal(names, []string{"2026-05-03", "2026-05-04"}) {
		t.Errorf("days %q", names)
	}
	// Also while nothing comes: Run looks at the clock, for which all of this is long ago or far ahead.
	s.Expire(time.UnixMilli(noon + 4*dayMillis))
	if names := s.dayNames(); !slices.Equal(names, []string{"2026-05-04"}) {
		t.Errorf("days %q", names)
	}
	if n := testutil.ToFloat64(s.metrics.removedDays); n != 3 {
		t.Errorf("%v days removed", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// What a crash left half removed or half written is gone after the next start; what is not ours stays.
	s.Close()
	for _, name := range []string{".gone-2026-04-01-1/晋E1_2/x.jpg", ".tmp/1", "notes/keep"} {
		p := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(p), 0o750)
		if err := os.WriteFile(p, []byte("x"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir, nil)
	if got := files(t, dir); !slices.Equal(got, []string{filepath.Join("notes", "keep")}) {
		t.Errorf("files %q", got)
	}
}

// The disk is full: /dev/full takes nothing. The answer is an error, nothing is left behind, and what was there stays.
func TestDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("there is no /dev/full here: ", err)
	}
	dir := t.TempDir()
	s := open(t, dir, nil)
	v := vehicle(t, "晋E1")
	kept := put(t, s, photo(v, noon, "kept"))
	before := s.total
	for after := range 2 { // the data does not fit, or the metadata
		n := 0
		s.create = func(root *os.Root, name string) (*os.File, error) {
			if n++; n > after {
				return os.OpenFile("/dev/full", os.O_WRONLY, 0)
			}
			return createFile(root, name)
		}
		if _, _, err := s.Put(photo(v, noon, "lost")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v, want no space", err)
		}
	}
	if n := testutil.ToFloat64(s.metrics.refused[refusedDiskFull]); n != 2 {
		t.Errorf("%v refused", n)
	}
	if got := files(t, dir); len(got) != 2 || s.total != before {
		t.Errorf("files %q, %d bytes counted, %d before", got, s.total, before)
	}
	s.create = createFile
	if _, repeated, err := s.Put(photo(v, noon, "lost")); err != nil || repeated {
		t.Errorf("with room again: repeated %v, %v", repeated, err)
	}
	if list, _, err := s.List(v, 0, noon+1, 10); err != nil || len(list) != 2 || !slices.ContainsFunc(list, func(e Entry) bool { return e.Name == kept.Name }) {
		t.Errorf("%+v %v", list, err)
	}
}

// A crash between the two files: the data is there, the metadata is not. The record is not there, and sent again it is.
func TestCrashBetweenTheFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, nil)
	v := vehicle(t, "晋E1")
	e := put(t, s, photo(v, noon, "a photo"))
	s.Close()
	meta := filepath.Join(dir, e.Day, "晋E1_2", e.Name+".json")
	for _, content := range []string{"", "{", `{"name":"x"}`} {
		if err := os.WriteFile(meta, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir, nil)
		if list, _, err := s.List(v, 0, noon+1, 10); err != nil || len(list) != 0 {
			t.Errorf("%q: %+v %v", content, list, err)
		}
		if _, repeated, err := s.Put(photo(v, noon, "a photo")); err != nil || repeated {
			t.Errorf("%q: repeated %v, %v", content, repeated, err)
		}
		s.Close()
	}
}

func TestListIsLatestFirstAndBounded(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	v := vehicle(t, "晋E1")
	for i := range int64(6) { // two a day, the last two in one millisecond
		at := noon + i/2*dayMillis + i%2*1000
		if i == 5 {
			at = noon + 2*dayMillis
		}
		put(t, s, photo(v, at, fmt.Sprint(i)))
	}
	times := func(from, to int64, limit int) (out []int64, more bool) {
		t.Helper()
		list, more, err := s.List(v, from, to, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			out = append(out, (int64(e.Received)-noon)/1000)
		}
		return out, more
	}
	for _, c := range []struct {
		from, to int64
		limit    int
		want     []int64
		more     bool
	}{
		{0, noon + 9*dayMillis, 10, []int64{172800, 172800, 86401, 86400, 1, 0}, false},
		{0, noon + 9*dayMillis, 1, []int64{172800, 172800}, true}, // the same millisecond is not torn apart
		{0, noon + 2*dayMillis, 2, []int64{86401, 86400}, true},
		{0, noon + dayMillis, 2, []int64{1, 0}, false},
		{noon + 1, noon + dayMillis + 1, 5, []int64{86400, 1}, false},
		{noon, noon, 5, nil, false},
		{noon + dayMillis, noon, 5, nil, false},
	} {
		if got, more := times(c.from, c.to, c.limit); !slices.Equal(got, c.want) || more != c.more {
			t.Errorf("[%d, %d) %d: %v %v, want %v %v", c.from-noon, c.to-noon, c.limit, got, more, c.want, c.more)
		}
	}
}

func TestConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"media.dir: empty":        func(c *Config) { c.Dir = "" },
		"media.max_file: 1":       func(c *Config) { c.MaxFile = 1 },
		"media.max_vehicle_day: ": func(c *Config) { c.MaxVehicleDay = c.MaxFile },
		"media.max_total: ":       func(c *Config) { c.MaxTotal = c.MaxFile },
		"media.keep_days: 0":      func(c *Config) { c.KeepDays = 0 },
	} {
		cfg := DefaultConfig()
		cfg.Dir = "x"
		change(&cfg)
		if _, err := New(cfg, nil, prometheus.NewRegistry()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	dir := t.TempDir()
	open(t, dir, nil)
	cfg := DefaultConfig()
	cfg.Dir = dir
	second, err := New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); !errors.Is(err, datadir.ErrInUse) {
		t.Errorf("a second process on the folder: %v", err)
	}
}

func TestMetricsPage(t *testing.T) {
	reg := prometheus.NewRegistry()
	newMetrics(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		labels := ""
		for _, l := range f.Metric[0].Label {
			labels += " " + l.GetName()
		}
		fmt.Fprintf(&b, "%s (%s%s) %s\n", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp())
	}
	want := `lushao_media_bytes (gauge) Bytes on the disk of all files, in whole blocks, with their metadata.
lushao_media_files_total (counter result) Files that terminals sent and that are on the disk, by result: stored, or repeated where the same was there.
lushao_media_refused_files_total (counter reason) Files that were not taken, by reason.
lushao_media_removed_days_total (counter) Days whose files were removed, by age or to make room.
lushao_media_stored_bytes_total (counter) Bytes of the files that were stored.
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}
