package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znpsim"
)

// startRadio puts devices and sticks on one medium. The attic's stick holds the
// network they have joined.
func (h *Home) startRadio(ctx context.Context, o Options) error {
	h.Medium = znpsim.NewMedium(znpsim.MediumOptions{Log: o.Log})
	var joined []znpsim.Joined
	joined, h.Lamp = Inhabit(h.Medium)
	for _, n := range h.Nodes() {
		stick := znpsim.DongleOptions{Name: n.Name, Hardware: n.hardware, Medium: h.Medium, Log: o.Log}
		if n == h.Attic {
			stick.Image = znpsim.FormedImage(Identity, joined...)
		}
		if o.Stick != nil {
			o.Stick(n.Name, &stick)
		}
		if err := h.plugIn(ctx, n, stick); err != nil {
			return err
		}
	}
	return nil
}

// Inhabit puts the devices of the home on a medium, and returns what a stick that carries
// their network knows of them.
func Inhabit(m *znpsim.Medium) (joined []znpsim.Joined, lamp *znpsim.Device) {
	for _, d := range devices {
		member := m.AddDevice(d.onRadio())
		joined = append(joined, member.Joined())
		if d.radio == znpsim.Lamp {
			lamp = member
		}
	}
	return joined, lamp
}

func (h *Home) plugIn(ctx context.Context, n *Node, o znpsim.DongleOptions) error {
	if err := os.MkdirAll(n.Dir, 0o755); err != nil {
		return err
	}
	n.Dongle = znpsim.NewDongle(o)
	port, err := n.Dongle.OpenPTY(n.TTY)
	if err != nil {
		return err
	}
	h.work.Go(func() { h.failed(port.Serve(ctx)) })
	return nil
}

// OnAir names the sticks that are on air now; normally one, or "" for none.
func (h *Home) OnAir() string {
	var names []string
	for _, n := range h.Nodes() {
		if n.Dongle.State() == znpsim.StateCoordinator {
			names = append(names, n.Name)
		}
	}
	return strings.Join(names, " and ")
}

// Faults lists, in plain words, what the radio saw that must never happen. A
// sleeping child that came back by a secure rejoin is not among it.
func (h *Home) Faults() []string {
	r := h.Medium.Record()
	var out []string
	for _, o := range r.DualActive {
		out = append(out, fmt.Sprintf("%s and %s were coordinators of one network at once", o.Dongles[0], o.Dongles[1]))
	}
	for _, c := range r.CounterRegressions {
		out = append(out, fmt.Sprintf("%s began with frame counter %d after %d had been on air", c.Dongle, c.First, c.Highest))
	}
	for _, f := range r.Formed {
		out = append(out, fmt.Sprintf("%s formed a new network, PAN %s", f.Dongle, f.Identity.PanID))
	}
	if r.ReplaysDropped > 0 {
		out = append(out, fmt.Sprintf("devices dropped %d frames as replays", r.ReplaysDropped))
	}
	if r.Joins > 0 {
		out = append(out, fmt.Sprintf("%d devices had to be paired again", r.Joins))
	}
	return out
}

// Exchange is a person who pulls a node's stick out and plugs another one in, with that
// memory, into the same socket.
func (h *Home) Exchange(ctx context.Context, n *Node, memory *nvimage.Image) error {
	n.Dongle.Unplug()
	if err := awaitGone(ctx, n.TTY); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	h.exchanged = append(h.exchanged, cancel)
	return h.plugIn(ctx, n, znpsim.DongleOptions{Name: fmt.Sprintf("%s-%d", n.Name, len(h.exchanged)), Hardware: n.hardware, Medium: h.Medium, Image: memory})
}

// awaitGone waits until a pulled stick's device is gone.
func awaitGone(ctx context.Context, device string) error {
	for {
		if _, err := os.Lstat(device); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if pause(ctx, 10*time.Millisecond); ctx.Err() != nil {
			return fmt.Errorf("%s does not go: %w", device, ctx.Err())
		}
	}
}
