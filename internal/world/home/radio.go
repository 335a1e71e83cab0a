package home

import (
	"context"
	"fmt"
	"os"
	"strings"

	"z2mha/internal/dongle/znpsim"
)

// startRadio puts devices and sticks on one medium. The attic's stick holds the
// network they have joined.
func (h *Home) startRadio(ctx context.Context, o Options) error {
	h.Medium = znpsim.NewMedium(znpsim.MediumOptions{Log: o.Log})
	var joined []znpsim.Joined
	for _, d := range devices {
		member := h.Medium.AddDevice(d.onRadio())
		joined = append(joined, member.Joined())
		if d.radio == znpsim.Lamp {
			h.Lamp = member
		}
	}
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
