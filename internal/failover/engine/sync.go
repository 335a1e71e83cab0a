package engine

import (
	"context"

	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// Synced is a sync that ran, with the stand-bys that could not be reached.
type Synced struct {
	Ended
	Unreachable map[string]error
}

// Sync copies the active's data to staging on every stand-by that can be reached.
// It stops nothing and writes to no stick.
func (c *Controller) Sync(ctx context.Context, r Request, w Watch) (Synced, error) {
	n, err := c.network(r.Network)
	if err != nil {
		return Synced{}, err
	}
	release, err := c.occupy(n.Name, "a sync")
	if err != nil {
		return Synced{}, err
	}
	defer release()
	if err := c.recover(ctx, n, w); err != nil {
		return Synced{}, err
	}
	p, gone, err := c.planSync(ctx, n)
	if err != nil {
		return Synced{Unreachable: gone}, err
	}
	p.Reason, p.Accept = r.Reason, r.AcceptChange
	ended, err := c.carryOut(ctx, n, p, w)
	return Synced{Ended: ended, Unreachable: gone}, err
}

// planSync looks whom the active's data could be copied to now, and who is out of reach.
func (c *Controller) planSync(ctx context.Context, n *Network) (plan.Plan, map[string]error, error) {
	in, err := c.look(ctx, n, "", false)
	if err != nil {
		return plan.Plan{}, nil, err
	}
	a := readiness.Assess(in).ForSync()
	if err := a.Refusal("sync"); err != nil {
		return plan.Plan{}, nil, err
	}
	targets, gone := reachable(in, a.Active)
	if len(targets) == 0 {
		return plan.Plan{}, gone, &network.RefusedError{What: "sync", Why: "no stand-by can be reached", Remedy: "make one reachable"}
	}
	return plan.Sync(n.Name, a.Active, targets), gone, nil
}

// PlanSync returns the plan that Sync would carry out now, with the exact remote
// commands. It changes nothing.
func (c *Controller) PlanSync(ctx context.Context, net string) (plan.Plan, []Explained, error) {
	return c.preview(ctx, net, "", func(ctx context.Context, n *Network, _ string) (plan.Plan, error) {
		p, _, err := c.planSync(ctx, n)
		return p, err
	})
}

func reachable(in readiness.Input, active string) ([]string, map[string]error) {
	var names []string
	gone := map[string]error{}
	for _, v := range in.Views {
		switch {
		case v.Name == active:
		case v.Err != nil:
			gone[v.Name] = v.Err
		default:
			names = append(names, v.Name)
		}
	}
	return names, gone
}
