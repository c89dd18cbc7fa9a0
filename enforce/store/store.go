// Package store is the record of enforcement in ClickHouse: what vehicles reported, the violations that were found, and
// the questions that are asked of both.
//
// Writing is idempotent: every table replaces rows of the same identity, so that what the log delivers twice is there
// once. Reading counts on that through FINAL, or takes itself the one of equals that counts.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Errors that a caller tells apart. Everything else means that ClickHouse did not answer as it should.
var (
	ErrNotFound = errors.New("not in the record")
	ErrCursor   = errors.New("cursor: not from this list")
)

// Store reaches one database. It is safe for concurrent use.
type Store struct {
	cfg    Config
	where  string      // for messages
	server driver.Conn // without a database, to make it
	db     driver.Conn
}

// Open checks the settings and that ClickHouse answers. With a transport, that is the embedded engine and the addresses
// are not used. The tables are made by Migrate.
func Open(ctx context.Context, cfg Config, transport http.RoundTripper) (*Store, error) {
	opt, err := cfg.options(transport)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, where: strings.Join(opt.Addr, ", ")}
	if s.db, err = clickhouse.Open(opt); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	// Everyone has a "default" database, so that this connection works before ours is there.
	first := *opt
	first.Auth.Database = "default"
	if s.server, err = clickhouse.Open(&first); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Ping reports whether ClickHouse answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.server.Exec(ctx, "SELECT 1"); err != nil {
		return fmt.Errorf("store: ClickHouse at %s does not answer: %w", s.where, err)
	}
	return nil
}

// Close gives the connections back. Statements that run are ended.
func (s *Store) Close() error { return errors.Join(s.db.Close(), s.server.Close()) }

// table is where a block goes. The columns stand in the order of the block's columns.
type table struct {
	name    string
	columns []clickhouse.ColumnNameAndType
	insert  string
}

// newTable takes "name Type" pairs.
func newTable(name string, columns ...string) *table {
	t := &table{name: name}
	var names []string
	for _, c := range columns {
		n, typ, _ := strings.Cut(c, " ")
		t.columns = append(t.columns, clickhouse.ColumnNameAndType{Name: n, Type: typ})
		names = append(names, "`"+n+"`")
	}
	t.insert = "INSERT INTO " + name + " (" + strings.Join(names, ", ") + ")"
	return t
}

// Block is rows for one table, column by column. It is filled by one goroutine and may be written again and again.
type Block interface {
	Table() string
	Rows() int
	// Size is about how many bytes the rows take in memory.
	Size() int
	// Reset empties the block and keeps its memory.
	Reset()

	table() *table
	columns() []any
}

// Insert writes a block. After an error nothing, or all of it, may be there: writing it again is harmless. nil means that
// ClickHouse has it on disk. The block is not changed.
func (s *Store) Insert(ctx context.Context, b Block) (err error) {
	if b.Rows() == 0 {
		return nil
	}
	t := b.table()
	// Names and types are given so that the driver does not ask for them with every block.
	ctx = clickhouse.Context(ctx, clickhouse.WithColumnNamesAndTypes(t.columns), clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0,
		// A fleet with wrong clocks, or a file of old events, spreads a block over many months: more parts, but no refusal.
		"max_partitions_per_insert_block": 0,
	}))
	batch, err := s.db.PrepareBatch(ctx, t.insert)
	if err != nil {
		return fmt.Errorf("store: insert into %s: %w", t.name, err)
	}
	defer batch.Close()
	for i, c := range b.columns() {
		if err := batch.Column(i).Append(c); err != nil {
			return fmt.Errorf("store: insert into %s: column %s: %w", t.name, t.columns[i].Name, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("store: insert %d rows into %s: %w", b.Rows(), t.name, err)
	}
	return nil
}
