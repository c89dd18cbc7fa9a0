package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lushao/detect"
	"lushao/ingest"
	"lushao/ingest/jt808"
)

// Three lorries go round two stations. At one of them a plate could not be read then: its record, which came through the door, speaks for
// lorries of every partition. The one that went round the other is accused, until such a record comes late from there.
func TestEvasionEndToEnd(t *testing.T) {
	dir := t.TempDir()
	c := testConfig(dir)
	// The first two of different partitions.
	var lorries []ingest.Vehicle
	for n := 10000; len(lorries) < 3; n++ {
		v, err := ingest.NewVehicle(fmt.Sprint("晋E", n), 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(lorries) != 1 || v.Partition(c.Topics.Partitions) != lorries[0].Partition(c.Topics.Partitions) {
			lorries = append(lorries, v)
		}
	}
	register := "plate,color,class\n"
	for _, v := range lorries {
		register += v.Plate() + ",2,heavy_truck\n"
	}
	fence := func(id, kind, station string, lon float64) string {
		return fmt.Sprintf(`{"type":"Feature","properties":{"id":%q,"kind":%q,"station":%q,"radius_m":500},"geometry":{"type":"Point","coordinates":[%v,35.5]}}`, id, kind, station, lon)
	}
	for name, text := range map[string]string{"vehicles.csv": register, "stations.csv": "id,name\nS001,北石店\nS002,巴公\n",
		"fences.geojson": `{"type":"FeatureCollection","features":[` + strings.Join([]string{fence("A1", "approach", "S001", 112.80), fence("B1", "bypass", "S001", 112.83),
			fence("A2", "approach", "S002", 112.90), fence("B2", "bypass", "S002", 112.93)}, ",") + "]}"} {
		if err := os.MkdirAll(c.Reference.Dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.Reference.Dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := startApp(t, c)
	base := "http://" + a.http.Addr().String()
	begin := time.Now().Add(-50 * time.Minute).Truncate(time.Second)

	unread := func(station, record, plate string) string {
		req, err := http.NewRequest(http.MethodPost, base+"/v1/weighings", strings.NewReader(fmt.Sprintf(
			`{"plate":%q,"time":%q,"station":%q,"record":%q,"gross_kg":20000}`, plate, begin.Add(20*time.Minute).Format(time.RFC3339), station, record)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+weighToken(t, dir))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct{ Taken, Duplicate int }
		decodeAnswer(t, res, &answer)
		return fmt.Sprint(answer)
	}
	for i, want := range []string{"{1 0}", "{0 1}"} {
		if got := unread("S001", "U1", [2]string{"", "无牌"}[i]); got != want {
			t.Errorf("the door answers %s, want %s", got, want)
		}
	}

	var drivers []*driver
	move := func(d *driver, at time.Duration, lon float64) {
		l := jt808.Location{Status: jt808.StatusACC | jt808.StatusLocated, Speed: 300, Time: jt808.TimeOf(begin.Add(at).UnixMilli())}
		l.SetCoordinates(35_500_000, int32(lon*1e6))
		d.send(jt808.IDLocation, &l)
		var ack jt808.Ack
		d.next(jt808.IDPlatformAck, &ack)
	}
	for i, v := range lorries {
		nc, err := net.Dial("tcp", a.gateway.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		phone, _ := jt808.ParsePhone(fmt.Sprint("1391234567", i), jt808.Edition2019)
		d := &driver{t: t, nc: nc, phone: phone}
		d.send(jt808.IDRegister, &jt808.Register{Maker: "HF001", Model: "TX-100", TerminalID: jt808.GBK(fmt.Sprint("A10203", i)), Color: 2, Plate: jt808.GBK(v.Plate())})
		var registered jt808.RegisterReply
		d.next(jt808.IDRegisterReply, &registered)
		d.send(jt808.IDAuthenticate, &jt808.Authenticate{AuthCode: registered.AuthCode, IMEI: "861234050099317", Software: "V2"})
		west := [3]float64{112.80, 112.80, 112.90}[i]
		for k, lon := range []float64{west, west + 0.003, west + 0.03, west + 0.033, west + 0.04} {
			move(d, time.Duration(k*4)*time.Minute, lon)
		}
		drivers = append(drivers, d)
	}
	list := func(state string) (plates string) {
		var page struct{ Violations []detect.Violation }
		get(t, base+"/v1/violations?kind=weigh_evasion&state="+state, &page)
		for _, v := range page.Violations {
			plates += v.Plate + " " + *v.Fence + " "
		}
		return strings.TrimSpace(plates)
	}
	for i, d := range drivers { // the next report moves the clock of the partition
		move(d, 40*time.Minute, [3]float64{112.85, 112.85, 112.95}[i])
	}
	accused := lorries[2].Plate() + " B2"
	await(t, "the one who went round the other station is found", func() bool { return list("closed") != "" })
	caughtUp(t, a.cfg.Bus.Brokers)
	if got := list("closed"); got != accused {
		t.Errorf("found %s, want %s", got, accused)
	}
	for _, v := range lorries {
		events, err := a.store.VehicleEvents(t.Context(), v, begin.UnixMilli(), begin.Add(time.Hour).UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range events {
			if events[i].Event.Unread() {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %d unread records in the archive, want 1", v, n)
		}
	}

	if got := unread("S002", "U2", "未识别"); got != "{1 0}" {
		t.Errorf("the door answers %s", got)
	}
	await(t, "it is taken back", func() bool { return list("retracted") == accused })
	if got := list("closed,open"); got != "" {
		t.Errorf("still accused: %s", got)
	}
}
