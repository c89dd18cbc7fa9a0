package chengine

import (
	"fmt"
	"os"
	"path/filepath"
)

// EngineVersion is the version of the npm package that the library comes from. ../fetch-engine.mjs pins the same.
const EngineVersion = "26.7.3-stable.1"

// DefaultLibrary is where the engine's library is looked for: $LUSHAO_ENGINE (a file), else the place that fetch-engine.mjs puts it,
// ${LUSHAO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/lushao/engine/<version>/libchdb.so.
func DefaultLibrary() string {
	if file := os.Getenv("LUSHAO_ENGINE"); file != "" {
		return file
	}
	cache := os.Getenv("LUSHAO_CACHE")
	if cache == "" {
		cache = os.Getenv("XDG_CACHE_HOME")
	}
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "/root" // a service without HOME; a wrong guess ends in the message of checkLibrary, which names the path
		}
		cache = filepath.Join(home, ".cache")
	}
	return filepath.Join(cache, "lushao", "engine", EngineVersion, "libchdb.so")
}

// checkLibrary says how to get the library where it is missing.
func checkLibrary(path string) error {
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return fmt.Errorf("the embedded ClickHouse engine is not at %s; run `make engine` (or `node internal/embed/fetch-engine.mjs`), "+
			"set LUSHAO_ENGINE to the path of libchdb.so, or configure an outside ClickHouse", path)
	case err != nil:
		return fmt.Errorf("the embedded ClickHouse engine: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("the embedded ClickHouse engine: %s is no file; it must be the path of libchdb.so", path)
	}
	return nil
}
