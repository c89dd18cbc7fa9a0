package gateway

import (
	"sync"
	"time"

	"lushao/ingest"
)

// promptLimits remembers what drivers were told of late: a driver who hears too much hears nothing. It is bounded: of too
// much, what is oldest is forgotten first.
type promptLimits struct {
	cfg  PromptsConfig
	mu   sync.Mutex
	last recent[promptKey] // when a kind was said to a vehicle
	ids  recent[string]
}

type promptKey struct {
	vehicle ingest.Vehicle
	kind    string
}

func newPromptLimits(cfg PromptsConfig) *promptLimits {
	return &promptLimits{cfg: cfg, last: newRecent[promptKey](cfg.Memory), ids: newRecent[string](cfg.Memory)}
}

// take remembers a prompt that is to be sent, or says why it must not be.
func (l *promptLimits) take(v ingest.Vehicle, kind, id string, now time.Time) CommandState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, there := l.ids.at(id); there {
		return PromptDuplicate
	}
	key := promptKey{v, kind}
	if at, there := l.last.at(key); there && now.Sub(at) < l.cfg.interval(kind) && !now.Before(at) {
		return PromptLimited
	}
	l.ids.put(id, now)
	l.last.put(key, now)
	return ""
}

// giveBack forgets a prompt that was not sent after all.
func (l *promptLimits) giveBack(v ingest.Vehicle, kind, id string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ids.drop(id)
	if was, there := l.last.at(promptKey{v, kind}); there && was.Equal(at) {
		l.last.drop(promptKey{v, kind})
	}
}

// recent keeps the times of the latest keys, in two halves: when the younger is full, the older is forgotten.
type recent[K comparable] struct {
	half           int
	younger, older map[K]time.Time
}

func newRecent[K comparable](size int) recent[K] {
	return recent[K]{half: max(size/2, 1), younger: map[K]time.Time{}}
}

func (m *recent[K]) at(k K) (time.Time, bool) {
	if t, ok := m.younger[k]; ok {
		return t, true
	}
	t, ok := m.older[k]
	return t, ok
}

func (m *recent[K]) put(k K, t time.Time) {
	if _, ok := m.younger[k]; !ok && len(m.younger) >= m.half {
		m.younger, m.older = map[K]time.Time{}, m.younger
	}
	m.younger[k] = t
}

func (m *recent[K]) drop(k K) {
	delete(m.younger, k)
	delete(m.older, k)
}
