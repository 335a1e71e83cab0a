package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/cadence"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/status"
)

// capturing is a desk that captures by schedule, on a home where a backup takes 6 s.
func capturing(t testing.TB, e *fakeEngine, dir string) *office {
	t.Helper()
	e.set("home", func(h *fakeHome) { h.backupTakes = 6 * time.Second })
	o := staffed(t, e, dir, cadence.Default())
	time.Sleep(time.Minute)
	return o
}

// took are the captures since, as "kind after".
func (o *office) took(since time.Time) []string {
	var out []string
	for _, c := range get(o.engine, "home", func(h *fakeHome) []taken { return slices.Clone(h.captures) }) {
		if c.at.Before(since) {
			continue
		}
		kind := "files"
		if c.Live {
			kind = "full"
		}
		out = append(out, fmt.Sprintf("%s %s", kind, c.at.Sub(since).Round(time.Second)))
	}
	return out
}

func (o *office) kinds(since time.Time) (full, files int) {
	for _, c := range o.took(since) {
		if strings.HasPrefix(c, "full") {
			full++
		} else {
			files++
		}
	}
	return full, files
}

func TestCapturesOnSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		if got := o.took(time.Time{}); len(got) != 1 || !strings.HasPrefix(got[0], "full") {
			t.Fatalf("in the first minute: %v", got)
		}
		if n := o.network("home"); n.Protection != status.Protected || n.LastSync.IsZero() || n.BackedUp.IsZero() {
			t.Fatalf("then %s %v", n.Protection, n.Reasons)
		}
		before, since := o.toldTypes(), time.Now()
		time.Sleep(6 * time.Hour)
		if full, files := o.kinds(since); full < 11 || full > 12 || files < 57 || files > 62 {
			t.Errorf("in six hours %d of all and %d of the files", full, files)
		}
		if got := o.toldTypes(); got != before {
			t.Errorf("told %s", strings.TrimPrefix(got, before))
		}
		n := o.network("home")
		if n.Protection != status.Protected || len(n.Reasons) > 0 || time.Since(n.Captured) > 6*time.Minute {
			t.Errorf("shown %s %v, captured %s ago", n.Protection, n.Reasons, time.Since(n.Captured))
		}
		if c := freshness(t, n); !c.OK || !strings.Contains(c.Evidence, "captured") {
			t.Errorf("fresh: %+v", c)
		}
		for _, ev := range o.heard {
			if strings.HasPrefix(string(ev.Type), "step_") {
				t.Errorf("told %v", ev)
			}
		}
	})
}

// freshness is the check that copies are young enough.
func freshness(t testing.TB, n status.Network) (c checkView) {
	t.Helper()
	for _, x := range n.Checks {
		if x.ID == "fresh" {
			return checkView{x.OK, x.Evidence}
		}
	}
	t.Fatal("there is no word on how old the copies are")
	return c
}

type checkView struct {
	OK       bool
	Evidence string
}

// A home where nothing changes gets no runs, no copies and no events.
func TestNothingIsToldOfACaptureWithoutNews(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.still = true })
		runs, before := len(e.homes["home"].runs), o.toldTypes()
		time.Sleep(2 * time.Hour)
		n := o.network("home")
		if got := len(e.homes["home"].runs); got != runs || o.toldTypes() != before || n.Protection != status.Protected {
			t.Errorf("%d runs, told %s, %s", got-runs, o.toldTypes(), n.Protection)
		}
	})
}

func TestAJoinIsCapturedWithinAMinute(t *testing.T) {
	const device zigbee.IEEE = 0xa09
	for _, tt := range []struct {
		name   string
		happen func(e *fakeEngine)
		want   []string
	}{
		{"alone", func(e *fakeEngine) { e.changed("home", engine.MemberJoined, device) }, []string{"full 10s"}},
		{"with its interview", func(e *fakeEngine) {
			e.changed("home", engine.MemberJoined, device)
			e.changed("home", engine.MemberInterviewing, device)
			time.Sleep(25 * time.Second)
			e.changed("home", engine.MemberInterviewed, device)
		}, []string{"full 35s"}},
		{"with an interview that does not end", func(e *fakeEngine) {
			e.changed("home", engine.MemberJoined, device)
			e.changed("home", engine.MemberInterviewing, device)
		}, []string{"full 40s"}},
		{"among many", func(e *fakeEngine) {
			for range 12 {
				e.changed("home", engine.MemberJoined, device)
				time.Sleep(2 * time.Second)
			}
		}, []string{"full 32s"}},
		{"during a long look", func(e *fakeEngine) {
			e.set("home", func(h *fakeHome) { h.lookTakes = 50 * time.Second })
			time.Sleep(16 * time.Second)
			e.changed("home", engine.MemberJoined, device)
			time.Sleep(25 * time.Second)
			e.set("home", func(h *fakeHome) { h.lookTakes = time.Second })
		}, []string{"full 31s"}},
	} {
		t.Run("it captures a join "+tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				e := newFake(t, "home")
				o := capturing(t, e, t.TempDir())
				time.Sleep(90 * time.Second)
				since := time.Now()
				tt.happen(e)
				time.Sleep(time.Until(since.Add(100 * time.Second)))
				if got := o.took(since); !slices.Equal(got, tt.want) {
					t.Errorf("got %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// A change while all is being captured may not be in it: the files follow in time, the
// stick when a minute has passed.
func TestAJoinDuringACapture(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		time.Sleep(90 * time.Second)
		since := time.Now()
		e.changed("home", engine.MemberJoined, 1)
		time.Sleep(12 * time.Second)
		e.changed("home", engine.MemberJoined, 2)
		time.Sleep(90 * time.Second)
		if got := o.took(since); !slices.Equal(got, []string{"full 10s", "files 22s", "full 1m10s"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestLeavesAreHandedOn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		at := time.Now()
		e.changed("home", engine.MemberLeft, 7)
		e.changed("home", engine.MemberChanged, 8) // proves nothing
		e.changed("home", engine.MemberRemoved, 0) // nobody knows who
		synctest.Wait()
		left := func() []network.Leaving {
			return get(e, "home", func(h *fakeHome) []network.Leaving { return h.record.Left })
		}
		if got := left(); len(got) != 1 || got[0].IEEE != 7 || !got[0].At.Equal(at) {
			t.Errorf("on record %v", got)
		}
		e.set("home", func(h *fakeHome) { h.memoryErr = errors.New("no space left") })
		e.changed("home", engine.MemberRemoved, 9)
		e.changed("home", engine.MemberLeft, 10)
		time.Sleep(time.Second)
		e.set("home", func(h *fakeHome) { h.memoryErr = nil })
		time.Sleep(time.Minute)
		if got := left(); len(got) != 3 || got[1].IEEE != 9 || got[2].IEEE != 10 {
			t.Errorf("after the disk had space again: %v", got)
		}
		if got := o.took(at); len(got) == 0 {
			t.Error("nothing was captured")
		}
	})
}

func TestNothingIsCaptured(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(o *office)
		end   func(o *office)
	}{
		{"on hold", func(o *office) { o.ask(desk.Request{Verb: desk.Hold, By: "Owner"}) }, func(o *office) { o.ask(desk.Request{Verb: desk.Release, By: "Owner"}) }},
		{"when whether it is on hold cannot be read", func(o *office) {
			o.ask(desk.Request{Verb: desk.Hold})
			o.write("holds/home.json", "{")
		}, func(o *office) { o.write("holds/home.json", "{}") }},
		{"while nobody is active", func(o *office) { o.engine.set("home", func(h *fakeHome) { h.active = nil }) },
			func(o *office) { o.engine.set("home", func(h *fakeHome) { h.active = []string{"attic"} }) }},
		{"while two are active", func(o *office) { o.engine.set("home", func(h *fakeHome) { h.active = []string{"attic", "cellar"} }) },
			func(o *office) { o.engine.set("home", func(h *fakeHome) { h.active = []string{"attic"} }) }},
		{"while looks do not work", func(o *office) { o.engine.set("home", func(h *fakeHome) { h.lookErr = errors.New("bad disk") }) },
			func(o *office) { o.engine.set("home", func(h *fakeHome) { h.lookErr = nil }) }},
	} {
		t.Run("it captures nothing "+tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				e := newFake(t, "home")
				o := capturing(t, e, t.TempDir())
				tt.given(o)
				time.Sleep(20 * time.Second) // a look sees it
				since := time.Now()
				e.changed("home", engine.MemberJoined, 7)
				time.Sleep(2 * time.Hour)
				if got := o.took(since); got != nil {
					t.Fatalf("captured %v", got)
				}
				tt.end(o)
				since = time.Now()
				time.Sleep(30 * time.Second)
				if full, _ := o.kinds(since); full != 1 {
					t.Errorf("afterwards %v", o.took(since))
				}
			})
		})
	}
}

func TestCaptureWaitsForARun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Minute })
		since := time.Now()
		o.ask(desk.Request{Verb: desk.Switchover})
		time.Sleep(30 * time.Second)
		e.changed("home", engine.MemberJoined, 7)
		time.Sleep(6 * time.Minute)
		if got := o.took(since); got != nil {
			t.Fatalf("captured %v during the run", got)
		}
		e.set("home", func(h *fakeHome) { h.stepTakes = time.Second })
		time.Sleep(5 * time.Minute)
		if full, _ := o.kinds(since); full != 1 || o.network("home").Active != "cellar" {
			t.Errorf("after the run %v", o.took(since))
		}
	})
}

// A person does not wait for a capture, and what the capture missed comes later.
func TestCaptureGivesWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.backupTakes = 80 * time.Second })
		time.Sleep(time.Minute)
		e.changed("home", engine.MemberJoined, 7)
		time.Sleep(20 * time.Second) // it is being captured
		if n := o.network("home"); n.Protection != status.Protected || n.Run != nil {
			t.Errorf("meanwhile %s %v", n.Protection, n.Reasons)
		}
		since := time.Now()
		run := o.ask(desk.Request{Verb: desk.Switchover})
		if run == "" || time.Since(since) > time.Second {
			t.Errorf("run %q after %s", run, time.Since(since))
		}
		e.set("home", func(h *fakeHome) { h.backupTakes = 6 * time.Second })
		time.Sleep(3 * time.Minute)
		if full, _ := o.kinds(since); full != 1 || strings.Contains(o.toldTypes(), "sync_") {
			t.Errorf("captured %v, told %s", o.took(since), o.toldTypes())
		}
	})
}

func TestALongCaptureIsNoMissingLook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.backupTakes = 3 * time.Minute })
		before := o.toldTypes()
		time.Sleep(time.Hour)
		if o.toldTypes() != before {
			t.Errorf("told %s", strings.TrimPrefix(o.toldTypes(), before))
		}
	})
}

func TestCapturesThatFail(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.captureErr = errors.New("attic: connection refused") })
		since := time.Now()
		time.Sleep(30 * time.Minute)
		want := []string{"files 4m0s", "files 5m0s", "files 7m0s", "files 12m0s", "files 22m0s", "full 29m0s"}
		if got := o.took(since); !slices.Equal(got, want) {
			t.Errorf("tried %v, want %v", got, want)
		}
		if ev := o.last(status.EventSyncFailed); strings.Count(o.toldTypes(), "sync_failed") != 1 || !strings.Contains(ev.Text, "connection refused") {
			t.Errorf("told %s: %v", o.toldTypes(), ev)
		}
		n := o.network("home")
		if c := freshness(t, n); c.OK || !strings.Contains(c.Evidence, "stale") || !strings.Contains(c.Evidence, "connection refused") || n.Protection != status.Protected {
			t.Errorf("after half an hour %s, %+v", n.Protection, c)
		}
		time.Sleep(24 * time.Hour)
		n = o.network("home")
		if n.Protection != status.Degraded || !strings.Contains(n.Reasons[0].What, "hours old") {
			t.Errorf("after a day %s %v", n.Protection, n.Reasons)
		}
		e.set("home", func(h *fakeHome) { h.captureErr = nil })
		time.Sleep(11 * time.Minute)
		n = o.network("home")
		if c := freshness(t, n); !c.OK || n.Protection != status.Protected || strings.Count(o.toldTypes(), "sync_recovered") != 1 {
			t.Errorf("in the end %s %v, %+v, told %s", n.Protection, n.Reasons, c, o.toldTypes())
		}
	})
}

// Without the broker no stick is backed up, but the files are captured all the same.
func TestBrokerAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.backupErr = errors.New("the broker is not reached") })
		since := time.Now()
		time.Sleep(26 * time.Hour)
		full, files := o.kinds(since)
		if full > 26*6+4 || files < 26*10 {
			t.Errorf("%d of all, %d of the files", full, files)
		}
		n := o.network("home")
		if n.Protection != status.Degraded || !strings.Contains(n.Reasons[0].What, "backup of the running stick is") || time.Since(n.Captured) > 6*time.Minute {
			t.Errorf("shown %s %v, captured %s ago", n.Protection, n.Reasons, time.Since(n.Captured))
		}
	})
}

func TestARefusedCapture(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		dir := t.TempDir()
		o := capturing(t, e, dir)
		e.set("home", func(h *fakeHome) { h.refused = []string{"3 devices are gone and none of them left: 0xa01"} })
		time.Sleep(20 * time.Minute)
		if got := strings.Count(o.toldTypes(), "capture_refused"); got != 1 {
			t.Fatalf("told %d times: %s", got, o.toldTypes())
		}
		ev := o.last(status.EventCaptureRefused)
		if ev.Node != "attic" || !strings.Contains(ev.Text, "none of them left") || !strings.Contains(ev.Fix, "z2mha accept ") {
			t.Errorf("told %+v", ev)
		}
		shown := func(o *office) {
			t.Helper()
			n := o.network("home")
			if n.Protection != status.Degraded || !n.Problem() || len(n.Reasons) != 1 || !strings.Contains(n.Reasons[0].What, "none of them left") ||
				n.Reasons[0].Fix != fmt.Sprintf("nothing is brought to a stand-by until then: see what has changed; when it is as it should be, accept copy %d on the page, or run z2mha accept %d", n.Refused, n.Refused) {
				t.Errorf("shown %s %v, refused %d", n.Protection, n.Reasons, n.Refused)
			}
		}
		shown(o)
		first := o.network("home").Refused

		o.close()
		o = capturing(t, e, dir) // a new process does not tell it again
		if strings.Contains(o.toldTypes(), "capture_refused") {
			t.Errorf("told again: %s", o.toldTypes())
		}
		shown(o)
		e.set("home", func(h *fakeHome) { h.refused = []string{"the network key is another one"} })
		time.Sleep(10 * time.Minute)
		if n := o.network("home"); n.Refused <= first || strings.Count(o.toldTypes(), "capture_refused") != 1 {
			t.Errorf("for another reason: number %d, told %s", n.Refused, o.toldTypes())
		}
		e.set("home", func(h *fakeHome) { h.refused = nil })
		time.Sleep(10 * time.Minute)
		if n := o.network("home"); n.Protection != status.Protected || n.Refused != 0 || strings.Count(o.toldTypes(), "sync_recovered") != 1 {
			t.Errorf("in the end %s %v, told %s", n.Protection, n.Reasons, o.toldTypes())
		}
	})
}

// Somebody else may have accepted it, with the command line.
func TestARefusedCaptureThatWasAccepted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		e := newFake(t, "home")
		o := capturing(t, e, t.TempDir())
		e.set("home", func(h *fakeHome) { h.refused = []string{"devices are gone"} })
		time.Sleep(6 * time.Minute)
		e.set("home", func(h *fakeHome) { h.record.Refused = 0 })
		time.Sleep(20 * time.Second)
		if n := o.network("home"); n.Protection != status.Protected || strings.Count(o.toldTypes(), "sync_recovered") != 1 {
			t.Errorf("%s %v, told %s", n.Protection, n.Reasons, o.toldTypes())
		}
	})
}

func TestASyncThatIsAskedFor(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given func(h *fakeHome)
		ask   desk.Request
		err   string
		told  status.EventType
	}{
		{"asks the stick too", func(*fakeHome) {}, desk.Request{Verb: desk.Sync, By: "Owner"}, "", status.EventSyncCompleted},
		{"is told also when nothing had changed", func(h *fakeHome) { h.still = true }, desk.Request{Verb: desk.Sync, By: "Owner"}, "", status.EventSyncCompleted},
		{"is refused with the capture", func(h *fakeHome) { h.refused = []string{"devices are gone"} }, desk.Request{Verb: desk.Sync, By: "Owner"},
			"devices are gone", status.EventCaptureRefused},
		{"takes a change", func(h *fakeHome) { h.refused = []string{"devices are gone"} }, desk.Request{Verb: desk.Sync, By: "Owner", AcceptChange: true}, "", status.EventSyncCompleted},
	} {
		t.Run("a sync "+tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				e := newFake(t, "home")
				o := capturing(t, e, t.TempDir())
				e.set("home", tt.given)
				since := time.Now()
				_, err := o.Ask(context.Background(), tt.ask)
				if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v", err)
				}
				time.Sleep(30 * time.Second)
				if ev := o.last(tt.told); ev.By != "Owner" && tt.told == status.EventSyncCompleted {
					t.Errorf("told %+v", ev)
				}
				if got := o.took(since); !slices.Equal(got, []string{"full 0s"}) {
					t.Errorf("captured %v", got)
				}
			})
		})
	}
}
