package reference

import (
	"bytes"
	"crypto/sha256"
	"errors"

	"lushao/detect"
)

// LoadInstead is Load for a directory in which some files had other contents: what is asked before a change is made. A nil
// content stands for an absent file. The directory is only read.
func LoadInstead(dir string, instead map[string][]byte) (*detect.ReferenceData, *Info, error) {
	l := newLoader(dir)
	l.instead = instead
	return l.directory()
}

// Check reads one GeoJSON file by itself and returns what is wrong with it, up to most errors. What it mentions of other
// files is not looked up.
func Check(name string, text []byte, most int) (*detect.ReferenceData, []error) {
	l := newLoader("")
	l.problems.most = most
	for _, f := range l.files() {
		if f.name == name {
			l.loadText(name, name, text, f.read)
		}
	}
	return l.data, l.problems.list
}

// loadText is load for contents that are in memory.
func (l *loader) loadText(name, path string, text []byte, read func(*file)) {
	f := &file{loader: l, path: path, name: name, r: bytes.NewReader(text), size: int64(len(text))}
	before := len(l.problems.list)
	read(f)
	l.problems.sort(before)
	sum := sha256.Sum256(text)
	l.info.Files = append(l.info.Files, FileInfo{Name: name, Rows: f.rows, Size: int64(len(text)), SHA256: hexOf(sum[:])})
}

// Errors takes apart what Load returned.
func Errors(err error) []error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
