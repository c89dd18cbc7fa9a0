package store

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration is a file of plain SQL, "0001_name.sql". A line that ends with a semicolon ends a statement. Two words are
// replaced: ${on_cluster} by an ON CLUSTER clause and ${replicated} by the prefix of replicated engines; both are empty
// on one server. A process may be killed between two statements, so each must bear being run again (IF NOT EXISTS).
type migration struct {
	number uint32
	name   string
	text   string
	digest string // hex SHA-256 of the file
}

var migrationRE = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

func readMigrations(fsys fs.FS) ([]migration, error) {
	files, err := fs.Glob(fsys, "migrations/*")
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []migration
	for i, f := range files {
		m := migrationRE.FindStringSubmatch(path.Base(f))
		if m == nil {
			return nil, fmt.Errorf("store: %s: the name must be like 0001_name.sql", f)
		}
		n, _ := strconv.ParseUint(m[1], 10, 32)
		if int(n) != i+1 {
			return nil, fmt.Errorf("store: %s: number %d, want %d: numbers have no gaps", f, n, i+1)
		}
		text, err := fs.ReadFile(fsys, f)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out = append(out, migration{uint32(n), m[2], string(text), hex.EncodeToString(sum[:])})
	}
	return out, nil
}

// statements splits the text and fills in the words that differ on a cluster.
func (m *migration) statements(cluster string) []string {
	on, replicated := "", ""
	if cluster != "" {
		on, replicated = " ON CLUSTER '"+cluster+"'", "Replicated"
	}
	text := strings.NewReplacer("${on_cluster}", on, "${replicated}", replicated, "\r\n", "\n").Replace(m.text)
	var out []string
	for s := range strings.SplitSeq(text+"\n", ";\n") {
		if hasSQL(s) {
			out = append(out, strings.TrimSpace(s))
		}
	}
	return out
}

// hasSQL reports whether there is more than blanks and comments.
func hasSQL(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			return true
		}
	}
	return false
}

// Migrate makes the database and brings its tables to what this binary knows: each migration once, in order. It refuses
// a database that a newer binary has changed, and migrations that were edited after they were applied. It also sets how
// long positions are kept. To run it again does nothing.
func (s *Store) Migrate(ctx context.Context) error {
	return s.migrate(ctx, migrationFiles)
}

func (s *Store) migrate(ctx context.Context, fsys fs.FS) error {
	all, err := readMigrations(fsys)
	if err != nil {
		return err
	}
	prepare := migration{text: "CREATE DATABASE IF NOT EXISTS " + s.cfg.Database + "${on_cluster}"}
	for _, q := range prepare.statements(s.cfg.Cluster) {
		if err := s.server.Exec(ctx, q); err != nil {
			return fmt.Errorf("store: make database %s: %w", s.cfg.Database, err)
		}
	}
	prepare.text = `CREATE TABLE IF NOT EXISTS schema_migrations${on_cluster}
(number UInt32, name String, digest String COMMENT 'hex SHA-256 of the file', applied DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ${replicated}ReplacingMergeTree ORDER BY number`
	for _, q := range prepare.statements(s.cfg.Cluster) {
		if err := s.db.Exec(ctx, q); err != nil {
			return fmt.Errorf("store: make table schema_migrations: %w", err)
		}
	}
	applied, err := s.appliedMigrations(ctx)
	if err != nil {
		return err
	}
	for n, a := range applied {
		if int(n) > len(all) || n == 0 {
			return fmt.Errorf("store: database %s has migration %d (%s), this binary knows %d: it was changed by a newer lushao; run that version, or restore a backup", s.cfg.Database, n, a.name, len(all))
		}
	}
	for _, m := range all {
		if a, ok := applied[m.number]; ok {
			if a.digest != m.digest {
				return fmt.Errorf("store: migration %04d_%s was changed after it was applied to database %s (SHA-256 %.12s… then, %.12s… now): put the file back, and add a new migration instead", m.number, m.name, s.cfg.Database, a.digest, m.digest)
			}
			continue
		}
		for i, q := range m.statements(s.cfg.Cluster) {
			if err := s.db.Exec(ctx, q); err != nil {
				return fmt.Errorf("store: migration %04d_%s, statement %d: %w", m.number, m.name, i+1, err)
			}
		}
		err := s.db.Exec(ctx, "INSERT INTO schema_migrations (number, name, digest) SELECT {number:UInt32}, {name:String}, {digest:String}",
			clickhouse.Named("number", m.number), clickhouse.Named("name", m.name), clickhouse.Named("digest", m.digest))
		if err != nil {
			return fmt.Errorf("store: migration %04d_%s: record it: %w", m.number, m.name, err)
		}
	}
	return s.applyRetention(ctx)
}

func (s *Store) appliedMigrations(ctx context.Context) (map[uint32]migration, error) {
	rows, err := s.db.Query(ctx, "SELECT number, name, digest FROM schema_migrations FINAL")
	if err != nil {
		return nil, fmt.Errorf("store: read schema_migrations: %w", err)
	}
	defer rows.Close()
	out := map[uint32]migration{}
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.number, &m.name, &m.digest); err != nil {
			return nil, fmt.Errorf("store: read schema_migrations: %w", err)
		}
		out[m.number] = m
	}
	return out, rows.Err()
}

// expiring are the tables whose rows go after store.positions_keep_months. Weighings, waybills and driver cards are
// evidence of violations and stay with them.
var expiring = []string{"positions", "links", "safety_events"}

// applyRetention sets the TTL where it differs from the setting. Time counts from the receipt: a terminal with a wrong
// clock can't have its positions thrown away early.
func (s *Store) applyRetention(ctx context.Context) error {
	want := fmt.Sprintf("TTL toDateTime(received) + toIntervalMonth(%d)", s.cfg.PositionsKeepMonths)
	for _, t := range expiring {
		var engine string
		err := s.db.QueryRow(ctx, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = {name:String}", clickhouse.Named("name", t)).Scan(&engine)
		if err != nil {
			return fmt.Errorf("store: retention of %s: %w", t, err)
		}
		if strings.Contains(engine, want) {
			continue
		}
		on := ""
		if s.cfg.Cluster != "" {
			on = " ON CLUSTER '" + s.cfg.Cluster + "'"
		}
		// Parts that are there take the new time with their next merge; to rewrite them all now could take hours.
		err = s.db.Exec(ctx, "ALTER TABLE "+t+on+" MODIFY "+want+" SETTINGS materialize_ttl_after_modify = 0")
		if err != nil {
			return fmt.Errorf("store: retention of %s: %w", t, err)
		}
	}
	return nil
}
