package relay

import (
	"context"
	"errors"
	"fmt"

	"lushao/ingest"
	"lushao/ingest/jt809"
	"lushao/ingest/platform/superior"
)

// VehicleAsker asks the inferior platform that a vehicle came from: *superior.Superior.
type VehicleAsker interface {
	DoVehicle(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (jt809.Body, jt809.MessageID, error)
}

var _ VehicleAsker = (*superior.Superior)(nil)

// Below makes Platforms of our role as a superior platform.
func Below(s VehicleAsker) Platforms { return belowUs{s} }

type belowUs struct{ VehicleAsker }

func (b belowUs) Do(ctx context.Context, v ingest.Vehicle, id jt809.MessageID, ed jt809.Edition, m jt809.Body) (jt809.Body, jt809.MessageID, error) {
	answer, answerID, err := b.DoVehicle(ctx, v, id, ed, m)
	for from, to := range map[error]error{superior.ErrUnknown: ErrUnknownVehicle, superior.ErrNoAnswer: ErrTimeout, superior.ErrBusy: ErrBusy} {
		if errors.Is(err, from) {
			return nil, 0, fmt.Errorf("%w: %w", to, err)
		}
	}
	return answer, answerID, err
}
