package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/health"
)

const (
	startLimit = 2 * time.Minute // for one start of Zigbee2MQTT
	outLimit   = 3 * time.Minute // for one that begins again and again
	// retry is how long an action that came to nothing is left alone.
	retry = 10 * time.Minute
	// lasting is how long a repair must have held to be worth another one.
	lasting = 5 * time.Minute
	minimum = 2 // looks that must agree
	starts  = 2 // cold starts within an hour
)

func starting(s *situation) (Decision, bool) {
	if s.trouble.Kind != health.Starting || s.since() >= startLimit || s.out() >= outLimit {
		return pass("")
	}
	return s.wait(s.memory.Since.Add(startLimit), append(reason("%s starts %s; it is given %s", s.trouble.Node, health.For(s.now, s.memory.Since), health.Span(startLimit)), s.trouble.Evidence...)...)
}

func respawn(s *situation) (Decision, bool) {
	n := s.trouble.Node
	if s.trouble.Kind != health.ProcessGone || !s.State.Restarts[n] || s.out() >= s.Policy.Respawn {
		return pass("")
	}
	return s.wait(s.memory.Out.Add(s.Policy.Respawn), append(reason("the service manager of %s starts Zigbee2MQTT again by itself; it is given %s, of which %s have passed",
		n, health.Span(s.Policy.Respawn), health.Span(s.out())), s.trouble.Evidence...)...)
}

func settle(s *situation) (Decision, bool) {
	if s.trouble.Kind == "" || (s.since() >= s.Policy.Settle || s.out() >= s.Policy.Confirm) && s.memory.Looks >= minimum {
		return pass("")
	}
	return s.wait(s.memory.Since.Add(s.Policy.Settle), append(reason("%s; it must be so for %s, at %d looks or more: it was at %d", s.wrong(), health.Span(s.Policy.Settle), minimum, s.memory.Looks), s.trouble.Evidence...)...)
}

// coldStart is for a home in which nobody serves, and nobody has served under our eyes: a
// power cut, or a run that ended in silence. A repair that has just ended so did try to
// start it, with all that a start does: the next one to be tried is a stand-by.
func coldStart(s *situation) (Decision, bool) {
	if why := s.mayNotStart(); why != "" {
		return pass("%s", why)
	}
	if s.served() {
		return pass("%s served until just now, so it is repaired in place, or another node takes over", s.active())
	}
	if t, bad := s.failed(Repair, s.active(), retry); bad {
		return pass("a repair in place was tried %s: %s", s.ago(t.At), t.Why)
	}
	return s.start("every other stick is silent")
}

// startAgain is for a home in which nobody may take over.
func startAgain(s *situation) (Decision, bool) {
	if s.mayNotStart() != "" {
		return pass("")
	}
	for _, stops := range []func(*situation) (Decision, bool){coolDown, dailyCap, standby, oneVoice, fence} {
		if d, decided := stops(s); decided {
			return s.start("nobody may take over (" + d.Reasons[0] + ")")
		}
	}
	return pass("")
}

// mayNotStart is what speaks against a cold start, "" when nothing does.
func (s *situation) mayNotStart() string {
	n := s.active()
	switch {
	case s.trouble.Kind == "":
		return s.serving()
	case !s.is(health.NoneActive) || s.trouble.Kind != health.ProcessGone:
		return "it is not so that nobody is active and the node that was can be asked: " + s.wrong()
	}
	if why := s.aloud(n, ""); why != "" {
		return why
	}
	if t, bad := s.failed(ColdStart, n, retry); bad {
		return fmt.Sprintf("it was tried %s: %s", s.ago(t.At), t.Why)
	}
	if k := s.within(s.State.Starts, time.Hour); k >= starts {
		return fmt.Sprintf("%s was cold started %s within the hour, which is as often as is allowed", n, times(k))
	}
	return ""
}

func (s *situation) start(why string) (Decision, bool) {
	n := s.active()
	d := Decision{Action: ColdStart, Node: n, Reasons: append(reason("nobody is active, %s, and %s was active last", why, n), s.find(health.NoneActive).Evidence...)}
	return s.act(d, fmt.Sprintf("Press “Start %s” on the page, or run `z2mha start %s`.", n, n))
}

// served says that the active was heard in our time, and not silenced since.
func (s *situation) served() bool {
	h := s.Health
	heard := !h.Radio.Heard.IsZero() || !h.Bridge.Spoke.IsZero() || !h.Bridge.At.IsZero() && !h.Bridge.Kept
	return heard && s.node(h.Recorded).Silent.IsZero()
}

// repair: what a restart cannot mend is left to a failover.
func repair(s *situation) (Decision, bool) {
	n := s.trouble.Node
	if n == "" {
		return pass("%s", s.serving())
	}
	if why := s.mayRepair(); why != "" {
		return pass("%s", why)
	}
	what := "its service is restarted"
	if s.trouble.Kind == health.RadioDead {
		what = "its stick is reset and its service restarted"
	}
	d := Decision{Action: Repair, Node: n, Reasons: append(reason("%s; %s before anything else is tried", s.wrong(), what), s.trouble.Evidence...)}
	return s.act(d, fmt.Sprintf("Press “Repair %s” on the page, or run `z2mha repair`.", n))
}

// mayRepair is what speaks against a repair in place, "" when nothing does.
func (s *situation) mayRepair() string {
	n := s.trouble.Node
	switch s.trouble.Kind {
	case health.DongleMissing:
		return fmt.Sprintf("the stick of %s is not plugged in, so a restart cannot help", n)
	case health.HostLostBridgeOffline:
		return fmt.Sprintf("%s cannot be reached, so nothing can be restarted there", n)
	}
	done := s.last(s.State.Repairs, lasting)
	switch k := s.within(s.State.Repairs, time.Hour); {
	case !s.node(n).Silent.IsZero():
		return fmt.Sprintf("%s was silenced %s and not started since: a restart without raised counters is not allowed", n, s.ago(s.node(n).Silent))
	case !done.IsZero():
		return fmt.Sprintf("%s was repaired in place %s, and that did not last", n, s.ago(done))
	case k >= s.Policy.Repairs:
		return fmt.Sprintf("%s was repaired in place %s within the hour, which is as often as is allowed", n, times(k))
	}
	if why := s.aloud(n, ""); why != "" {
		return why
	}
	if t, bad := s.failed(Repair, n, retry); bad {
		return fmt.Sprintf("a repair in place was tried %s: %s", s.ago(t.At), t.Why)
	}
	return ""
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// serving is why there is nothing to mend.
func (s *situation) serving() string {
	c := s.find(health.Healthy, health.Unproven)
	if c.Kind == "" {
		return "nothing is known to be wrong"
	}
	return fmt.Sprintf("%s serves: %s", c.Node, c.Evidence[0])
}

func confirm(s *situation) (Decision, bool) {
	if s.trouble.Kind == "" || s.out() >= s.Policy.Confirm {
		return pass("")
	}
	return s.wait(s.memory.Out.Add(s.Policy.Confirm), append(reason("%s; it must be so for %s before another node takes over, of which %s have passed", s.wrong(), health.Span(s.Policy.Confirm), health.Span(s.out())), s.trouble.Evidence...)...)
}

func coolDown(s *situation) (Decision, bool) {
	l := s.last(s.State.Failovers, s.Policy.CoolDown)
	if s.trouble.Kind == "" || l.IsZero() || s.acknowledged(l) || broken.IgnoresCoolDown {
		return pass("")
	}
	d, _ := ask(s.trouble.Node, "", Question{ID: "cool-down", Text: fmt.Sprintf("%s. There was an automatic failover %s, so there is no other one before %s have passed.", s.wrong(), s.ago(l), health.Span(s.Policy.CoolDown)),
		Fix: "Acknowledge the last failover on the page, then it may act again; or move by hand: `z2mha failover`."},
		append(reason("there was an automatic failover %s; within %s there is no other one unless it is acknowledged", s.ago(l), health.Span(s.Policy.CoolDown)), s.wrong())...)
	d.Again = l.Add(s.Policy.CoolDown)
	return d, true
}

// acknowledged says that a person has dealt with the failover of a time. What lies ahead of
// our clock was said while that was wrong, and would hold for failovers that nobody has seen.
func (s *situation) acknowledged(failover time.Time) bool {
	at := s.State.Acknowledged
	return health.Age(at, failover) > 0 && health.Age(s.now, at) > -5*time.Second
}

// dailyCap counts those that no person has dealt with.
func dailyCap(s *situation) (Decision, bool) {
	open := slices.DeleteFunc(slices.Clone(s.State.Failovers), s.acknowledged)
	k := s.within(open, 24*time.Hour)
	if s.trouble.Kind == "" || k < s.Policy.PerDay {
		return pass("")
	}
	return ask(s.trouble.Node, "", Question{ID: "daily cap", Text: fmt.Sprintf("%s. There were %d automatic failovers within a day, which is as many as are allowed.", s.wrong(), k),
		Fix: "Find out why the network does not stay; then move by hand, `z2mha failover`, or let it go on: **Acknowledge** on the page, or `z2mha acknowledge`."},
		append(reason("there were %d automatic failovers within 24 h, and %d are allowed", k, s.Policy.PerDay), s.wrong())...)
}

// standby: nobody is ready.
func standby(s *situation) (Decision, bool) {
	if _, found := s.best(); s.trouble.Kind == "" || found {
		return pass("")
	}
	why := s.unready()
	return ask(s.trouble.Node, "", Question{ID: "no stand-by", Text: fmt.Sprintf("%s. No stand-by is ready to take over: %s.", s.wrong(), strings.Join(why, "; ")),
		Fix: fmt.Sprintf("Make %s serve again, or make a stand-by ready: `z2mha preflight` says what it lacks.", s.trouble.Node)},
		append(reason("no stand-by is ready to take over"), append(why, s.wrong())...)...)
}

// best is the stand-by that takes over when one must.
func (s *situation) best() (Standby, bool) {
	var ready []Standby
	for _, b := range s.Standbys {
		if s.notReady(b) == "" {
			ready = append(ready, b)
		}
	}
	slices.SortStableFunc(ready, func(a, b Standby) int {
		if a.Warm != b.Warm {
			return map[bool]int{true: -1, false: 1}[a.Warm]
		}
		return cmp.Compare(b.Generation, a.Generation)
	})
	if len(ready) == 0 {
		return Standby{}, false
	}
	return ready[0], true
}

// notReady is why a node cannot take over, "" when it can.
func (s *situation) notReady(b Standby) string {
	if b.Node == s.active() {
		return b.Node + " is the node on record as active"
	}
	if !b.Ready {
		return b.Node + " is not ready: " + strings.Join(orNil(b.Why), "; ")
	}
	if s.stance(b.Node) != health.Stopped {
		return s.node(b.Node).Sight(s.now)
	}
	if t, bad := s.failed(Failover, b.Node, time.Hour); bad {
		return fmt.Sprintf("%s was to take over %s, which came to nothing: %s", b.Node, s.ago(t.At), t.Why)
	}
	return ""
}

func (s *situation) unready() (out []string) {
	for _, b := range s.Standbys {
		if why := s.notReady(b); why != "" {
			out = append(out, why)
		}
	}
	if len(out) == 0 {
		return []string{"there is none"}
	}
	return out
}

func oneVoice(s *situation) (Decision, bool) {
	b, _ := s.best()
	if s.trouble.Kind == "" {
		return pass("")
	}
	why := s.aloud(s.trouble.Node, b.Node)
	if why == "" {
		return pass("")
	}
	return ask(s.trouble.Node, b.Node, Question{ID: "voices", Text: fmt.Sprintf("%s. %s could take over, but %s.", s.wrong(), b.Node, why),
		Fix: "Make that host reachable, or see that its stick has no power and take it out of the configuration."},
		append(reason("%s", why), s.wrong())...)
}

// aloud is which node, other than these two, may be on air.
func (s *situation) aloud(from, to string) string {
	for _, n := range s.Health.Nodes {
		if n.Name == from || n.Name == to || n.Stance(s.now) == health.Stopped || n.Quiet(s.now) {
			continue
		}
		return fmt.Sprintf("%s, and %s", n.Sight(s.now), n.Quietness(s.now))
	}
	return ""
}

func fence(s *situation) (Decision, bool) {
	if s.trouble.Kind == "" || s.proof() != "" {
		return pass("")
	}
	n, b := s.trouble.Node, must(s.best())
	why := s.noProof()
	return ask(n, b.Node, Question{ID: "fence " + n,
		Text: fmt.Sprintf("%s. %s. When it is silent, %s takes over (generation %d).", s.wrong(), why, b.Node, b.Generation),
		Fix:  fmt.Sprintf("Pull the stick out of %s, or cut the power of %s, and leave it so. Then press “It is unplugged” on the page, or run `z2mha failover --to %s --confirm-unplugged`.", n, n, b.Node)},
		append(reason("%s", why), s.wrong())...)
}

func must(b Standby, _ bool) Standby { return b }

// proof is how the old node can be silenced with proof, "" when it cannot.
func (s *situation) proof() string {
	n := s.node(s.trouble.Node)
	f, failed := s.State.FenceFailed[n.Name]
	failed = failed && s.lately(f.At, retry)
	switch power := slices.Contains(s.State.Fences[n.Name], RungPower); {
	case n.Quiet(s.now):
		return n.Quietness(s.now)
	case s.Policy.AcceptRisk == RiskWords:
		return "the risk that " + RiskWords + " was accepted"
	case failed:
		return ""
	case power:
		return fmt.Sprintf("the power of %s can be cut", n.Name)
	case n.Stance(s.now).Reachable() && s.trouble.Kind != health.DongleMissing:
		return fmt.Sprintf("%s can be asked: it is stopped and its stick reset first", n.Name)
	}
	return ""
}

// noProof is why it cannot.
func (s *situation) noProof() string {
	n := s.trouble.Node
	if f, ok := s.State.FenceFailed[n]; ok && s.lately(f.At, retry) {
		return fmt.Sprintf("the stick of %s could not be silenced with proof, tried %s: %s", n, s.ago(f.At), f.Why)
	}
	if s.trouble.Kind == health.DongleMissing {
		return fmt.Sprintf("the stick of %s is not plugged in there, so nobody can tell whether it is on air", n)
	}
	return fmt.Sprintf("%s cannot be asked, and no fence that does not depend on it is configured, so its stick may be on air", n)
}

func failover(s *situation) (Decision, bool) {
	if s.trouble.Kind == "" {
		return pass("%s", s.serving())
	}
	b := must(s.best())
	d := Decision{Action: Failover, Node: s.trouble.Node, To: b.Node, Reasons: append(reason("%s; %s takes over", s.wrong(), standing(b)), s.proof())}
	d.Reasons = append(d.Reasons, s.trouble.Evidence...)
	return s.act(d, fmt.Sprintf("Press “Let %s take over …” on the page, or run `z2mha failover --to %s`.", b.Node, b.Node))
}

// standing is a stand-by with what it would start with.
func standing(b Standby) string {
	kind := "cold"
	if b.Warm {
		kind = "warm"
	}
	return fmt.Sprintf("%s (%s, generation %d, %s old)", b.Node, kind, b.Generation, health.Span(b.Age))
}
