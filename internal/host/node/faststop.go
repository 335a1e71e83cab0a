package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
)

// fastBudget is how long the saving may take, when nobody says otherwise. Real
// Zigbee2MQTT needs some 0.3 s.
const fastBudget = 2 * time.Second

// StopFast ends Zigbee2MQTT as soon as it has saved, in one call of the helper, and
// looks. Whatever stands in its way makes it a StopService: nobody is killed who was not
// seen to have saved.
func (n *Node) StopFast(ctx context.Context, budget time.Duration) (network.FastStop, error) {
	orDefault(&budget, fastBudget)
	begun := time.Now()
	stop, err := n.stopFast(ctx, budget)
	stop.Took = time.Since(begun)
	return stop, n.wrap("stop Zigbee2MQTT fast", err)
}

func (n *Node) stopFast(ctx context.Context, budget time.Duration) (network.FastStop, error) {
	n.forgetTold()
	r, err := callAgain[helperapi.EndResult](ctx, n, n.endCall(newRun("end"), budget))
	stop := network.FastStop{
		Saved: r.Saved, SaveTook: time.Duration(r.SaveMS) * time.Millisecond,
		Killed: processes(r.Killed), How: howEnded(r),
	}
	if err == nil && (r.Gone || len(r.Killed) > 0) {
		o, err := n.pastTheBrief(ctx)
		if err == nil && o.Stopped() {
			stop.Seen = &o
			return stop, nil
		}
		if err == nil {
			stop.How += "; but " + o.WhyNotStopped()
		}
	}
	var refused *helperapi.Error
	if err != nil && !errors.As(err, &refused) {
		return stop, err
	}
	if refused != nil {
		stop.How = refused.Message
	}
	stop.How += "; waited for the normal stop"
	return stop, n.stopSlowly(ctx)
}

// brief is how long somebody may still use the data directory who only passes by, such as
// a program of the service manager's that is about to end.
const brief = time.Second

// pastTheBrief looks until nobody uses stick and data, or one who does has stayed.
func (n *Node) pastTheBrief(ctx context.Context) (network.Observation, error) {
	until := time.Now().Add(brief)
	for {
		o, err := n.observe(ctx, "")
		if err != nil || len(o.DataHolders) == 0 || len(o.TTYHolders) > 0 || time.Now().After(until) {
			return o, err
		}
		select {
		case <-ctx.Done():
			return o, nil
		case <-time.After(brief / 10):
		}
	}
}

// stopSlowly is the stop that keeps everything, and a look.
func (n *Node) stopSlowly(ctx context.Context) error {
	if err := n.StopService(ctx); err != nil {
		return err
	}
	o, err := n.observe(ctx, "")
	if err == nil && !o.Stopped() {
		err = errors.New(o.WhyNotStopped())
	}
	return err
}

func howEnded(r helperapi.EndResult) string {
	switch {
	case len(r.Killed) > 0:
		return fmt.Sprintf("saved after %d ms, then killed", r.SaveMS)
	case r.Gone && len(r.Found) > 0 && r.Saved:
		return fmt.Sprintf("saved after %d ms and ended by itself", r.SaveMS)
	case r.Gone && len(r.Found) > 0:
		return "it ended by itself, and was not seen to save"
	case r.Gone:
		return "it did not run"
	}
	return r.Why
}
