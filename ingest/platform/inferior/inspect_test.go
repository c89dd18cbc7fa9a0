package inferior

import "testing"

func TestSolve(t *testing.T) {
	for _, c := range []struct{ question, want string }{
		{"17加25等于多少？", "42"}, {"3+4×2=?", "11"}, {"12除以4", "3"}, {"10-3-2=", "5"}, {"请问：９＋１＝？", "10"}, {"二十五减十等于几", "15"},
		{"两加三", "5"}, {"十五乘以四是多少", "60"}, {"8/2/2", "2"}, {"2-5", "-3"}, {"问题7：6x7=?", "42"}, {"100 - 1", "99"}, {"5+6×0", "5"}, {"十二×3", "36"},
		{"", ""}, {"值班员姓名？", ""}, {"7除以2", ""}, {"5除以0", ""}, {"电话0871-", ""}, {"加", ""}, {"999999999999*999999999999", ""}, {"99999999999999999999+1", ""},
	} {
		got, ok := solve(c.question)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: %q %v, want %q", c.question, got, ok, c.want)
		}
	}
}

func FuzzSolve(f *testing.F) {
	f.Add("17加25等于多少？")
	f.Add("十十\xff一")
	f.Fuzz(func(t *testing.T, s string) { solve(s) })
}
