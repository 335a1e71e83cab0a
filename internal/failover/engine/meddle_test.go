package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// A meddler does something to the home in the middle of a run. It is called with the
// home locked.
type meddler struct {
	name  string
	start string // node that is started, if one is
	do    func(h *inmem.Home)
}

var meddlers = []meddler{
	{"the old active is started", "attic", func(h *inmem.Home) { h.Host("attic").RunUnlocked() }},
	{"the target is started", "cellar", func(h *inmem.Home) { h.Host("cellar").RunUnlocked() }},
	{"the third is started", "shed", func(h *inmem.Home) { h.Host("shed").RunUnlocked() }},
	{"the old active dies", "", func(h *inmem.Home) { h.Host("attic").DieUnlocked() }},
	{"the target dies", "", func(h *inmem.Home) { h.Host("cellar").DieUnlocked() }},
	{"the power fails", "", func(h *inmem.Home) { h.PowerCutUnlocked() }},
	{"the old active is cut off", "", func(h *inmem.Home) { h.Host("attic").CutOffUnlocked() }},
	{"the target is cut off", "", func(h *inmem.Home) { h.Host("cellar").CutOffUnlocked() }},
}

// TestPeopleMeddle: whatever is done to the home at whatever operation, the controller
// itself puts no second voice on air and no low counter, gives the start at boot to one
// node only, and afterwards the home can be served again.
func TestPeopleMeddle(t *testing.T) {
	for _, st := range stories {
		every := max(11, 11*st.every) // with 1 it takes two minutes, without the longer stories
		ops := operationsOf(t, st)
		for i, m := range meddlers {
			for n := range ops {
				if n%every == i && st.allows(m) && noticed(ops[n:], m.start) {
					t.Run(fmt.Sprintf("%s, %s at %03d", st.name, m.name, n), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { meddled(t, st, m, n) })
					})
				}
			}
		}
	}
}

// allows says that a meddler can do what it does: nobody starts what has no power.
func (st story) allows(m meddler) bool { return st.after == nil || m.start != "attic" }

func operationsOf(t *testing.T, st story) (ops []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h, s := st.begin(t)
		h.SetFault(func(op string) error { ops = append(ops, op); return nil })
		st.do(controller(h, s))
	})
	return ops
}

// noticed says that a node which begins to run now is looked at before another one is
// started, or given the start at boot. Nobody can look and act in one.
func noticed(ops []string, node string) bool {
	for _, op := range ops {
		on, what, _ := strings.Cut(op, ".")
		switch {
		case what == "enable", what == "start" && on != node && node != "":
			return false
		case on == node && (what == "observe" || what == "inspect"), what == "observe" && node == "":
			return true
		}
	}
	return true
}

func meddled(t *testing.T, st story, m meddler, n int) {
	h, s := st.begin(t)
	count, theirs, met, at, started := 0, len(h.Violations()), false, "", false
	h.SetFault(func(op string) error {
		started = started || op == "cellar.start"
		if count++; count > n && !met {
			met, at = true, op
			before := len(h.ViolationsUnlocked())
			m.do(h)
			theirs += len(h.ViolationsUnlocked()) - before
		}
		return nil
	})
	st.do(controller(h, s))
	h.SetFault(nil)
	started = started || slices.Contains(h.OnAir(), "cellar")
	st.end(h, started)
	for _, name := range []string{"attic", "cellar", "shed"} {
		h.Host(name).SetReachable(true)
	}
	time.Sleep(10 * time.Minute)
	c := controller(h, s)
	err := c.Recover(context.Background(), "", quiet)
	if err != nil && m.start != "" { // then who has started it stops it
		h.Host(m.start).SetRunning(false)
		err = c.Recover(context.Background(), "", quiet)
	}
	if err != nil {
		t.Fatalf("meddled at %s: recover: %v", at, err)
	}
	if v := h.Violations(); len(v) > theirs {
		t.Fatalf("meddled at %s: %d of these are not ours:\n%s", at, theirs, strings.Join(v, "\n"))
	}
	if len(h.OnAir()) == 1 && h.Works() {
		return
	}
	// A person stops whatever runs, and starts who was active last.
	for _, name := range []string{"attic", "cellar", "shed"} {
		if e := oneNode(t, c.StopNode, name); e.Outcome != plan.Completed {
			t.Fatalf("meddled at %s: stop of %s: %v", at, name, e.Err)
		}
	}
	e, err := c.StartNode(context.Background(), engine.Request{}, quiet)
	if err != nil && strings.Contains(err.Error(), "not on record") {
		return
	}
	if err != nil || e.Outcome != plan.Completed {
		t.Fatalf("meddled at %s: start: %v, %v", at, err, e.Err)
	}
	if v := h.Violations(); len(v) > theirs || len(h.OnAir()) != 1 || !h.Works() {
		t.Fatalf("meddled at %s: on air %v, %d are not ours:\n%s", at, h.OnAir(), theirs, strings.Join(v, "\n"))
	}
}
