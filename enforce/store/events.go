package store

import (
	"fmt"

	"lushao/ingest"
)

// EventBlocks holds a block for each kind of event. The zero value is ready.
type EventBlocks struct {
	Positions   PositionBlock
	Weighings   WeighingBlock
	DriverCards DriverCardBlock
	Waybills    WaybillBlock
	Safety      SafetyBlock
	Links       LinkBlock
}

// Add appends an event to the block of its kind; quality is used for positions. What can't be stored is an error that
// says why, and leaves the blocks as they were.
func (b *EventBlocks) Add(e *ingest.Event, quality string, at Place) error {
	if err := checkTime("time", e.Time); err != nil {
		return err
	}
	if err := checkTime("received", e.Received); err != nil {
		return err
	}
	switch e.Kind {
	case ingest.KindPosition:
		b.Positions.Add(e, quality, at)
	case ingest.KindWeighing:
		b.Weighings.Add(e, at)
	case ingest.KindDriverCard:
		b.DriverCards.Add(e, at)
	case ingest.KindWaybill:
		b.Waybills.Add(e, at)
	case ingest.KindSafety:
		b.Safety.Add(e, at)
	case ingest.KindLink:
		b.Links.Add(e, at)
	default:
		return fmt.Errorf("kind: %s has no table", e.Kind)
	}
	return nil
}

// All lists the blocks.
func (b *EventBlocks) All() []Block {
	return []Block{&b.Positions, &b.Weighings, &b.DriverCards, &b.Waybills, &b.Safety, &b.Links}
}
