package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// What a controller must not believe of itself. Each of these broke I2 once.

// A controller that came out of an old backup knows little of what was used since: the
// network has moved many times, each time ahead to what was reserved for a day.
func TestOldControllerFindsTheCounters(t *testing.T) {
	for name, act := range map[string]func(l *life) error{
		"careful switchover": func(l *life) error { return l.act(deed{What: "careful", Node: "shed"}) },
		"failover": func(l *life) error {
			if err := captureWithoutAttic(l); err != nil {
				return err
			}
			return l.act(deed{What: "active dies", Node: "shed"})
		},
		"start": func(l *life) error {
			if err := l.act(deed{What: "capture"}); err != nil {
				return err
			}
			if err := l.act(deed{What: "stop", Node: "cellar"}); err != nil {
				return err
			}
			return l.act(deed{What: "start"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := oldController(t)
				if err := act(l); err != nil {
					t.Fatal(err)
				}
				settled(t, l.h, l.h.OnAir()[0])
			})
		})
	}
}

func oldController(t *testing.T) *life {
	t.Helper()
	l := &life{last: "attic"}
	l.h, l.s = warmHome(t)
	l.backup = l.s.Snapshot()
	for i := range 5 {
		time.Sleep(time.Minute)
		completed(t, moved(t, l.controller(), engine.Request{To: []string{"cellar", "attic"}[i%2]}))
	}
	if err := l.restore(); err != nil {
		t.Fatal(err)
	}
	return l
}

// A fast move makes a backup of the running stick, which ends the doubt as any other does.
func TestFastMoveBelievesItsBackup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &life{last: "attic"}
		l.h, l.s = warmHome(t)
		r := recordOf(t, l.s)
		r.Odometer = r.Odometer.Doubted()
		if err := l.s.Memory().Save(r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		l.h.SetFault(func(op string) error { // after the backup
			if op == "attic.disable" {
				return errFault
			}
			return nil
		})
		if e := moved(t, l.controller(), engine.Request{To: "cellar"}); !e.Plan.Fast || e.Outcome == plan.Completed {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		if now := recordOf(t, l.s); now.Odometer.Doubt || now.Odometer.Highest > 1_000_000 || !now.BackedUp.After(r.BackedUp) {
			t.Fatalf("backed up %s, %+v", now.BackedUp, now.Odometer)
		}
	})
}

// captureWithoutAttic tells the controller who is active, and warms the stick of shed,
// while that of attic, which would show how far the counters are, cannot be read.
func captureWithoutAttic(l *life) error {
	l.h.Host("attic").SetReachable(false)
	defer l.h.Host("attic").SetReachable(true)
	return l.act(deed{What: "capture"})
}

// The target of a failover went on air far ahead with its link keys, and died. The node
// that was active last starts above them.
func TestStartAfterAFailoverThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		time.Sleep(48 * time.Hour)
		lost(h, false)
		h.Host("cellar").DieAfter(2 * time.Second)
		e, err := c.Failover(context.Background(), engine.Request{To: "cellar"}, quiet)
		if err != nil || e.Outcome == plan.Completed || len(h.OnAir()) != 0 {
			t.Fatalf("%s, %v", e.Outcome, err)
		}
		completed(t, oneNode(t, c.StartNode, ""))
		settled(t, h, "attic")
	})
}

// A move was taken back without reading the target, so the old active's link keys were
// lifted by a million. It dies before anything of that is captured.
func TestFailoverAfterALargeMargin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		h.Host("cellar").DieAfter(2 * time.Second)
		started := false
		h.SetFault(func(op string) error {
			started = started || op == "cellar.start"
			if started && op == "cellar.read-stick" {
				return errFault
			}
			return nil
		})
		if e := moved(t, c, engine.Request{To: "cellar"}); e.Outcome != plan.RolledBack {
			t.Fatalf("%s: %v", e.Outcome, e.Err)
		}
		h.SetFault(nil)
		settled(t, h, "attic")
		lost(h, false)
		e, err := c.Failover(context.Background(), engine.Request{To: "shed"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "shed")
	})
}

// The stick was patched and the answer was lost: what is on it is read anew.
func TestPatchWhoseAnswerIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		h.Join(newcomer)
		failOnce(h, "cellar.patch-stick.lost")
		captured(t, controller(h, s))
		if on := recordOf(t, s).Sticks["cellar"]; on.Trouble != "" || on.Image == "" || !knows(h.Host("cellar").Stick(), newcomer) {
			t.Fatalf("%+v", on)
		}
	})
}

// A patch is torn, so the stick is loaded whole: not below what it holds.
func TestLoadAfterATornPatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		failOnce(h, "cellar.patch-stick.torn")
		completed(t, moved(t, controller(h, s), engine.Request{To: "cellar"}))
		settled(t, h, "cellar")
	})
}

// The controller dies while a stick is written: what is on record of it is then nothing
// that a later patch would believe without a look.
func TestNothingIsBelievedOfAStickInWriting(t *testing.T) {
	for _, op := range []string{"cellar.patch-stick.lost", "cellar.patch-stick.torn"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := warmHome(t)
				h.Join(newcomer)
				var dead *inmem.Stores
				h.SetFault(func(o string) error {
					if o == op && dead == nil {
						dead = s.Snapshot()
					}
					return nil
				})
				captured(t, controller(h, s))
				if dead == nil {
					t.Fatal("the stick was not written")
				}
				if on := recordOf(t, dead).Sticks["cellar"]; on.Image != "" && !on.Writing {
					t.Fatalf("a controller that died in it believes in %.8s", on.Image)
				}
			})
		})
	}
}
