package edit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lushao/detect/reference"
)

// prepareCrash makes a directory with two versions, and the change that is interrupted.
func prepareCrash(t *testing.T) (*Dir, func(*Dir) error) {
	d := newDir(t)
	d.add(t, square("A", 112, 35))
	d.add(t, square("B", 113, 35))
	features := parse(t, square("C", 114, 35))
	return d, func(d *Dir) error {
		_, err := d.Apply(Change{Layer: Fences, Features: features, Who: "王五", How: HowAPI})
		return err
	}
}

// checkWhole looks at a directory as the next process does: there is the old state or the new one, with its version, and
// it works on.
func checkWhole(t *testing.T, path, at string) (made bool) {
	t.Helper()
	d := New(path, MinKeep, 1)
	data, _, err := reference.Load(path)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	list, _, err := d.Versions(0, 10)
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	made = len(data.Fences) == 3
	want := 2
	if made {
		want = 3
	}
	if len(list) != want || len(data.Fences) != want {
		t.Fatalf("%s: %d versions, %d fences: %+v", at, len(list), len(data.Fences), list)
	}
	for _, v := range list {
		if v.How == HowHand {
			t.Errorf("%s: version %d is taken for made by hand", at, v.Number)
		}
		if f, _, err := d.Read(Fences, v.Number); err != nil || len(f) != v.Features {
			t.Errorf("%s: version %d: %v", at, v.Number, err)
		}
	}
	if made && (list[0].Who != "王五" || list[0].Added[0] != "C") {
		t.Errorf("%s: %+v", at, list[0])
	}
	if r := d.add(t, square("D", 115, 35)); r.Version.Number != uint64(want+1) {
		t.Errorf("%s: the next version is %d", at, r.Version.Number)
	}
	for _, name := range []string{pendingName} {
		if _, err := os.Stat(d.historyPath(name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is left", at, name)
		}
	}
	files, _ := filepath.Glob(d.historyPath("*.gz"))
	if len(files) != want+1 {
		t.Errorf("%s: %d contents of %d versions", at, len(files), want+1)
	}
	return made
}

// A process that ends before any of its actions leaves a directory that is whole: the directory as it is at each step is
// looked at by another.
func TestEndsAtEveryStep(t *testing.T) {
	d, change := prepareCrash(t)
	type moment struct{ step, path string }
	var moments []moment
	d.step = func(name string) error {
		path := t.TempDir()
		must(t, os.CopyFS(path, os.DirFS(d.path)))
		moments = append(moments, moment{name, path})
		return nil
	}
	must(t, change(d))
	made := 0
	for _, m := range moments {
		if checkWhole(t, m.path, "ended before "+m.step) {
			made++
		}
	}
	if len(moments) < 7 || made == 0 || made == len(moments) {
		t.Errorf("%d steps, made at %d of them", len(moments), made)
	}
	if !checkWhole(t, d.path, "at the end") {
		t.Error("the change is not made")
	}
}

// An action that fails, as on a full disk, does the same, and the same process goes on.
func TestFailsAtEveryStep(t *testing.T) {
	failed := errors.New("no space left on device")
	for n := 0; ; n++ {
		d, change := prepareCrash(t)
		steps, at := 0, ""
		d.step = func(name string) error {
			if steps++; steps == n+1 {
				at = name
				return failed
			}
			return nil
		}
		err := change(d)
		if at == "" {
			must(t, err)
			break
		}
		// The last steps tidy up behind what is made.
		if !errors.Is(err, failed) {
			t.Errorf("%s: %v", at, err)
		}
		d.step = func(string) error { return nil }
		if _, _, err := d.Versions(0, 1); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		checkWhole(t, d.path, "failed to "+at)
	}
}

// A line of the journal may be written in part.
func TestTornJournal(t *testing.T) {
	d, change := prepareCrash(t)
	var path string
	d.step = func(name string) error {
		if name == "journal" {
			path = t.TempDir()
			must(t, os.CopyFS(path, os.DirFS(d.path)))
		}
		return nil
	}
	must(t, change(d))
	whole, err := os.ReadFile(d.historyPath(journalName))
	must(t, err)
	begin := len(strings.TrimRight(string(whole), "\n"))
	begin = strings.LastIndexByte(string(whole[:begin]), '\n') + 1
	for _, cut := range []int{begin + 1, (begin + len(whole)) / 2, len(whole) - 1} {
		torn := t.TempDir()
		must(t, os.CopyFS(torn, os.DirFS(path)))
		must(t, os.WriteFile(filepath.Join(torn, historyDir, journalName), whole[:cut], 0o644))
		if !checkWhole(t, torn, "torn") {
			t.Error("the change is lost")
		}
	}
	bad := t.TempDir()
	must(t, os.CopyFS(bad, os.DirFS(path)))
	must(t, os.WriteFile(filepath.Join(bad, historyDir, journalName), append([]byte("x\n"), whole...), 0o644))
	if _, _, err := New(bad, MinKeep, 1).Versions(0, 1); err == nil || !strings.Contains(err.Error(), "journal.ndjson:1") {
		t.Errorf("a damaged journal: %v", err)
	}
}

// A content that is not what the journal says is not shown as the version.
func TestDamagedContent(t *testing.T) {
	d, _ := prepareCrash(t)
	v, err := d.Version(1)
	must(t, err)
	w, err := d.Version(2)
	must(t, err)
	b, err := os.ReadFile(d.historyPath(contentName(w)))
	must(t, err)
	must(t, os.WriteFile(d.historyPath(contentName(v)), b, 0o644))
	if _, _, err := d.Read(Fences, 1); err == nil {
		t.Error("another content was read")
	}
}
