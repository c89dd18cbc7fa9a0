package chengine

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// session is a connection with what was set in it. Making one costs about 0.6 ms, changing settings less: idle ones are kept and
// brought to what the next statement wants.
type session struct {
	conn     *conn
	database string
	settings map[string]string
	spoilt   bool // not to be used again: it may be in a state that nobody knows
}

func (s *session) close() { s.conn.close() }

// lasting are settings after which a session cannot be brought back: readonly forbids SET, the others change many settings at once.
var lasting = []string{"readonly", "allow_ddl", "profile", "compatibility"}

// settingName is what may stand in a SET: names come from the URL.
var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// checkout returns a session with the database and the settings of a request over the base settings.
func (e *Engine) checkout(database string, requested map[string]string) (*session, error) {
	for name := range requested {
		if !settingName.MatchString(name) {
			return nil, refuse(codeUnknownSetting, "UNKNOWN_SETTING", "%q is no name of a setting", name)
		}
	}
	if database == "" {
		database = "default"
	}
	want := maps.Clone(e.base)
	maps.Copy(want, requested)
	if s := e.takeIdle(database, want); s != nil {
		if err := s.become(database, want); err == nil {
			return s, nil
		}
		s.close() // a fresh one gives the true error, or works
	}
	c, err := connect(e.arguments)
	if err != nil {
		return nil, err
	}
	s := &session{conn: c}
	if err := s.become(database, want); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// takeIdle prefers a session that is as wanted, then the one that was used least recently once there are enough of them.
func (e *Engine) takeIdle(database string, want map[string]string) *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := len(e.idle) - 1; i >= 0; i-- {
		if s := e.idle[i]; s.database == database && maps.Equal(s.settings, want) {
			return e.removeIdle(i)
		}
	}
	if len(e.idle) >= cap(e.slots) {
		return e.removeIdle(0)
	}
	return nil
}

func (e *Engine) removeIdle(i int) *session {
	s := e.idle[i]
	e.idle = slices.Delete(e.idle, i, i+1)
	e.metrics.sessions.Set(float64(len(e.idle)))
	return s
}

// give takes a session back.
func (e *Engine) give(s *session) {
	for _, name := range lasting {
		if _, set := s.settings[name]; set {
			s.spoilt = true
		}
	}
	e.mu.Lock()
	keep := !s.spoilt && len(e.idle) < 2*cap(e.slots)
	if keep {
		e.idle = append(e.idle, s)
		e.metrics.sessions.Set(float64(len(e.idle)))
	}
	e.mu.Unlock()
	if !keep {
		s.close()
	}
}

// become changes database and settings to what is wanted. After an error the session is of no use.
func (s *session) become(database string, want map[string]string) error {
	if s.database != database {
		if _, err := s.conn.query("USE "+quoteName(database), "Null", nil); err != nil {
			return err
		}
		s.database = database
	}
	var changes []string
	for name := range s.settings {
		if _, keep := want[name]; !keep {
			changes = append(changes, name+" = DEFAULT")
		}
	}
	for name, value := range want {
		if have, set := s.settings[name]; !set || have != value {
			changes = append(changes, name+" = "+quote(value))
		}
	}
	if len(changes) > 0 {
		slices.Sort(changes)
		if _, err := s.conn.query("SET "+strings.Join(changes, ", "), "Null", nil); err != nil {
			return err
		}
	}
	s.settings = want
	return nil
}

var (
	stringEscapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`)
	nameEscapes   = strings.NewReplacer(`\`, `\\`, "`", "\\`", "\x00", `\0`)
)

func quote(s string) string     { return "'" + stringEscapes.Replace(s) + "'" }
func quoteName(s string) string { return "`" + nameEscapes.Replace(s) + "`" }
