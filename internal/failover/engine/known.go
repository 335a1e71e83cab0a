package engine

import (
	"errors"
	"fmt"
	"io"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/readiness"
)

// known is what is on disk about a network. A shelf that cannot be read must not keep
// anybody from acting; whoever only looks is told, see status.
func (c *Controller) known(n *Network) (readiness.Known, error) {
	rec, err := c.parts.Memory.Load(n.Name)
	if err != nil {
		return readiness.Known{}, err
	}
	newest, err := c.newest(n)
	if err != nil {
		c.parts.Log.Warn("the last copy cannot be read", "network", n.Name, "error", err)
	}
	return readiness.Known{Record: rec, Newest: newest, Holds: c.holds(rec), HostID: c.parts.HostID, AnyRevision: n.AnyRevision,
		Fencing: n.fencing()}, nil
}

// fencing is what readiness and coverage want to know of the fences.
func (n *Network) fencing() readiness.Fencing {
	f := readiness.Fencing{Fences: map[string][]string{}, ByPerson: n.ByPerson, Automatic: n.Policy.Automatic,
		AcceptRisk: n.Policy.AcceptRisk == decide.RiskWords}
	for node := range n.Fences {
		f.Fences[node] = n.fenceNames(node)
	}
	return f
}

// newest is the last accepted copy, zero when there is none.
func (c *Controller) newest(n *Network) (generation.Generation, error) {
	g, err := c.parts.Shelf.Latest(n.Name)
	if errors.Is(err, generation.ErrNone) {
		return generation.Generation{}, nil
	}
	return g, err
}

// holds tells the networks that the sticks on record hold. An image that cannot be read
// is told of in the log, and counts as not known.
func (c *Controller) holds(rec network.Record) map[string]zigbee.Identity {
	out := map[string]zigbee.Identity{}
	for node, stick := range rec.Sticks {
		if stick.Image == "" {
			continue
		}
		id, err := c.identity(stick.Image)
		if errors.Is(err, errHoldsNone) {
			continue
		}
		if err != nil {
			c.parts.Log.Warn("what a stick holds cannot be told", "network", rec.Network, "node", node, "error", err)
			continue
		}
		out[node] = id
	}
	return out
}

// errHoldsNone is a stick's memory without a network, as a new stick has it.
var errHoldsNone = errors.New("it holds no network that Zigbee2MQTT could go on with")

// identity is that of an image on the shelf, or wraps errHoldsNone.
func (c *Controller) identity(blob string) (zigbee.Identity, error) {
	img, err := c.shared(blob)
	if err != nil {
		return zigbee.Identity{}, err
	}
	if err := img.Resumable(); err != nil {
		return zigbee.Identity{}, fmt.Errorf("%w: %w", errHoldsNone, err)
	}
	return img.Identity()
}

// image reads a stick's image from the shelf; it is the caller's.
func (c *Controller) image(blob string) (*nvimage.Image, error) {
	img, err := c.shared(blob)
	if err != nil {
		return nil, err
	}
	return img.Clone(), nil
}

// keptImages is how many images are remembered: some for each node.
const keptImages = 16

// shared is an image on the shelf, which never changes there, so it is read once.
func (c *Controller) shared(blob string) (*nvimage.Image, error) {
	c.mu.Lock()
	img, read := c.images[blob]
	c.mu.Unlock()
	if read {
		return img, nil
	}
	raw, err := c.blob(blob)
	if err != nil {
		return nil, fmt.Errorf("read a stick's image: %w", err)
	}
	if img, err = nvimage.Parse(raw); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.images) >= keptImages {
		clear(c.images)
	}
	c.images[blob] = img
	return img, nil
}

// blob reads a content from the shelf, which has checked its hash.
func (c *Controller) blob(hash string) ([]byte, error) {
	r, err := c.parts.Shelf.Open(hash)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}
