package store

import (
	"fmt"
	"strings"

	clickhouse "github.com/ClickHouse/clickhouse-go/v2"
)

// conditions gathers a WHERE clause. The text is ours alone; values go as parameters and never into the text.
type conditions struct {
	text   []string
	params []any
}

// param takes a value and returns the placeholder that stands for it.
func (c *conditions) param(typ string, value any) string {
	name := fmt.Sprintf("p%d", len(c.params))
	c.params = append(c.params, clickhouse.Named(name, value))
	return "{" + name + ":" + typ + "}"
}

func (c *conditions) compare(left, operator, typ string, value any) {
	c.text = append(c.text, left+" "+operator+" "+c.param(typ, value))
}

// equal asks for a column to have a value, if there is one.
func (c *conditions) equal(column, value string) {
	if value != "" {
		c.compare(column, "=", "String", value)
	}
}

// in asks for a column to have one of some values, if there are any.
func (c *conditions) in(column string, values []string) {
	if len(values) > 0 {
		c.compare(column, "IN", "Array(String)", values)
	}
}

// instant is a placeholder for Unix ms as a DateTime64(3).
func (c *conditions) instant(ms int64) string {
	return "fromUnixTimestamp64Milli(" + c.param("Int64", min(max(ms, minTime), maxTime)) + ", 'UTC')"
}

// time compares a DateTime64(3) column with Unix ms.
func (c *conditions) time(column, operator string, ms int64) {
	c.text = append(c.text, column+" "+operator+" "+c.instant(ms))
}

// after asks for what comes after a row in a list: by time (operator < or >), then by key upwards.
func (c *conditions) after(column, operator string, ms int64, key, typ string, value any) {
	at := c.instant(ms)
	c.text = append(c.text, "("+column+" "+operator+" "+at+" OR ("+column+" = "+at+" AND "+key+" > "+c.param(typ, value)+"))")
}

func (c *conditions) where() string {
	if len(c.text) == 0 {
		return ""
	}
	return " WHERE" + c.and()
}

// and is all conditions, without a word before.
func (c *conditions) and() string { return " " + strings.Join(c.text, " AND ") }
