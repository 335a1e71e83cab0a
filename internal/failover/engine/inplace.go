package engine

import (
	"context"
	"fmt"
	"strings"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Repair restarts the active node in place, stick included: r.To, or whichever is on
// record. When it does not work again it ends silent. A stick that answers to no reset is
// a *MuteError.
func (c *Controller) Repair(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, c.planRepair)
}

// PlanRepair returns the plan that Repair would carry out now, with the exact remote
// commands. It changes nothing; nor do PlanSilence and PlanReturn.
func (c *Controller) PlanRepair(ctx context.Context, net, node string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, node, c.planRepair)
}

// Silence ends r.To, which runs, or whose stick is on air, although another node is the
// active one on record and serves. That one goes on; it is restarted only when the other
// has used counters that are above its own.
func (c *Controller) Silence(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, c.planSilence)
}

// PlanSilence previews Silence.
func (c *Controller) PlanSilence(ctx context.Context, net, node string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, node, c.planSilence)
}

// Return makes r.To a stand-by of the node that is active on record and serves. It was
// active once, and may still run. What is on it is kept.
func (c *Controller) Return(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, c.planReturn)
}

// PlanReturn previews Return.
func (c *Controller) PlanReturn(ctx context.Context, net, node string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, node, c.planReturn)
}

func (c *Controller) planRepair(ctx context.Context, n *Network, node string) (plan.Plan, error) {
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return plan.Plan{}, err
	}
	if node == "" {
		node = in.Recorded
	}
	if err := mayRepair(ctx, n, in, node); err != nil {
		return plan.Plan{}, err
	}
	return plan.Repair(n.Name, node, n.without(node), n.Timing), nil
}

// mayRepair is about who, before anything is touched.
func mayRepair(ctx context.Context, n *Network, in readiness.Input, node string) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: string(plan.KindRepair), Why: why, Remedy: remedy}
	}
	switch {
	case in.Recorded == "":
		return refuse("it is not on record which node is active", "restart Zigbee2MQTT by hand on the node whose devices are paired")
	case node != in.Recorded:
		return refuse(fmt.Sprintf("%s is the active node on record, not %s", in.Recorded, node), "repair "+in.Recorded)
	}
	if _, err := n.node(node); err != nil {
		return err
	}
	for _, v := range in.Views {
		switch {
		case v.Name != node:
		case v.Err != nil:
			return refuse(v.Err.Error(), fmt.Sprintf("make %s reachable, or let a stand-by take over: z2mha failover", node))
		case v.Observed != nil && !v.Observed.TTYPresent && in.Record.Off[node].IsZero():
			return refuse(stickElsewhere(node), "plug it in, or let a stand-by take over: z2mha failover")
		}
	}
	if err := brokerAnswers(ctx, n, string(plan.KindRepair)); err != nil {
		return err
	}
	return othersRest(in, node, string(plan.KindRepair))
}

// brokerAnswers refuses what nobody could prove, and what nobody can tell to be needed.
func brokerAnswers(ctx context.Context, n *Network, what string) error {
	if _, err := n.Bridge.State(ctx); err != nil {
		return &network.RefusedError{What: what, Why: fmt.Sprintf("the broker cannot be reached (%v), so nobody can tell who serves the home", err),
			Remedy: "see that the broker runs, then look again"}
	}
	return nil
}

// othersRest refuses when another node than the speaker runs, or when one cannot be looked
// at whose stick was not proven silent, or was started since.
func othersRest(in readiness.Input, speaker, what string) error {
	for _, v := range in.Views {
		switch {
		case v.Name == speaker:
		case v.Err != nil && !mayStand(in.Record, v.Name):
			return &network.RefusedError{What: what, Why: fmt.Sprintf("%s cannot be looked at (%v), and its stick was not proven silent since it was started last", v.Name, v.Err),
				Remedy: fmt.Sprintf("make %s reachable, so that its stick can be proven silent", v.Name)}
		case v.Observed != nil && v.Observed.Runs() && !v.Observed.OnlyOurs():
			return &network.RefusedError{What: what, Why: fmt.Sprintf("%s is not stopped: %s", v.Name, v.Observed.WhyNotStopped()),
				Remedy: fmt.Sprintf("look at %s first; `z2mha stop %s` stops it", v.Name, v.Name)}
		}
	}
	return nil
}

func (c *Controller) planSilence(ctx context.Context, n *Network, node string) (plan.Plan, error) {
	return c.planBeside(ctx, n, node, plan.KindSilence, plan.Silence)
}

func (c *Controller) planReturn(ctx context.Context, n *Network, node string) (plan.Plan, error) {
	return c.planBeside(ctx, n, node, plan.KindReturn, plan.Return)
}

// planBeside plans what is done to a node while the active one serves.
func (c *Controller) planBeside(ctx context.Context, n *Network, node string, kind plan.Kind,
	make func(network, from, to string, others []string, t plan.Timing) plan.Plan) (plan.Plan, error) {
	in, err := c.look(ctx, n, "", true)
	if err != nil {
		return plan.Plan{}, err
	}
	if node == "" {
		if node, err = theOther(n, in.Recorded, string(kind)); err != nil {
			return plan.Plan{}, err
		}
	}
	if err := mayQuiet(ctx, n, in, node, kind); err != nil {
		return plan.Plan{}, err
	}
	if _, err := awaitWord(ctx, n, in.Recorded, node, kind); err != nil {
		return plan.Plan{}, err
	}
	p := make(n.Name, node, in.Recorded, n.without(node, in.Recorded), n.Timing)
	if kind == plan.KindSilence {
		p.Climb(n.fenceNames(node))
	}
	return p, nil
}

func theOther(n *Network, active, what string) (string, error) {
	if rest := n.without(active); active != "" && len(rest) == 1 {
		return rest[0], nil
	}
	return "", &network.RefusedError{What: what, Why: "no node was named", Remedy: "name one of " + strings.Join(n.without(active), ", ")}
}

// mayQuiet is about who, before anything is touched: the record names the one that goes
// on, and that one runs.
func mayQuiet(ctx context.Context, n *Network, in readiness.Input, node string, kind plan.Kind) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: string(kind), Why: why, Remedy: remedy}
	}
	x, err := n.node(node)
	if err != nil {
		return err
	}
	switch in.Recorded {
	case "":
		return refuse("it is not on record which node is active, so nobody can tell which one holds what the network is now",
			"stop the node that your devices do not answer: z2mha stop NODE")
	case node:
		return refuse(node+" is the active node on record", "name the node that is not to speak")
	}
	for _, v := range in.Views {
		if v.Name != node && v.Name != in.Recorded {
			continue
		}
		if v.Err != nil {
			return refuse(v.Err.Error(), "make "+v.Name+" reachable")
		}
		switch o := v.Observed; {
		case v.Name == in.Recorded && !o.Active():
			return refuse(fmt.Sprintf("%s is the active node on record and does not serve the home", v.Name),
				fmt.Sprintf("bring %s back first, or let a stand-by take over", v.Name))
		case v.Name == node && !o.TTYPresent && kind != plan.KindSilence && in.Record.Off[node].IsZero(): // whose ladder may cut its power
			return refuse(stickElsewhere(node), "plug it in, so that it can be proven silent")
		case v.Name == node && kind == plan.KindSilence && !o.Runs() && v.Stick != nil && v.Stick.Silent && !in.Record.Spoken[node]:
			return refuse(fmt.Sprintf("%s is silent already: its stick says %s", node, v.Stick.State), "there is nothing to do")
		case v.Name == node:
			if err := n.oneOfItsOwn(ctx, x, *o); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitWord waits for a fresh word of the active over MQTT. While two run, either may
// answer first. One without a mark counts unless the other one says that it has none.
func awaitWord(ctx context.Context, n *Network, active, second string, kind plan.Kind) (BridgeInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, bridgePatience)
	defer cancel()
	var heard string
	for {
		asking, stop := context.WithTimeout(ctx, refreshPatience)
		info, err := n.Bridge.Refresh(asking)
		stop()
		switch {
		case err == nil && (info.Node == active || info.Node == ""):
			return info, nil
		case err == nil:
			heard = fmt.Sprintf("the Zigbee2MQTT that answers says it is %s", info.Node)
		case heard == "":
			heard = err.Error()
		}
		if sleep(ctx, lookEvery) != nil {
			return info, &network.RefusedError{What: string(kind), Why: fmt.Sprintf("%s runs and was not heard on MQTT: %s", active, heard),
				Remedy: fmt.Sprintf("look at %s first: %s is only touched while it serves the home", active, second)}
		}
	}
}
