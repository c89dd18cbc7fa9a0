package inferior

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// solve answers the sum of an inspection, such as "17加25等于多少？", "3+4×2=?", "12除以4". ok is false where the text holds
// no sum, or one without an exact whole answer: then nobody would know how it is meant.
//
// Multiplication and division go first. Digits may be full-width or Chinese up to 99 (二十五).
func solve(question string) (answer string, ok bool) {
	tokens := sumTokens(question)
	best := tokens[:0]
	for i := 0; i < len(tokens); i++ { // the longest run number (operator number)+
		if tokens[i].op != 0 {
			continue
		}
		j := i + 1
		for j+1 < len(tokens) && tokens[j].op != 0 && tokens[j].op != '?' && tokens[j+1].op == 0 {
			j += 2
		}
		if j-i > len(best) {
			best = tokens[i:j]
		}
	}
	if len(best) < 3 {
		return "", false
	}
	sum, term, sign := int64(0), best[0].n, int64(1)
	for i := 1; i < len(best); i += 2 {
		n := best[i+1].n
		switch best[i].op {
		case '*':
			if term != 0 && n > maxSum/abs(term) {
				return "", false
			}
			term *= n
		case '/':
			if n == 0 || term%n != 0 {
				return "", false
			}
			term /= n
		default:
			sum, term, sign = sum+sign*term, n, 1
			if best[i].op == '-' {
				sign = -1
			}
		}
	}
	return strconv.FormatInt(sum+sign*term, 10), true
}

// maxSum bounds numbers and products, far from any overflow.
const maxSum = 1_000_000_000_000

func abs(n int64) int64 { return max(n, -n) }

// sumToken is a number, or an operator; '?' breaks a sum.
type sumToken struct {
	op byte
	n  int64
}

// sumOperators are the words for operators; a longer one stands before its beginning.
var sumOperators = []struct {
	text string
	op   byte
}{{"加上", '+'}, {"减去", '-'}, {"乘以", '*'}, {"乘上", '*'}, {"除以", '/'}, {"加", '+'}, {"减", '-'}, {"乘", '*'}, {"除", '/'},
	{"+", '+'}, {"＋", '+'}, {"-", '-'}, {"－", '-'}, {"−", '-'}, {"–", '-'}, {"*", '*'}, {"×", '*'}, {"＊", '*'}, {"x", '*'}, {"X", '*'},
	{"/", '/'}, {"÷", '/'}, {"／", '/'}}

func sumTokens(s string) (tokens []sumToken) {
	for len(s) > 0 {
		if n, rest, ok := sumNumber(s); ok {
			t := sumToken{n: n}
			if n > maxSum {
				t.op = '?'
			}
			tokens, s = append(tokens, t), rest
			continue
		}
		if op, rest, ok := sumOperator(s); ok {
			tokens, s = append(tokens, sumToken{op: op}), rest
			continue
		}
		r, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		if !unicode.IsSpace(r) {
			tokens = append(tokens, sumToken{op: '?'})
		}
	}
	return tokens
}

func sumOperator(s string) (op byte, rest string, ok bool) {
	for _, o := range sumOperators {
		if rest, ok := strings.CutPrefix(s, o.text); ok {
			return o.op, rest, true
		}
	}
	return 0, s, false
}

var chineseDigits = map[rune]int64{'零': 0, '〇': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9}

// sumNumber reads a number at the beginning of s; one over maxSum is as good as any other.
func sumNumber(s string) (n int64, rest string, ok bool) {
	used := 0
	for _, r := range s {
		if r >= '０' && r <= '９' {
			r += '0' - '０'
		} else if r > '9' || r < '0' {
			break
		}
		n = min(n*10+int64(r-'0'), maxSum+1)
		if used += 1; s[used-1] >= 0x80 {
			used += 2
		}
		ok = true
	}
	if ok {
		return n, s[used:], true
	}
	// 三, 十, 十五, 二十, 二十五
	seen, tens := int64(-1), false
	for i, r := range s {
		d, digit := chineseDigits[r]
		switch {
		case r == '十' && !tens:
			n, seen, tens = 10*max(seen, 1), -1, true
			if seen == 0 {
				return 0, s, false
			}
		case digit && seen < 0:
			seen = d
		default:
			if i == 0 {
				return 0, s, false
			}
			return n + max(seen, 0), s[i:], true
		}
	}
	return n + max(seen, 0), "", len(s) > 0
}
