package desk_test

import (
	"context"
	"testing"
	"time"

	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
)

func TestHoldAndRelease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := t.TempDir()
		o := opened(t, newFake(t, "home"), dir)
		o.ask(desk.Request{Verb: desk.Hold, By: "Owner"})
		o.ask(desk.Request{Verb: desk.Hold, By: "Berta"})
		n := o.network("home")
		if n.Protection != status.Held || !n.Hold.On || n.Hold.By != "Owner" || n.Nodes[1].CanTake {
			t.Fatalf("held: %s %+v", n.Protection, n.Hold)
		}
		for _, v := range []desk.Verb{desk.Switchover, desk.Sync, desk.Stop, desk.Start} {
			o.refused(desk.Request{Verb: v, To: "cellar"}, "release the hold first")
			if _, err := o.Preview(context.Background(), desk.Request{Verb: v, To: "cellar"}); err == nil {
				t.Errorf("%s: a preview on hold", v)
			}
		}
		if p, err := o.Preview(context.Background(), desk.Request{Verb: desk.Release}); err != nil || !p.Interruption.None {
			t.Errorf("preview of the release: %+v, %v", p, err)
		}
		o.close()

		o = opened(t, o.engine, dir)
		if n := o.network("home"); n.Protection != status.Held {
			t.Fatalf("after a restart: %s", n.Protection)
		}
		o.ask(desk.Request{Verb: desk.Release, By: "Berta"})
		o.ask(desk.Request{Verb: desk.Release, By: "Berta"})
		time.Sleep(time.Second)
		if n := o.network("home"); n.Protection != status.Degraded || n.Hold.On {
			t.Fatalf("released: %s", n.Protection)
		}
		if got := o.toldTypes(); got != "hold_released held→degraded" {
			t.Errorf("told %s", got)
		}
		if ev := o.last(status.EventHoldReleased); ev.By != "Berta" {
			t.Errorf("told %+v", ev)
		}
	})
}

func TestHoldByAnotherProgram(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		if err := o.holds.Save("home", status.Hold{On: true, Since: time.Now(), By: "the command line"}); err != nil {
			t.Fatal(err)
		}
		o.refused(desk.Request{Verb: desk.Sync}, "release the hold first") // at once
		if ev := o.last(status.EventHoldSet); ev.By != "the command line" {
			t.Errorf("told %+v", ev)
		}
		if err := o.holds.Save("home", status.Hold{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if n := o.network("home"); n.Hold.On || n.Protection == status.Held {
			t.Errorf("after the next look: %s", n.Protection)
		}
	})
}

// TestHoldForAPerson: an automation cannot release what waits for a person.
func TestHoldForAPerson(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := opened(t, newFake(t, "home"), t.TempDir())
		byItself := desk.Request{Verb: desk.Release, By: "MQTT", Unattended: true}
		o.ask(desk.Request{Verb: desk.Hold, By: "Owner"})
		o.ask(byItself)
		if err := o.holds.Save("home", status.Hold{On: true, Since: time.Now(), By: "z2mha, after a restore", Person: true}); err != nil {
			t.Fatal(err)
		}
		o.refused(byItself, "a person must look before: the network was put on hold by z2mha, after a restore")
		o.ask(desk.Request{Verb: desk.Hold, By: "MQTT", Unattended: true})
		o.refused(byItself, "a person must look before")
		o.write("holds/home.json", "{")
		o.refused(byItself, "cannot be read")
		o.ask(desk.Request{Verb: desk.Hold, By: "MQTT", Unattended: true})
		o.refused(byItself, "a person must look before")
		o.ask(desk.Request{Verb: desk.Release, By: "Owner on the page"})
		if n := o.network("home"); n.Hold.On || n.Hold.Person {
			t.Errorf("released by a person: %+v", n.Hold)
		}
	})
}
