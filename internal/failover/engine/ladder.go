package engine

import (
	"context"

	"z2mha/internal/failover/decide"
)

// A Fence takes a node's radio away by something that does not depend on the node.
type Fence interface {
	// String says in words what it is: "the plug switch.attic of Home Assistant".
	String() string
	// Rung is its place on the ladder: decide.RungPower.
	Rung() decide.Rung
	// Cut returns without an error only when its own confirmation says that the power is
	// gone, with what that was in words. It is idempotent.
	Cut(ctx context.Context) (evidence string, err error)
	// Check finds out, changing nothing, whether it could cut now.
	Check(ctx context.Context) error
}
