package shelf

import (
	"errors"
	"fmt"

	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
)

// Accept marks a refused generation as right, on the word of by, and returns it as it
// is now: usable. A *network.RefusedError says that it was not refused, that it could
// not be started from, or that a newer one is in use already.
func (s *Shelf) Accept(net string, n int, by string) (generation.Generation, error) {
	return s.change(net, n, func(g *generation.Generation) error {
		if err := s.acceptable(*g); err != nil {
			return err
		}
		g.Accepted = &generation.Accepted{By: by, At: s.now().UTC()}
		return nil
	})
}

func (s *Shelf) acceptable(g generation.Generation) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: fmt.Sprintf("accept generation %d of %s", g.Number, g.Network), Why: why, Remedy: remedy}
	}
	switch {
	case g.Accepted != nil:
		return refuse("it was accepted before, by "+g.Accepted.By, "")
	case len(g.Refused) == 0:
		return refuse("it was not refused", "")
	case !g.Whole():
		return refuse("it is no whole data directory, so Zigbee2MQTT could not start from it", "")
	}
	latest, err := s.Latest(g.Network)
	if errors.Is(err, generation.ErrNone) {
		return nil
	}
	if err == nil && g.Number < latest.Number {
		return refuse(fmt.Sprintf("generation %d is newer and good", latest.Number), "restore it instead, if the older one is what you want")
	}
	return err
}

// Pin keeps a generation from being removed by Prune.
func (s *Shelf) Pin(net string, n int) (generation.Generation, error) {
	return s.pin(net, n, true)
}

// Unpin takes that back.
func (s *Shelf) Unpin(net string, n int) (generation.Generation, error) {
	return s.pin(net, n, false)
}

func (s *Shelf) pin(net string, n int, on bool) (generation.Generation, error) {
	return s.change(net, n, func(g *generation.Generation) error { g.Pinned = on; return nil })
}

// change rewrites what is said about a generation; its content stays.
func (s *Shelf) change(net string, n int, do func(*generation.Generation) error) (g generation.Generation, err error) {
	err = s.alone(func() error {
		if g, err = s.Get(net, n); err != nil {
			return err
		}
		if err := do(&g); err != nil {
			return err
		}
		return s.write(g)
	})
	return g, err
}
