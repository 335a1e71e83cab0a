package node

import (
	"context"
	"fmt"

	"z2mha/internal/failover/network"
)

// SetAutostart asks the service manager to start Zigbee2MQTT at boot, or not to.
// Where there is no way to ask it does nothing.
func (n *Node) SetAutostart(ctx context.Context, on bool) error {
	cmd, ok := n.service.Autostart(on)
	if !ok {
		return nil
	}
	cmd.Timeout = n.cfg.Timeouts.Look
	what := map[bool]string{true: "let Zigbee2MQTT start at boot", false: "keep Zigbee2MQTT from starting at boot"}[on]
	out, err := n.conn.Run(ctx, cmd)
	if err == nil && out.Exit != 0 {
		err = &network.RefusedError{What: "the service manager", Why: fmt.Sprintf("status %d: %s", out.Exit, out.Said())}
	}
	return n.wrap(what, err)
}
