package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// Assignment is a share of a topic's partitions, for as long as its context lives.
type Assignment struct {
	Partitions []int
	// Commit stores the next offsets to read. It fails once the partitions belong to another member.
	Commit func(ctx context.Context, next map[int]int64) error
}

// Assign gives work its partitions and returns when ctx ends or work fails.
//
// With shared false all partitions are this process's, for good: there must be no other process of the same group. With
// shared true the group's members share them by Kafka's group protocol: work is called for each generation, its context
// ends when the partitions are taken away, and it must return soon then.
func (c *Client) Assign(ctx context.Context, group, topic string, shared bool, work func(ctx context.Context, a Assignment) error) error {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	if !shared {
		a := Assignment{Commit: func(ctx context.Context, next map[int]int64) error {
			return c.CommitOffsets(ctx, group, topic, next)
		}}
		for p := range n {
			a.Partitions = append(a.Partitions, p)
		}
		return work(ctx, a)
	}
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: c.cfg.Brokers, Topics: []string{c.name(topic)}, StartOffset: kafka.FirstOffset,
		Dialer:            &kafka.Dialer{ClientID: c.cfg.ClientID, Timeout: c.cfg.Timeout},
		SessionTimeout:    10 * time.Second,
		RebalanceTimeout:  10 * time.Second,
		HeartbeatInterval: 2 * time.Second,
		// A partition that is added is noticed, but the number is fixed by EnsureTopics.
		WatchPartitionChanges: true,
	})
	if err != nil {
		return fmt.Errorf("log: group %s: %w", group, err)
	}
	defer g.Close()
	for {
		gen, err := g.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if errors.Is(err, kafka.ErrGroupClosed) {
				return err
			}
			c.metrics.retries.Inc()
			c.log.Warn("joining the group failed, trying again", "group", group, "err", err)
			if !pause(ctx, time.Second) {
				return nil
			}
			continue
		}
		a := Assignment{Commit: func(_ context.Context, next map[int]int64) error {
			return gen.CommitOffsets(map[string]map[int]int64{c.name(topic): next})
		}}
		for _, p := range gen.Assignments[c.name(topic)] {
			a.Partitions = append(a.Partitions, p.ID)
		}
		c.log.Info("partitions assigned", "group", group, "generation", gen.ID, "partitions", a.Partitions)
		ended := make(chan error, 1)
		gen.Start(func(genCtx context.Context) {
			workCtx, cancel := context.WithCancel(ctx)
			defer cancel()
			stop := context.AfterFunc(genCtx, cancel)
			defer stop()
			ended <- work(workCtx, a)
		})
		if err := <-ended; err != nil && ctx.Err() == nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
