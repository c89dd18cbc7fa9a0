package relay

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/superior"
)

type asker struct{ err error }

func (a asker) DoVehicle(context.Context, ingest.Vehicle, jt809.MessageID, jt809.Edition, jt809.Body) (jt809.Body, jt809.MessageID, error) {
	if a.err != nil {
		return nil, 0, a.err
	}
	return &jt809.ControlReply{Result: 1}, jt809.IDMonitorCallReply, nil
}

func TestBelow(t *testing.T) {
	other := errors.New("cut off")
	for from, want := range map[error]error{nil: nil, superior.ErrUnknown: ErrUnknownVehicle, superior.ErrNoAnswer: ErrTimeout,
		fmt.Errorf("wrapped: %w", superior.ErrBusy): ErrBusy, other: other} {
		s := newSetup(func(d *Deps) { d.Platforms = Below(asker{from}) })
		answer, id, err := s.Do(context.Background(), below, jt809.IDMonitorCall, jt809.Edition2011, &jt809.MonitorCall{})
		if !errors.Is(err, want) || id != jt809.IDMonitorCallReply || answer.(*jt809.ControlReply).Result != 1 {
			t.Errorf("%v: %+v %v %v", from, answer, id, err)
		}
	}
	// Where no platform has reported the vehicle, its own terminal says that it has no video.
	s := newSetup(func(d *Deps) { d.Platforms = Below(asker{superior.ErrUnknown}) })
	answer, _, err := s.Do(context.Background(), here, jt809.IDVideoStart, jt809.Edition2011, &jt809.VideoStart{})
	if err != nil || answer.(*jt809.VideoStartReply).Result != jt809.VideoUnsupported {
		t.Errorf("%+v %v", answer, err)
	}
}
