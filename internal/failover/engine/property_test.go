package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// A deed is one thing that happens in a home's life. The story is drawn first and lived
// afterwards, so that a failing one can be shortened.
type deed struct {
	What  string
	Node  string
	Hours int
	// Dies is the journal line at which the controller dies; 0: it does not.
	Dies int
}

func (d deed) String() string { return fmt.Sprintf("%s %s %dh †%d", d.What, d.Node, d.Hours, d.Dies) }

var deeds = []string{"sleep", "capture", "live capture", "join", "leave", "switchover", "careful", "stop", "start",
	"active dies", "host dies", "power cut", "back up", "restore", "seed", "bring back", "cut off", "reach again"}

func anyLife() *rapid.Generator[[]deed] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		d := deed{
			What:  rapid.SampledFrom(deeds).Draw(t, "what"),
			Node:  rapid.SampledFrom([]string{"attic", "cellar", "shed"}).Draw(t, "node"),
			Hours: rapid.IntRange(0, 240).Draw(t, "hours"),
		}
		if rapid.IntRange(0, 3).Draw(t, "dies") == 0 {
			d.Dies = rapid.IntRange(1, 60).Draw(t, "line")
		}
		return d
	}), 3, 24)
}

// TestNoLifeBreaksARule: whatever happens in whatever order, the controller puts no
// second voice on air, and no counter of the network or of a link key ever falls. At the
// end the home can be served.
func TestNoLifeBreaksARule(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		deeds := anyLife().Draw(rt, "life")
		var err error
		synctest.Test(t, func(t *testing.T) {
			l := newLife()
			err = l.live(deeds)
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// A life is one home, with what a person who lives in it knows.
type life struct {
	h      *inmem.Home
	s      *inmem.Stores
	backup *inmem.Stores
	last   string // who was on air last
	paired int
	lossy  bool // a failover or a restore may have cost a device that joined just before
	log    []string
}

func newLife() *life {
	l := &life{h: newHome("attic", "cellar", "shed"), s: inmem.NewStores(), last: "attic"}
	l.backup = l.s.Snapshot()
	return l
}

func (l *life) live(deeds []deed) error {
	if err := l.do(deed{What: "seed"}); err != nil {
		return err
	}
	for _, d := range deeds {
		time.Sleep(time.Minute)
		if err := l.do(d); err != nil {
			return fmt.Errorf("%v: %w\n%s", d, err, strings.Join(l.log, "\n"))
		}
	}
	if err := l.serve(); err != nil {
		return fmt.Errorf("at the end: %w\n%s", err, strings.Join(l.log, "\n"))
	}
	return nil
}

// do does one thing, and lets a new controller settle what the old one has left.
func (l *life) do(d deed) error {
	l.h.SetFault(func(op string) error {
		if node, what, _ := strings.Cut(op, "."); what == "start" {
			l.last = node
		}
		return nil
	})
	count := 0
	l.s.OnAppend = func(string, plan.Entry) error {
		if count++; d.Dies > 0 && count >= d.Dies {
			return errFault
		}
		return nil
	}
	l.log = append(l.log, fmt.Sprintf("%s %v: %v", time.Now().Format("02 15:04:05"), d, l.act(d)))
	l.s.OnAppend = nil
	if d.Dies > 0 {
		_ = l.controller().Recover(context.Background(), "", quiet)
	}
	if on := l.h.OnAir(); len(on) == 1 {
		l.last = on[0]
	}
	if v := l.h.Violations(); len(v) > 0 {
		return fmt.Errorf("broken:\n%s", strings.Join(v, "\n"))
	}
	return nil
}

func (l *life) controller() *engine.Controller { return controller(l.h, l.s) }

func (l *life) act(d deed) error {
	ctx, c := context.Background(), l.controller()
	end := func(e engine.Ended, err error) error {
		if err != nil || e.Err != nil {
			return errors.Join(err, e.Err)
		}
		return nil
	}
	switch d.What {
	case "sleep":
		time.Sleep(time.Duration(d.Hours) * time.Hour)
	case "capture", "live capture":
		got, err := c.Capture(ctx, engine.CaptureRequest{Live: d.What == "live capture"}, quiet)
		if got.Refused != 0 {
			_, err = c.Accept("", got.Refused, "Owner")
		}
		return err
	case "join":
		if len(l.h.OnAir()) == 1 && l.h.Works() {
			l.paired++
			l.h.Join(engine.BridgeDevice{IEEE: lamp + 0x100 + zigbee.IEEE(l.paired), FriendlyName: fmt.Sprint("device ", l.paired), Type: "Router"})
		}
	case "leave":
		if n := len(l.h.Devices); n > 2 && l.h.Works() {
			gone := l.h.Devices[n-1].IEEE
			l.h.Leave(gone)
			return c.NoteLeft("home", network.Leaving{IEEE: gone, At: time.Now()})
		}
	case "switchover", "careful":
		return end(c.Switchover(ctx, engine.Request{To: d.Node, Careful: d.What == "careful"}, quiet))
	case "stop":
		return end(c.StopNode(ctx, engine.Request{To: d.Node}, quiet))
	case "start":
		return end(c.StartNode(ctx, engine.Request{}, quiet))
	case "active dies", "host dies":
		return l.failover(c, d)
	case "power cut":
		l.h.PowerCut()
	case "cut off", "reach again":
		l.h.Host(d.Node).SetReachable(d.What == "reach again")
	case "back up":
		l.backup = l.s.Snapshot()
	case "restore":
		return l.restore()
	case "seed":
		return end(c.Seed(ctx, engine.Request{}, quiet))
	case "bring back":
		l.lossy = true
		g, err := l.s.Shelf().Latest("home")
		if err != nil {
			return err
		}
		return end(c.Restore(ctx, engine.Request{Generation: max(1, g.Number-1)}, quiet))
	}
	return nil
}

// failover lets whoever is on air die, and asks for a failover.
func (l *life) failover(c *engine.Controller, d deed) error {
	on := l.h.OnAir()
	if len(on) != 1 || on[0] == d.Node {
		return nil
	}
	l.lossy = true
	x, r := l.h.Host(on[0]), engine.Request{To: d.Node}
	if d.What == "host dies" {
		x.PowerOff()
		r.Confirmed = "the owner has pulled its plug"
	} else {
		x.SetRunning(false)
	}
	ended, err := c.Failover(context.Background(), r, quiet)
	if d.What == "host dies" { // its owner sees to it that it does not start by itself
		x.SetAtBoot(false)
		x.PowerOn()
	}
	return errors.Join(err, ended.Err)
}

// restore puts the controller's disk back to an earlier day, and does with it what the
// program does with a directory that came out of a backup.
func (l *life) restore() error {
	l.s.Restore(l.backup)
	l.lossy = true
	m := l.s.Memory()
	r, err := m.Load("home")
	if err != nil {
		return err
	}
	r.Network, r.Odometer, r.Silent = "home", r.Odometer.Doubted(), nil
	r.Active, r.Since, r.Unproven, r.Staged = "", time.Time{}, "", nil
	for node, on := range r.Sticks {
		on.Image, on.Generation = "", 0
		r.Sticks[node] = on
	}
	if err := m.Save(r); err != nil {
		return err
	}
	runs, err := l.s.Journal().Runs("home")
	if err != nil {
		return err
	}
	for _, id := range runs {
		entries, err := l.s.Journal().Load("home", id)
		if err != nil {
			return err
		}
		if prog, err := plan.Replay(entries); err != nil || prog.Ended() {
			continue
		}
		run, err := l.s.Journal().Open("home", id)
		if err != nil {
			return err
		}
		if err := run.Append(plan.Entry{Seq: len(entries) + 1, At: time.Now(), Run: id, Event: plan.EventEnded, Note: string(plan.GivenUp)}); err != nil {
			return err
		}
	}
	return nil
}

// serve ends a life: somebody serves the home, alone, with every device.
func (l *life) serve() error {
	for _, name := range []string{"attic", "cellar", "shed"} {
		l.h.Host(name).SetReachable(true)
	}
	c := l.controller()
	if err := c.Recover(context.Background(), "", quiet); err != nil {
		return err
	}
	if len(l.h.OnAir()) == 0 || !slices.Contains(l.h.OnAir(), l.last) {
		e, err := c.StartNode(context.Background(), engine.Request{AcceptChange: true}, quiet)
		if err != nil && strings.Contains(err.Error(), "not on record") { // then a person does
			l.h.Host(l.last).SetRunning(true)
		} else if err != nil || e.Err != nil {
			return fmt.Errorf("start: %w", errors.Join(err, e.Err))
		}
	}
	if v := l.h.Violations(); len(v) > 0 || len(l.h.OnAir()) != 1 {
		return fmt.Errorf("on air %v, broken: %v", l.h.OnAir(), v)
	}
	if !l.h.Works() && !l.lossy {
		return fmt.Errorf("%s serves and does not reach %v", l.h.OnAir(), l.h.Lost())
	}
	return nil
}
