package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"lushao/detect"
)

func visitJSON(id, plate string, entered int64, change ...string) string {
	at, _ := json.Marshal(detect.Time(entered))
	s := fmt.Sprintf(`{"id":%q,"version":1,"state":"open","plate":%q,"color":2,"class":"hazmat","operator":"O1","region":"430602","fence":"J1","jurisdiction":"430603","filing":null,"entered":%s,"left":null}`, id, plate, at)
	return strings.NewReplacer(change...).Replace(s)
}

func (s *Store) addVisits(t testing.TB, list ...string) {
	t.Helper()
	var b VisitBlock
	for i, v := range list {
		must(t, b.Add([]byte(v), base, Place{Offset: int64(i)}))
	}
	must(t, s.Insert(t.Context(), &b))
}

func TestVisits(t *testing.T) {
	s := newStore(t)
	list := func(f VisitFilter) string {
		t.Helper()
		f.Limit = max(f.Limit, 100)
		p, err := s.ListVisits(t.Context(), f)
		must(t, err)
		var out []string
		for _, v := range p.Visits {
			out = append(out, v.ID)
		}
		return strings.Join(out, " ")
	}
	if got := list(VisitFilter{}); got != "" {
		t.Errorf("nothing was added: %q", got)
	}
	left, _ := json.Marshal(detect.Time(base + 3600_000))
	s.addVisits(t,
		visitJSON("a", "湘F00001", base),
		visitJSON("a", "湘F00001", base, `"version":1`, `"version":2`, `"left":null`, `"left":`+string(left), `"open"`, `"closed"`),
		visitJSON("b", "湘F00002", base+60_000, `"filing":null`, `"filing":"B-1"`),
		visitJSON("c", "晋E00003", base+7200_000, `"430602"`, `"140502"`, `"J1"`, `"J2"`, `"O1"`, `"O2"`),
		visitJSON("d", "晋E00004", base, `"open"`, `"retracted"`))
	yes, no := true, false
	for _, c := range []struct {
		f    VisitFilter
		want string
	}{
		{VisitFilter{}, "c b a"},
		{VisitFilter{Plate: "湘F00001"}, "a"},
		{VisitFilter{Region: "430600"}, "b a"},
		{VisitFilter{Region: "140000"}, "c"},
		{VisitFilter{Jurisdiction: "430000", Fence: "J2"}, "c"},
		{VisitFilter{Operator: "O2"}, "c"},
		{VisitFilter{Filed: &yes}, "b"},
		{VisitFilter{Filed: &no}, "c a"},
		{VisitFilter{Inside: &yes}, "c b"},
		{VisitFilter{Inside: &no}, "a"},
		{VisitFilter{From: base + 3600_001}, "c b"},
		{VisitFilter{From: base + 3600_000, To: base + 7200_000}, "b a"},
	} {
		if got := list(c.f); got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
	var paged []string
	f := VisitFilter{Limit: 1}
	for {
		p, err := s.ListVisits(t.Context(), f)
		must(t, err)
		for _, v := range p.Visits {
			paged = append(paged, v.ID)
		}
		if f.Cursor = p.Next; f.Cursor == "" {
			break
		}
	}
	if got := strings.Join(paged, " "); got != "c b a" {
		t.Errorf("page by page: %q", got)
	}
	if _, err := s.ListVisits(t.Context(), VisitFilter{Limit: 1, Plate: "x", Cursor: "rubbish"}); !errors.Is(err, ErrCursor) {
		t.Errorf("a foreign cursor: %v", err)
	}
	v, err := s.Visit(t.Context(), "a")
	must(t, err)
	if v.Version != 2 || v.Left == nil || int64(*v.Left) != base+3600_000 {
		t.Errorf("got %s", v.JSON)
	}
	if _, err := s.Visit(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
