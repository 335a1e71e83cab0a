package engine

import (
	"context"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Seed restarts the active once, reads its stick whole meanwhile, and loads the sticks of
// the stand-bys with it.
func (c *Controller) Seed(ctx context.Context, r Request, w Watch) (Ended, error) {
	return c.oneNode(ctx, r, w, func(ctx context.Context, n *Network, _ string) (plan.Plan, error) { return c.planSeed(ctx, n) })
}

// PlanSeed returns the plan that Seed would carry out now.
func (c *Controller) PlanSeed(ctx context.Context, net string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, "", func(ctx context.Context, n *Network, _ string) (plan.Plan, error) { return c.planSeed(ctx, n) })
}

func (c *Controller) planSeed(ctx context.Context, n *Network) (plan.Plan, error) {
	active, others, err := c.activeWithSilentOthers(ctx, n, "seed")
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.Seed(n.Name, active, others, n.Timing), nil
}

// activeWithSilentOthers is the active, when all others can be looked at: whoever
// restarts it must first prove them silent.
func (c *Controller) activeWithSilentOthers(ctx context.Context, n *Network, what string) (active string, others []string, err error) {
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return "", nil, err
	}
	a := readiness.Assess(in)
	if err := a.Refusal(what); err != nil {
		return "", nil, err
	}
	if a.Active == "" {
		return "", nil, &network.RefusedError{What: what, Why: "nobody is active", Remedy: "start the node that was active last: z2mha start"}
	}
	return a.Active, n.without(a.Active), nil
}
