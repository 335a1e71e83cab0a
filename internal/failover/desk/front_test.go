package desk_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// A stand is a desk that knows one network and tells what it is told to.
type stand struct {
	name    string
	changed chan struct{}
	ears    []func(status.Event)
	left    int
}

func newStand(name string) *stand { return &stand{name: name, changed: make(chan struct{})} }

func (s *stand) Networks() []status.Network { return []status.Network{{Name: s.name}} }
func (s *stand) Look(string)                {}
func (s *stand) Changed() <-chan struct{}   { return s.changed }
func (s *stand) Preview(_ context.Context, r desk.Request) (desk.Preview, error) {
	return desk.Preview{Request: r}, nil
}
func (s *stand) Ask(context.Context, desk.Request) (string, error) { return s.name + "-run", nil }
func (s *stand) Listen(tell func(status.Event)) (cancel func()) {
	s.ears = append(s.ears, tell)
	return func() { s.left++ }
}

func TestFrontWithoutDesk(t *testing.T) {
	var f desk.Front
	if f.Networks() != nil {
		t.Error("networks of nobody")
	}
	f.Look("home")
	var refused *network.RefusedError
	if _, err := f.Ask(t.Context(), desk.Request{Verb: desk.Switchover}); !errors.As(err, &refused) || refused.Remedy == "" {
		t.Errorf("ask: %v", err)
	}
	if _, err := f.Preview(t.Context(), desk.Request{Verb: desk.Sync}); !errors.As(err, &refused) {
		t.Errorf("preview: %v", err)
	}
}

// Whoever waits or listens stays when the desk is exchanged, and leaves only once.
func TestFrontExchangesDesks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f desk.Front
		var heard []string
		leave := f.Listen(func(e status.Event) { heard = append(heard, e.Text) })
		waiting := f.Changed()
		first, second := newStand("first"), newStand("second")
		f.Put(first)
		<-waiting
		first.ears[0](status.Event{Text: "one"})
		waiting = f.Changed()
		f.Put(second)
		<-waiting
		second.ears[0](status.Event{Text: "two"})
		if first.left != 1 || !slices.Equal(heard, []string{"one", "two"}) {
			t.Errorf("left the first desk %d times, heard %q", first.left, heard)
		}
		if run, err := f.Ask(t.Context(), desk.Request{}); run != "second-run" || err != nil || f.Networks()[0].Name != "second" {
			t.Errorf("asked the wrong desk: %s, %v", run, err)
		}
		waiting = f.Changed()
		close(second.changed)
		<-waiting
		leave()
		leave()
		f.Put(nil)
		if second.left != 1 || f.Networks() != nil {
			t.Errorf("left the second desk %d times", second.left)
		}
	})
}
