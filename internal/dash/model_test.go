package dash

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/coverage"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
	"z2mha/internal/failover/status"
	"z2mha/web"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func pair() status.Network {
	return status.Network{
		Name: "home", At: noon, Protection: status.Protected, Active: "attic", Recorded: "attic", Since: noon, Ready: []string{"cellar"}, Devices: 41,
		Nodes: []status.Node{{Name: "attic", Role: network.RoleActive}, {Name: "cellar", Role: network.RoleStandby, CanTake: true}},
	}
}

func TestEveryProtectionHasATone(t *testing.T) {
	for _, p := range status.Protections {
		v := networkOf(status.Network{Protection: p}, noon)
		if string(v.Tone) != string(p) || v.Heading != p.Sentence() {
			t.Errorf("%s is shown as %q, %q", p, v.Tone, v.Heading)
		}
	}
	if v := networkOf(status.Network{}, noon); v.Heading == "" {
		t.Error("before the first look there is no heading")
	}
}

func TestEveryRoleHasAWord(t *testing.T) {
	for _, r := range []network.Role{network.RoleActive, network.RoleStandby, network.RoleFenced, network.RoleOffline, network.RoleUnknown, "", "new"} {
		v := nodeOf(status.Network{}, status.Node{Role: r})
		if v.Role == "" || v.State == "" || v.Serving != (r == network.RoleActive) {
			t.Errorf("%q is shown as %q, %q, serving %t", r, v.Role, v.State, v.Serving)
		}
	}
}

func TestEveryEventHasAState(t *testing.T) {
	for _, e := range append(status.EventTypes, "new") {
		if v := eventOf(status.Event{Type: e, Text: "text"}); v.State == "" || v.Text != "Text." {
			t.Errorf("%q is shown as %q, %q", e, v.State, v.Text)
		}
	}
	for is, want := range map[status.Protection]web.LightState{
		status.Protected: web.LightGood, status.Degraded: web.LightWarn, status.Unprotected: web.LightBad, status.Acting: web.LightUnknown, status.Held: web.LightUnknown,
	} {
		if v := eventOf(status.Event{Type: status.EventProtection, Is: is}); v.State != want {
			t.Errorf("now %s is shown as %s, want %s", is, v.State, want)
		}
	}
}

func TestNetworkFacts(t *testing.T) {
	n := pair()
	n.Devices, n.Moves, n.Unproven = -1, 2, "no device answered"
	n.LastSync, n.Generation = noon.Add(-time.Minute), 12
	n.Hold = status.Hold{On: true, By: "MQTT", Since: noon}
	n.Last = &status.Move{At: noon, From: "cellar", To: "attic", Outcome: plan.RolledBack, Duration: 41 * time.Second, Outage: 14 * time.Second}
	want := []web.Fact{
		{Label: "Active node", Text: "attic", At: noon}, {Label: "Devices", Text: "not known"},
		{Label: "Last sync", Text: "copy number 12", At: noon.Add(-time.Minute)},
		{Label: "Last switchover", Text: "cellar → attic, 41 s, 14 s without Zigbee, taken back", At: noon},
		{Label: "Switchovers on record", Text: "2"}, {Label: "Not proven when it took over", Text: "no device answered"},
		{Label: "On hold", Text: "by MQTT", At: noon},
	}
	if diff := cmp.Diff(want, networkFacts(n)); diff != "" {
		t.Error(diff)
	}
	want = []web.Fact{{Label: "Active node", Text: "nobody, or it cannot be told"}, {Label: "Devices", Text: "0"}, {Label: "Last sync", Text: "none yet"}}
	if diff := cmp.Diff(want, networkFacts(status.Network{})); diff != "" {
		t.Error(diff)
	}
}

func TestReasons(t *testing.T) {
	n := status.Network{LookErr: errors.New("no route to host")}
	if diff := cmp.Diff([]web.Reason{{What: "The last look was not possible: no route to host."}}, reasonsOf(n)); diff != "" {
		t.Error(diff)
	}
	n.Reasons = []status.Reason{{Node: "attic", What: "it cannot be reached", Fix: "switch it on"}}
	if diff := cmp.Diff([]web.Reason{{Node: "attic", What: "It cannot be reached.", Fix: "Switch it on."}}, reasonsOf(n)); diff != "" {
		t.Error(diff)
	}
}

func TestChecksThatFailComeFirst(t *testing.T) {
	checks := []readiness.Check{{What: "a", OK: true}, {What: "b", Warning: true, Fix: "do"}, {What: "c"}, {What: "d", OK: true}}
	want := []web.Check{
		{State: web.LightBad, What: "C"}, {State: web.LightWarn, What: "B", Fix: "Do."}, {State: web.LightGood, What: "A"}, {State: web.LightGood, What: "D"},
	}
	if diff := cmp.Diff(want, networkOf(status.Network{Checks: checks}, noon).Checks); diff != "" {
		t.Error(diff)
	}
}

func TestCheckThatFailsSaysWhatWasSeen(t *testing.T) {
	const title, seen = "attic and cellar are different machines", "attic and cellar are one machine: they fail together"
	for _, tt := range []struct {
		check readiness.Check
		want  web.Check
	}{
		{readiness.Check{What: title, Evidence: "two", OK: true}, web.Check{State: web.LightGood, What: "Attic and cellar are different machines", Evidence: "two"}},
		{readiness.Check{What: title, Evidence: seen, Warning: true}, web.Check{State: web.LightWarn, What: "Attic and cellar are one machine: they fail together"}},
		{readiness.Check{What: title, Evidence: seen}, web.Check{State: web.LightBad, What: "Attic and cellar are one machine: they fail together"}},
	} {
		if diff := cmp.Diff(tt.want, checkOf(tt.check)); diff != "" {
			t.Error(diff)
		}
	}
}

// buttons is what can be pressed: "verb to", with "!" when it is disabled.
func buttons(n status.Network) []string {
	var out []string
	v := networkOf(n, noon)
	actions := v.Actions
	for _, x := range v.Nodes {
		actions = append(actions, x.Actions...)
	}
	for _, a := range actions {
		s := a.Verb
		if a.To != "" {
			s += " " + a.To
		}
		if a.Copy != 0 {
			s += fmt.Sprint(" ", a.Copy)
		}
		if a.Disabled {
			s += "!"
		}
		if a.Network != n.Name || a.Label == "" || a.Disabled && a.Why == "" {
			s += " (incomplete)"
		}
		out = append(out, s)
	}
	return out
}

func TestActions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*status.Network)
		want   []string
	}{
		{"offers all when all is well", func(*status.Network) {}, []string{"switchover cellar", "sync", "hold", "stop attic", "switchover cellar"}},
		{"says why a stand-by cannot take over", func(n *status.Network) {
			n.Ready, n.Nodes[1].CanTake, n.Nodes[1].Why = nil, false, "not reachable"
		}, []string{"switchover cellar!", "sync", "hold", "stop attic", "switchover cellar!"}},
		{"offers only the release on hold", func(n *status.Network) { n.Hold.On = true },
			[]string{"switchover cellar!", "sync!", "release", "stop attic!", "switchover cellar!"}},
		{"waits for a run", func(n *status.Network) { n.Run = &status.Run{} },
			[]string{"switchover cellar!", "sync!", "hold", "stop attic!", "switchover cellar!"}},
		{"starts the one that was active last", func(n *status.Network) {
			n.Active, n.Nodes[0].Role = "", network.RoleFenced
		}, []string{"start", "failover cellar", "sync", "hold"}},
		{"lets one take over from a node that does not answer", func(n *status.Network) { n.Nodes[0].Radio.State = status.LightBad },
			[]string{"switchover cellar", "failover cellar", "sync", "hold", "stop attic", "switchover cellar"}},
		{"leaves the choice who takes over", func(n *status.Network) {
			n.Active, n.Nodes[0].Role = "", network.RoleOffline
			n.Nodes = append(n.Nodes, status.Node{Name: "shed", Role: network.RoleStandby}, status.Node{Name: "barn", Role: network.RoleOffline})
		}, []string{"start", "sync", "hold", "failover cellar", "failover shed"}},
		{"lets nobody take over from nobody", func(n *status.Network) { n.Active, n.Recorded = "", "" }, []string{"sync", "hold", "stop attic"}},
		{"accepts a copy that was refused", func(n *status.Network) { n.Refused = 14 },
			[]string{"switchover cellar", "accept 14", "sync", "hold", "stop attic", "switchover cellar"}},
		{"makes a stand-by ready", func(n *status.Network) { n.Nodes[1].Unloaded = true },
			[]string{"switchover cellar", "seed", "sync", "hold", "stop attic", "switchover cellar"}},
		{"makes nobody ready while nobody is active", func(n *status.Network) {
			n.Active, n.Nodes[0].Role, n.Nodes[1].Unloaded = "", network.RoleOffline, true
		},
			[]string{"start", "failover cellar", "sync", "hold"}},
		{"does none of it on hold", func(n *status.Network) { n.Hold.On, n.Refused, n.Nodes[1].Unloaded = true, 14, true },
			[]string{"switchover cellar!", "accept 14!", "seed!", "sync!", "release", "stop attic!", "switchover cellar!"}},
		{"stops one that runs beside another", func(n *status.Network) {
			n.Nodes[1].Role, n.Nodes[1].Service.State = network.RoleUnknown, status.LightBad
		}, []string{"switchover cellar", "sync", "hold", "stop attic", "stop cellar", "return cellar"}},
		{"leaves the choice when none of several is ready", func(n *status.Network) {
			n.Ready = nil
			n.Nodes = append(n.Nodes, status.Node{Name: "shed", Role: network.RoleStandby, Why: "no stick"})
		}, []string{"sync", "hold", "stop attic", "switchover cellar", "switchover shed!"}},
		{"repairs one that ails", func(n *status.Network) {
			n.Decision, n.Conditions = &status.Decision{Action: decide.Wait}, []health.Condition{{Kind: health.RadioDead, Node: "attic"}}
		}, []string{"switchover cellar", "sync", "hold", "stop attic", "repair attic", "switchover cellar"}},
		{"has a failover acknowledged, also on hold", func(n *status.Network) { n.Unacknowledged, n.Hold.On = noon, true },
			[]string{"switchover cellar!", "acknowledge", "sync!", "release", "stop attic!", "switchover cellar!"}},
		{"offers little before the first look", func(n *status.Network) { *n = status.Network{Name: "home"} }, []string{"sync", "hold"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := pair()
			tt.change(&n)
			if diff := cmp.Diff(tt.want, buttons(n)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWatch(t *testing.T) {
	n := pair()
	if v := networkOf(n, noon); v.Watch.Decision != "" || v.Question != nil || v.Notices != nil {
		t.Errorf("while nobody decides: %+v", v)
	}
	n.Policy = decide.DefaultPolicy
	n.Policy.AcceptRisk = decide.RiskWords
	n.Conditions = []health.Condition{{Kind: health.HostLostBridgeOffline, Node: "attic", Evidence: []string{"no route to attic, 12 s ago"}}}
	n.Coverage = []coverage.Line{{Failure: coverage.Host, Survives: coverage.ByHand, Why: "only you can make sure"}}
	n.Decision = &status.Decision{Number: 7, At: noon, Action: decide.Ask, Node: "attic", To: "cellar", Reasons: []string{"attic cannot be asked", "it is gone for 40 s"},
		Not:      []decide.Alternative{{Action: decide.Repair, Node: "attic", Why: "it cannot be reached"}},
		Question: &decide.Question{ID: "fence attic", Text: "attic may be on air", Fix: "pull its stick"}, Refused: "no proof", Again: noon.Add(5 * time.Minute)}
	v := networkOf(n, noon)
	want := web.Watch{
		Tells:    []web.Tell{{State: web.LightBad, Node: "attic", What: "Host unreachable and bridge offline", Evidence: []string{"no route to attic, 12 s ago"}}},
		Decision: "A person is asked: attic cannot be asked.", Reasons: []string{"It is gone for 40 s."},
		Not: []web.Alternative{{What: "Repair attic", Why: "It cannot be reached."}}, Refused: "It was not begun: no proof. It is tried again in 5 min.",
		Number: "z2mha why --number 7", Automatics: "It repairs, starts and fails over by itself.",
	}
	if diff := cmp.Diff(want, v.Watch); diff != "" {
		t.Error(diff)
	}
	if v.If != "If attic died now: Zigbee comes back by your hand. Only you can make sure." || len(v.Notices) != 1 || !strings.Contains(v.Notices[0].What, decide.RiskWords) {
		t.Errorf("first lines: %q, %+v", v.If, v.Notices)
	}
}

// Each question that the page can answer has a button that does.
func TestAnswers(t *testing.T) {
	for id, want := range map[string]string{
		"fence attic": "failover cellar", "failover attic": "failover cellar", "start attic": "start attic", "repair attic": "repair attic", "return attic": "return attic",
		"cool-down": "acknowledge ", "daily cap": "acknowledge ", "stranger": " ", "open run": " ",
	} {
		n := pair()
		n.Decision = &status.Decision{Action: decide.Ask, To: "cellar", Question: &decide.Question{ID: id}}
		a := questionOf(n).Action
		if got := a.Verb + " " + a.To; got != want || a.Verb != "" && (a.Label == "" || a.Network != "home" || a.Disabled) {
			t.Errorf("%s: %+v", id, a)
		}
		n.Hold.On = true
		if a := questionOf(n).Action; id == "start attic" && (a.Disabled || !a.OnHold) || id == "fence attic" && !a.Disabled {
			t.Errorf("on hold, %s: %+v", id, a)
		}
	}
}

func TestRuns(t *testing.T) {
	move := plan.Switchover("home", "attic", "cellar", nil, plan.DefaultTiming())
	ended := noon.Add(41 * time.Second)
	for _, tt := range []struct {
		name string
		r    status.Run
		want web.Run
	}{
		{"is under way", status.Run{Plan: move, What: "copying", Done: 1, Total: 3, DarkFrom: noon, Outage: time.Second},
			web.Run{Title: "Moving the network from attic to cellar", State: web.RunGoing, Progress: web.Progress{What: "copying", Done: 1, Total: 3}, DarkSince: noon}},
		{"turns back", status.Run{Plan: move, Turning: "no answer"},
			web.Run{Title: "Moving the network from attic to cellar", State: web.RunTurning, Turning: "No answer."}},
		{"is completed", status.Run{Plan: move, Ended: ended, Outcome: plan.Completed, Outage: 14 * time.Second},
			web.Run{Title: "Moving the network from attic to cellar", State: web.RunCompleted, Ended: ended, Took: "41 s", Outage: "14 s", Result: "The network runs on cellar."}},
		{"is given up", status.Run{Plan: plan.Sync("home", "attic", 1, []plan.SyncStep{{Node: "cellar", Stage: true}, {Node: "shed", Stage: true}}), Ended: ended, Outcome: plan.GivenUp, Err: "disk full"},
			web.Run{Title: "Copying the data of attic to cellar, shed", State: web.RunTakenBack, Ended: ended, Took: "41 s",
				Result: "Given up before anything was changed that your home notices. Disk full."}},
		{"is taken back", status.Run{Plan: move, Ended: ended, Outcome: plan.RolledBack},
			web.Run{Title: "Moving the network from attic to cellar", State: web.RunTakenBack, Ended: ended, Took: "41 s", Result: "Taken back: attic serves as before."}},
		{"takes a start back", status.Run{Plan: plan.StartNode("home", "attic", nil, plan.DefaultTiming()), Ended: ended, Outcome: plan.RolledBack},
			web.Run{Title: "Starting Zigbee2MQTT on attic again", State: web.RunTakenBack, Ended: ended, Took: "41 s", Result: "Taken back: everything is as it was before."}},
		{"needs help", status.Run{Plan: plan.StopNode("home", "attic", true, plan.DefaultTiming()), Ended: ended, Outcome: plan.NeedsHelp, Err: "no proof"},
			web.Run{Title: "Stopping Zigbee2MQTT on attic", State: web.RunNeedsHelp, Ended: ended, Took: "41 s", Result: "A person must look before anything acts again. No proof."}},
		{"let another take over", status.Run{Plan: plan.Failover("home", "attic", "cellar", nil, 12, "", plan.DefaultTiming()), Ended: ended, Outcome: plan.Completed},
			web.Run{Title: "Letting cellar take over from attic", State: web.RunCompleted, Ended: ended, Took: "41 s", Result: "The network runs on cellar."}},
		{"let nobody take over", status.Run{Plan: plan.Failover("home", "attic", "cellar", nil, 12, "", plan.DefaultTiming()), Ended: ended, Outcome: plan.RolledBack, Err: "no answer"},
			web.Run{Title: "Letting cellar take over from attic", State: web.RunTakenBack, Ended: ended, Took: "41 s", Result: "Taken back: nobody serves your home now. No answer."}},
		{"gave a failover up", status.Run{Plan: plan.Failover("home", "attic", "cellar", nil, 12, "", plan.DefaultTiming()), Ended: ended, Outcome: plan.GivenUp},
			web.Run{Title: "Letting cellar take over from attic", State: web.RunTakenBack, Ended: ended, Took: "41 s", Result: "Given up: nobody serves your home now."}},
		{"made a stand-by ready", status.Run{Plan: plan.Seed("home", "attic", []string{"cellar", "shed"}, plan.DefaultTiming()), Ended: ended, Outcome: plan.Completed},
			web.Run{Title: "Making cellar, shed ready: restarting attic once", State: web.RunCompleted, Ended: ended, Took: "41 s",
				Result: "attic serves again, and its stick was read: cellar and shed can be kept ready from now on."}},
		{"brought a copy back", status.Run{Plan: plan.Restore("home", "attic", nil, 12, plan.DefaultTiming()), Ended: ended, Outcome: plan.Completed},
			web.Run{Title: "Bringing copy 12 back onto attic", State: web.RunCompleted, Ended: ended, Took: "41 s", Result: "Copy 12 is back on attic, and the network works through it."}},
		{"brought none back", status.Run{Plan: plan.Restore("home", "attic", nil, 12, plan.DefaultTiming()), Ended: ended, Outcome: plan.RolledBack},
			web.Run{Title: "Bringing copy 12 back onto attic", State: web.RunTakenBack, Ended: ended, Took: "41 s", Result: "Taken back: attic serves as before."}},
		{"ended somehow", status.Run{Plan: plan.Plan{Kind: "new"}, Ended: ended},
			web.Run{Title: "New", State: web.RunNeedsHelp, Ended: ended, Took: "41 s", Result: "A person must look before anything acts again."}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Began, tt.want.Began = noon, noon
			if diff := cmp.Diff(&tt.want, runOf(tt.r)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSteps(t *testing.T) {
	v := stepOf(status.RunStep{Step: plan.Step{Title: "stop attic", Node: "attic", Dark: true}, State: status.StepFailed, Note: "no answer", Took: 1200 * time.Millisecond, Saw: []string{"x"}})
	want := web.RunStep{Title: "Stop attic", Node: "attic", Dark: true, State: web.StepFailed, Note: "No answer.", Took: "1.2 s", Saw: []string{"x"}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Error(diff)
	}
	if v := stepOf(status.RunStep{}); v.State != web.StepWaiting {
		t.Errorf("a step without a state is %q", v.State)
	}
}

func TestHowLongAnEndedRunIsShown(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     status.Network
		after time.Duration
		shown bool
	}{
		{"shows nothing", status.Network{}, 0, false},
		{"shows what just ended", status.Network{Ended: &status.Run{Ended: noon, Outcome: plan.Completed}}, 59 * time.Minute, true},
		{"forgets it", status.Network{Ended: &status.Run{Ended: noon, Outcome: plan.Completed}}, time.Hour, false},
		{"keeps what needs help", status.Network{Ended: &status.Run{Ended: noon, Outcome: plan.NeedsHelp}}, 48 * time.Hour, true},
		{"prefers what is under way", status.Network{Run: &status.Run{ID: "now"}, Ended: &status.Run{Ended: noon}}, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := shownRun(tt.n, noon.Add(tt.after))
			if (got != nil) != tt.shown || tt.n.Run != nil && got.ID != "now" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestInterruption(t *testing.T) {
	for want, i := range map[string]desk.Interruption{
		"Zigbee goes on working all the time.":                                                                                        {None: true},
		"Your home has no Zigbee from then on, until somebody starts a node again.":                                                   {Forever: true},
		"Your home has no Zigbee for a while; how long cannot be said.":                                                               {},
		"Your home has no Zigbee for a while: at most 12 min, then it is taken back.":                                                 {AtMost: 12 * time.Minute},
		"Your home has no Zigbee for about 14 s (as long as last time); at most 12 min, should every step hang until it is given up.": {Expected: 14 * time.Second, Measured: true, AtMost: 12 * time.Minute},
		"Your home has no Zigbee for about 15 s (an estimate); at most 18 min, should every step hang until it is given up.":          {Expected: 15 * time.Second, AtMost: 17*time.Minute + 18*time.Second},
		"Your home has no Zigbee for a while: at most 1 min, then it is taken back.":                                                  {AtMost: 30 * time.Second},
		"Your home has no Zigbee for about 15 s (an estimate).":                                                                       {Expected: 15 * time.Second},
	} {
		if got := noticed(desk.Preview{Interruption: i}); got != want {
			t.Errorf("%+v is %q, want %q", i, got, want)
		}
	}
	start := desk.Preview{Request: desk.Request{Verb: desk.Start}, Interruption: desk.Interruption{AtMost: 12 * time.Minute}}
	if got := noticed(start); !strings.HasPrefix(got, "Your home has no Zigbee now.") {
		t.Errorf("before a start: %q", got)
	}
}

// TestFingerprint: it changes with what would be done, and with nothing else.
func TestFingerprint(t *testing.T) {
	preview := func(change func(*desk.Preview)) string {
		p := desk.Preview{Request: desk.Request{Network: "home", Verb: desk.Switchover, To: "cellar", By: "Owner"}}
		p.Plan = plan.Switchover("home", "attic", "cellar", []string{"shed"}, plan.DefaultTiming())
		change(&p)
		return fingerprint(p)
	}
	same := preview(func(*desk.Preview) {})
	for _, tt := range []struct {
		name   string
		change func(*desk.Preview)
		same   bool
	}{
		{"who asks", func(p *desk.Preview) { p.Request.By = "Guest" }, true},
		{"when it was made", func(p *desk.Preview) { p.Plan.Created, p.Plan.ID = noon, "x" }, true},
		{"how long it may take", func(p *desk.Preview) { p.Plan.Steps[0].Budget, p.Interruption.AtMost = 1, 1 }, true},
		{"the network", func(p *desk.Preview) { p.Request.Network = "shed" }, false},
		{"the verb", func(p *desk.Preview) { p.Request.Verb = desk.Sync }, false},
		{"where from", func(p *desk.Preview) { p.Plan.From = "shed" }, false},
		{"where to", func(p *desk.Preview) { p.Plan.To = "shed" }, false},
		{"the others", func(p *desk.Preview) { p.Plan.Others = nil }, false},
		{"the copy", func(p *desk.Preview) { p.Request.Generation = 14 }, false},
		{"the copy of the plan", func(p *desk.Preview) { p.Plan.Generation = 14 }, false},
		{"the reasons", func(p *desk.Preview) { p.Why = []string{"another channel"} }, false},
		{"the steps", func(p *desk.Preview) { p.Plan.Steps = p.Plan.Steps[1:] }, false},
	} {
		if got := preview(tt.change) == same; got != tt.same {
			t.Errorf("with another value of %s it stays the same: %t", tt.name, got)
		}
	}
}
