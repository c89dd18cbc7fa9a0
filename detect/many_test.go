package detect_test

import "os"

// many is how many random worlds a test goes through: all where TEST_WORLDS is set, as make worlds does, else fewer, so that the ordinary
// tests stay quick.
func many(all, ordinary int) int {
	if os.Getenv("TEST_WORLDS") != "" {
		return all
	}
	return ordinary
}
