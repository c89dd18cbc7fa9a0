package chengine

import (
	"regexp"
	"strings"
)

// What kind of statement a text is decides by which of the library's ways it runs. This is no parser: what it does not recognise runs
// the plain way, and the engine judges.
var (
	lead          = `^(?:\s|\(|/\*(?s:.*?)\*/|--[^\n]*(?:\n|$))*`
	selectPattern = regexp.MustCompile(`(?i)` + lead + `(?:SELECT|WITH)\b`)
	insertPattern = regexp.MustCompile(`(?i)` + lead + `INSERT\b`)
	// sessionPattern: statements whose effect would stay in the session, which a server drops at the end of the request.
	sessionPattern = regexp.MustCompile(`(?i)` + lead + `(?:SET|USE|BEGIN|START|COMMIT|ROLLBACK|(?:CREATE|DROP|ATTACH|DETACH)\s+(?:OR\s+REPLACE\s+)?TEMPORARY)\b`)
	formatPattern  = regexp.MustCompile(`(?is)\s+FORMAT\s+(\w+)\s*;?\s*$`)
	// inlinePattern: INSERT INTO t [(columns)] [SETTINGS …] FORMAT name data.
	inlinePattern = regexp.MustCompile(`(?is)` + lead + `INSERT\s+INTO\s+(?:TABLE\s+)?[\w."` + "`" + `]+\s*(?:\([^()']*\)\s*)?(?:SETTINGS\s+[^']*?\s)?FORMAT\s+(\w+)[ \t\r]*\n?`)
	// helloPattern is the first question of clickhouse-go over HTTP.
	helloPattern = regexp.MustCompile(`(?i)^\s*SELECT\s+displayName\(\),\s*version\(\),\s*revision\(\),\s*timezone\(\)\s*$`)
)

func statementKind(text string) string {
	switch {
	case selectPattern.MatchString(text):
		return kindSelect
	case insertPattern.MatchString(text):
		return kindInsert
	}
	return kindOther
}

// spoils reports whether the statement may leave something in its session. A semicolon in the middle may join two statements; where it
// stands in a text, a session too many is made.
func spoils(text string) bool {
	return sessionPattern.MatchString(text) || strings.Contains(strings.TrimRight(text, "; \t\r\n"), ";")
}

// splitFormat cuts the FORMAT clause off an INSERT whose data come apart from it: the library takes the format by itself.
func splitFormat(insert string) (statement, format string) {
	if m := formatPattern.FindStringSubmatchIndex(insert); m != nil {
		return insert[:m[0]], insert[m[2]:m[3]]
	}
	return insert, ""
}

// splitInline takes an INSERT apart that carries its data behind FORMAT. The plain way would cut binary data.
func splitInline(text string) (statement, data string, ok bool) {
	m := inlinePattern.FindStringSubmatchIndex(text)
	if m == nil || strings.EqualFold(text[m[2]:m[3]], "Values") || m[1] == len(text) {
		return "", "", false
	}
	return text[:m[3]], text[m[1]:], true
}
