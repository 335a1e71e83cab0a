package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
)

// Unplug takes the stick's USB device away from the host. A lost connection does not stop
// it; the node comes back and asks again, which finds it done.
func (n *Node) Unplug(ctx context.Context) (network.Unplugged, error) {
	u, err := n.stick.unplug(ctx)
	return u, n.wrap("unplug the stick", err)
}

// Replug gives it back.
func (n *Node) Replug(ctx context.Context) error {
	return n.wrap("plug the stick in again", n.stick.replug(ctx))
}

// Listen has a stick in HOLD ask who is on air in the network.
func (n *Node) Listen(ctx context.Context, who zigbee.Identity) (network.Heard, error) {
	if who.ExtPanID == 0 || who.Channel == 0 {
		return network.Heard{}, n.wrap("listen", errors.New("it is not known which network to listen for"))
	}
	h, err := n.stick.listen(ctx, who)
	return h, n.wrap("listen", err)
}

func (s hostStick) unplug(ctx context.Context) (network.Unplugged, error) {
	r, err := callAgain[helperapi.AwayResult](ctx, s.n, s.n.unplugCall())
	if e, ok := errors.AsType[*helperapi.Error](err); ok && e.Exit == helperapi.ExitRefused {
		err = &network.RefusedError{What: "unplug", Why: e.Message, Remedy: "pull it by hand, or cut its power"}
	}
	if err == nil && !r.Away {
		err = fmt.Errorf("USB device %s is not away", r.Device)
	}
	if err != nil {
		return network.Unplugged{}, err
	}
	return network.Unplugged{Device: r.Device, Stick: strings.TrimSpace(r.USB.Manufacturer + " " + r.USB.Product + " " + r.USB.Serial)}, nil
}

func (s hostStick) replug(ctx context.Context) error {
	_, err := callAgain[helperapi.AwayResult](ctx, s.n, s.n.replugCall())
	return err
}

func (s hostStick) listen(ctx context.Context, who zigbee.Identity) (network.Heard, error) {
	r, err := callOnce[helperapi.HeardResult](ctx, s.n, s.n.listenCall(who))
	if err == nil && r.State != helperapi.StateHold {
		err = fmt.Errorf("the stick is in state %s", r.State)
	}
	return network.Heard(r), err
}

func (s netStick) unplug(context.Context) (network.Unplugged, error) {
	return network.Unplugged{}, &network.RefusedError{What: "unplug", Why: s.n.cfg.Dongle + " is a coordinator in the network, no USB device",
		Remedy: "cut its power"}
}

func (netStick) replug(context.Context) error { return nil }

func (s netStick) listen(ctx context.Context, who zigbee.Identity) (heard network.Heard, err error) {
	err = s.with(ctx, func(ctx context.Context, c *znp.Client) error {
		h, err := nvram.Listen(ctx, c, who)
		heard = network.Heard(h)
		return err
	})
	return heard, err
}

func (n *Node) unplugCall() call {
	args := helperapi.AwayArgs{Port: n.cfg.Dongle, Keep: n.kept()}
	return call{argv: args.UnplugArgv(), timeout: n.cfg.Timeouts.Look}
}

func (n *Node) replugCall() call {
	args := helperapi.AwayArgs{Port: n.cfg.Dongle, Keep: n.kept()}
	return call{argv: args.ReplugArgv(), timeout: n.cfg.Timeouts.Look}
}

func (n *Node) listenCall(who zigbee.Identity) call {
	args := helperapi.ListenArgs{Port: n.cfg.Dongle, Channel: who.Channel, ExtPanID: who.ExtPanID}
	return call{argv: args.Argv(), timeout: n.cfg.Timeouts.Silence}
}

// explainListen has words for what is known only when the network is.
func (n *Node) explainListen() []string {
	c := n.listenCall(zigbee.Identity{})
	for i := 1; i < len(c.argv); i++ {
		switch c.argv[i-1] {
		case "--channel":
			c.argv[i] = channelWord
		case "--ext-pan-id":
			c.argv[i] = networkWord
		}
	}
	return n.lines(n.ofHelper(c))
}
