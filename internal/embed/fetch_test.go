//go:build unix

package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"lushao/internal/embed/chengine"
)

// libraryBytes is the size that fetch-engine.mjs expects.
const libraryBytes = 566_330_096

// fetch runs the script with a cache of its own and with npm played by a shell script.
func fetch(t *testing.T, npm string, arguments ...string) (c *exec.Cmd, library string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not installed; fetch-engine.mjs is not tested")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the engine is fetched for linux/amd64 only")
	}
	cache, bin := t.TempDir(), t.TempDir()
	if npm != "" {
		if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\n"+npm), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	c = exec.CommandContext(t.Context(), node, append([]string{"fetch-engine.mjs"}, arguments...)...)
	c.Env = append(os.Environ(), "LUSHAO_CACHE="+cache, "PATH="+bin+":/usr/bin:/bin")
	if npm == "" {
		c.Env = append(c.Env, "PATH="+bin) // the last one counts: no npm at all
	}
	return c, filepath.Join(cache, "lushao", "engine", chengine.EngineVersion, "libchdb.so")
}

// wantClean: nothing but perhaps the library is left in the folder.
func wantClean(t *testing.T, library string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Dir(library), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && path != filepath.Dir(library) && path != library {
			t.Errorf("%s was left behind", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFetchFailures(t *testing.T) {
	tarball := filepath.Join(t.TempDir(), "x.tgz")
	if err := os.WriteFile(tarball, []byte("no tarball"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What npm would have put there: a file of the right name with the wrong content.
	forged := `while [ $# -gt 0 ]; do if [ "$1" = --pack-destination ]; then echo forged > "$2/chdb-lib-linux-x64-gnu-` + chengine.EngineVersion + `.tgz"; fi; shift; done`
	for _, k := range []struct {
		name, npm string
		arguments []string
		status    int
		want      []string
	}{
		{"npm fails", "echo 'npm error code ENOTFOUND' >&2; exit 7", nil, 1, []string{"ENOTFOUND", "npm configuration", "--tarball", "outside ClickHouse"}},
		{"npm says nothing", "exit 0", nil, 1, []string{"npm could not fetch", "npm configuration"}},
		{"no npm", "", nil, 1, []string{"npm was not found"}},
		{"forged package", forged, nil, 1, []string{"not the package that was pinned", "sha512-", "Nothing was installed"}},
		{"forged file", "exit 1", []string{"--tarball", tarball}, 1, []string{"not the package that was pinned"}},
		{"absent file", "exit 1", []string{"--tarball", "/nonexistent"}, 1, []string{"no such file"}},
		{"unknown argument", "exit 1", []string{"--wrong"}, 2, []string{"--wrong", "usage:"}},
		{"argument without value", "exit 1", []string{"--tarball"}, 2, []string{"file name"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c, library := fetch(t, k.npm, k.arguments...)
			out, err := c.CombinedOutput()
			if err == nil || c.ProcessState.ExitCode() != k.status {
				t.Fatalf("%v; want status %d\n%s", err, k.status, out)
			}
			for _, want := range k.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("%q is not said:\n%s", want, out)
				}
			}
			if strings.Contains(string(out), "    at ") {
				t.Errorf("a stack for the user:\n%s", out)
			}
			if _, err := os.Stat(library); err == nil {
				t.Error("a library was installed")
			}
			wantClean(t, library)
		})
	}
}

// With the library in its place npm is not asked.
func TestFetchTwice(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		var arguments []string
		if quiet {
			arguments = []string{"--quiet"}
		}
		c, library := fetch(t, "exit 1", arguments...)
		if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(library, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(library, libraryBytes); err != nil { // a hole: it takes no space
			t.Fatal(err)
		}
		out, err := c.CombinedOutput()
		if err != nil || strings.Count(string(out), "\n") > 1 || quiet && len(out) > 0 {
			t.Errorf("quiet %v: %v\n%s", quiet, err, out)
		}
	}
}

// A signal in the middle ends npm too and leaves nothing; what an earlier process left is swept up.
func TestFetchInterrupted(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		c, library := fetch(t, `while [ $# -gt 0 ]; do if [ "$1" = --cache ]; then mkdir -p "$2"; echo part > "$2/part"; fi; shift; done; kill -USR1 "$LUSHAO_TEST_PID"; exec sleep 1000`)
		stale := filepath.Join(filepath.Dir(library), ".fetch-"+strings.Map(plain, hostname(t))+"-999999999-ab")
		if err := os.MkdirAll(stale, 0o755); err != nil {
			t.Fatal(err)
		}
		begun := make(chan os.Signal, 1)
		ossignal.Notify(begun, syscall.SIGUSR1)
		c.Env = append(c.Env, fmt.Sprintf("LUSHAO_TEST_PID=%d", os.Getpid()))
		var out strings.Builder
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		<-begun
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != 128+int(signal) || !strings.Contains(out.String(), "interrupted") {
			t.Errorf("%s: %v, status %d\n%s", signal, err, c.ProcessState.ExitCode(), out.String())
		}
		wantClean(t, library)
	}
}

func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func plain(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return '_'
}
