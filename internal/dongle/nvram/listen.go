package nvram

import (
	"context"
	"fmt"
	"slices"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// Heard is what a parked stick heard on the channel of a network.
type Heard struct {
	Coordinator bool             // 0x0000 of the network answered: somebody is on air
	Neighbours  []zigbee.NwkAddr // routers of the network that answered
	Others      int              // beacons of other networks
	State       string           // HOLD, read back at the end
}

// listenScans is how often is asked who is there: a beacon may get lost.
const listenScans = 3

// Listen has a stick in HOLD ask who is on air on the channel of the network, without
// joining. A network is known by its extended PAN id: the short one may change, and a
// neighbour's may be the same by chance. It ends with the stick in HOLD, read back, and
// resets it if that is what it takes.
func Listen(ctx context.Context, c *znp.Client, who zigbee.Identity) (Heard, error) {
	if _, err := held(ctx, c); err != nil {
		return Heard{}, err
	}
	heard, scanErr := scan(ctx, c, who)
	s, err := Park(ctx, c)
	if err != nil {
		return Heard{}, fmt.Errorf("after it has listened: %w", err)
	}
	heard.State = s.State
	if heard.Coordinator { // which nothing that failed afterwards makes untrue
		scanErr = nil
	}
	return heard, scanErr
}

func scan(ctx context.Context, c *znp.Client, who zigbee.Identity) (h Heard, err error) {
	for range listenScans {
		beacons, err := c.Discover(ctx, who.Channel)
		if err != nil {
			return h, err
		}
		h.add(beacons, who)
	}
	slices.Sort(h.Neighbours)
	return h, nil
}

func (h *Heard) add(beacons []znp.Beacon, who zigbee.Identity) {
	for _, b := range beacons {
		switch {
		case b.ExtPanID != who.ExtPanID:
			h.Others++
		case b.Source == 0:
			h.Coordinator = true
		case !slices.Contains(h.Neighbours, b.Source):
			h.Neighbours = append(h.Neighbours, b.Source)
		}
	}
}
