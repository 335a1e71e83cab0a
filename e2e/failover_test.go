package e2e_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/health"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/home"
)

// atOnce is how many homes stand side by side: their programs need some seconds of a
// processor to start, and wait most of the time.
const atOnce = 6

// TestE2EFailover breaks a home of real programs in one way at a time, with the controller
// watching and nobody there to ask it. Each time the radio's record must be clean, and the
// lamp must answer at the end, or the controller must say why nothing is done.
func TestE2EFailover(t *testing.T) {
	scenarios := []struct {
		name string
		run  func(*testing.T)
	}{
		// those that take longest come first
		{"Zigbee2MQTT is killed and does not start again", killedForGood},
		{"the stick goes mute", mute},
		{"the stick goes mute for good", muteForGood},
		{"the host freezes, and its stick is fenced", frozenAndFenced},
		{"the broker restarts", brokerRestarts},
		{"a rehearsal at its minute", rehearsed},
		{"the house loses its power", powerCutEverywhere},
		{"the host freezes", frozen},
		{"the host is cut off and fenced", cutOffAndFenced},
		{"the host is cut off", cutOffAlone},
		{"only the way to the host is gone", onlyOurWay},
		{"the controller dies in a failover", controllerDiesInFailover},
		{"the controller dies in a switchover", controllerDiesInSwitchover},
		{"the stand-by's stick breaks, too", standbyBreaks},
		{"the stick is pulled, and there is a fence", pulledAndFenced},
		{"the stick is pulled", pulled},
		{"Zigbee2MQTT is killed", killed},
	}
	sideBySide(len(scenarios), atOnce, func(i int) { t.Run(scenarios[i].name, scenarios[i].run) })
}

// killed: the stick stays on air. Zigbee2MQTT is started again where it is; a stand-by that
// took over would speak beside it.
func killed(t *testing.T) {
	g := watched(t).seeded()
	g.kills(g.home.Attic)
	g.tells(status.EventRepaired, "attic")
	g.never(status.EventFailoverStarted)
	g.endsWell(g.home.Attic)
}

// killedForGood: the stick that was left on air is silenced before the cellar speaks.
func killedForGood(t *testing.T) {
	g := watched(t)
	g.reconfigure(func(s string) string { return strings.Replace(s, "start: 2m", "start: 1m", 1) })
	g.seeded()
	g.cannotStart(g.home.Attic)
	g.kills(g.home.Attic)
	g.tells(status.EventRepairFailed)
	g.tells(status.EventFailoverCompleted, "cellar")
	g.never(status.EventRunFailed) // such as the same start once more
	g.endsWell(g.home.Cellar)
}

// cannotStart has the start of a node's service fail.
func (g *guarded) cannotStart(n *home.Node) {
	g.Helper()
	raw, err := os.ReadFile(n.Script())
	if err != nil {
		g.Fatal(err)
	}
	broken := strings.Replace(string(raw), "\tsetsid ", "\texit 1\n\tsetsid ", 1)
	if err := os.WriteFile(n.Script(), []byte(broken), 0o755); err != nil {
		g.Fatal(err)
	}
}

func (g *guarded) kills(n *home.Node) {
	g.Helper()
	if err := n.Kill(); err != nil {
		g.Fatal(err)
	}
}

// pulled: the stick may be on air elsewhere, so a person is asked.
func pulled(t *testing.T) {
	g := watched(t).seeded()
	g.home.Attic.Dongle.Unplug()
	g.asks("fence attic", "Pull the stick out of attic", "It is unplugged")
	g.staysSilent(10 * time.Second)
	g.home.Attic.Dongle.Replug() // he puts it back
	g.endsWell(g.home.Attic)
}

// pulledAndFenced: the host's power is cut, and with it that of a stick in another socket.
func pulledAndFenced(t *testing.T) {
	g := watched(t)
	p := g.webPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
	g.seeded()
	g.home.Attic.Dongle.Unplug()
	g.tells(status.EventFailoverCompleted, "cellar")
	g.wasFencedBy(p)
	g.endsWell(g.home.Cellar)
}

// mute: the program in the stick hangs until it is asked anew.
func mute(t *testing.T) {
	g := watched(t).seeded()
	since := g.goesMute()
	g.comesTo(plan.ActFence)
	g.foundWithin(since, time.Minute)
	g.home.Attic.Dongle.SetFault(znpsim.Fault{})
	g.tells(status.EventRepaired, "attic")
	g.never(status.EventFailoverStarted)
	g.endsWell(g.home.Attic)
}

// muteForGood: a stick that cannot be asked may be on air. Its power is cut.
func muteForGood(t *testing.T) {
	g := watched(t)
	p := g.webPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
	g.seeded()
	since := g.goesMute()
	g.tells(status.EventRepairFailed)
	g.foundWithin(since, time.Minute)
	g.tells(status.EventFailoverCompleted, "cellar")
	g.wasFencedBy(p)
	g.endsWell(g.home.Cellar)
}

// goesMute has the attic's stick answer nothing any more, once the controller knows the
// pace of the home: what comes in the first 30 s might be left over from a start of
// Zigbee2MQTT that it has not seen. Its radio goes on.
func (g *guarded) goesMute() time.Time {
	g.Helper()
	g.becomes("there is traffic", func() bool { return len(g.watch.Answers(g.began.Add(30*time.Second), time.Now())) >= 30 })
	g.home.Attic.Dongle.SetFault(znpsim.Fault{Silent: true})
	return time.Now()
}

// foundWithin checks when it was first decided to do something.
func (g *guarded) foundWithin(since time.Time, d time.Duration) {
	g.Helper()
	i := slices.IndexFunc(g.journal(), func(e plan.Entry) bool { return e.Event == plan.EventPlanned && e.At.After(since) })
	if i < 0 {
		g.Fatal("nothing was begun")
	}
	took := g.journal()[i].At.Sub(since)
	g.Logf("found after %.1f s", took.Seconds())
	if took > d {
		g.Errorf("it was acted upon after %s, want %s at most", took, d)
	}
}

// frozen: nobody can tell a host that hangs from one that is cut off, and its stick is on
// air. Nothing is done, a person is asked, and the host goes on when it thaws.
func frozen(t *testing.T) {
	g := watched(t).seeded()
	g.freeze(g.home.Attic)
	g.asks("fence attic", "cut the power of attic")
	g.staysWith(g.home.Attic, 10*time.Second)
	g.thaw(g.home.Attic)
	g.calms()
	g.endsWell(g.home.Attic)
	g.never(acts...)
}

// frozenAndFenced: the stick has a supply of its own, which is switched. When the host thaws
// its Zigbee2MQTT goes on, on a stick without a network, and is made a stand-by.
func frozenAndFenced(t *testing.T) {
	g := watched(t)
	p := g.webPlug(g.home.Attic, func() { g.home.Attic.Dongle.SetPower(false) })
	g.seeded()
	g.freeze(g.home.Attic)
	g.tells(status.EventFailoverCompleted, "cellar")
	g.wasFencedBy(p)
	g.lampAnswersThrough(g.home.Cellar)
	p.switchOn()
	g.home.Attic.Dongle.SetPower(true)
	g.thaw(g.home.Attic)
	g.becomes("the attic's Zigbee2MQTT is ended", func() bool { return g.home.Attic.PID() == 0 })
	g.becomes("the attic is a stand-by", func() bool {
		return g.ear.last(0, "z2mha/home/attributes", `"ready":["attic"]`) && len(g.unsettled()) == 0
	})
	g.endsWell(g.home.Cellar)
}

// onlyOurWay: Zigbee2MQTT serves, and only we cannot reach its host.
func onlyOurWay(t *testing.T) {
	g := watched(t).seeded()
	g.cutOff(g.home.Attic)
	g.becomes("it is known to be only our way", func() bool {
		_, d := g.decided()
		return d.Action == decide.Nothing && is(d, health.HostLostBridgeOnline)
	})
	g.tells(status.EventProtection, "attic")
	g.staysWith(g.home.Attic, 20*time.Second)
	g.reachable(g.home.Attic)
	g.calms()
	g.endsWell(g.home.Attic)
	g.never(acts...)
}

// cutOffAlone: neither host nor Zigbee2MQTT can be heard, and the stick is on air.
func cutOffAlone(t *testing.T) {
	g := watched(t)
	way := g.ownWayToBroker(g.home.Attic)
	g.seeded()
	g.cutOff(g.home.Attic)
	way.Close()
	g.asks("fence attic", "Pull the stick out of attic", "--confirm-unplugged")
	g.becomes("it is told in Home Assistant, too", func() bool { return g.ear.has(eventOf, string(status.EventNeedsConfirmation)) })
	g.staysOnAir(g.home.Attic, 10*time.Second)
	g.reachable(g.home.Attic)
	way.Open()
	g.calms()
	g.endsWell(g.home.Attic)
	g.never(acts...)
}

// cutOffAndFenced: the same with a plug that cuts the attic's power. Later the attic has it
// back: it becomes a stand-by.
func cutOffAndFenced(t *testing.T) {
	g := watched(t)
	way := g.ownWayToBroker(g.home.Attic)
	p := g.topicPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
	g.seeded()
	g.cutOff(g.home.Attic)
	way.Close()
	g.tells(status.EventFailoverCompleted, "cellar")
	g.wasFencedBy(p)
	g.lampAnswersThrough(g.home.Cellar)

	p.switchOn()
	way.Open()
	g.powerUp(g.home.Attic)
	g.tells(status.EventReturned, "attic")
	g.becomes("the attic could take over", func() bool {
		return g.ear.last(0, "z2mha/home/attributes", `"ready":["attic"]`) && len(g.unsettled()) == 0
	})
	g.endsWell(g.home.Cellar)
}

// ownWayToBroker leads a node's Zigbee2MQTT to the broker through a gate.
func (g *guarded) ownWayToBroker(n *home.Node) *gate {
	g.Helper()
	way := newGate(g.T, g.home.Broker())
	way.Open()
	g.edit(n, "configuration.yaml", func(s string) string { return strings.Replace(s, g.home.Broker(), way.Address, 1) })
	return way
}

// brokerRestarts, once while all is well and once in the middle of a move. It forgets all
// that it had kept.
func brokerRestarts(t *testing.T) {
	b := newBroker(t, "").start()
	g := watched(t, func(o *home.Options) { o.Broker = b.address }).seeded()
	b.stop()
	g.becomes("the broker is missed", func() bool { _, d := g.decided(); return is(d, health.BrokerUnreachable) })
	g.staysOnAir(g.home.Attic, 12*time.Second)
	g.never(acts...)
	b.start()
	g.calms()
	g.lampAnswersThrough(g.home.Attic)

	g.server.until("a move is begun", func() bool {
		g.ear.say("z2mha/home/cellar/cmd/activate", "PRESS", false)
		return waitFor(g.Context(), func() bool { return len(g.unsettled()) > 0 })
	})
	g.comesTo(plan.ActStop)
	b.stop()
	<-time.After(3 * time.Second) // the case to test
	b.start()
	g.becomes("the move is settled", func() bool { return len(g.unsettled()) == 0 })
	g.calms()
	g.endsWell(g.onAir())
}

// controllerDiesInSwitchover, while the network is dark.
func controllerDiesInSwitchover(t *testing.T) {
	g := watched(t).seeded()
	g.ear.say("z2mha/home/cellar/cmd/activate", "PRESS", false)
	g.comesTo(plan.ActPromote)
	g.server.kill()
	g.returns()
	g.becomes("the move is settled", func() bool { return len(g.unsettled()) == 0 })
	g.calms()
	g.endsWell(g.onAir())
}

// controllerDiesInFailover, when the old active is fenced and the new one not yet on air.
func controllerDiesInFailover(t *testing.T) {
	g := watched(t)
	p := g.webPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
	g.seeded()
	g.powerCut(g.home.Attic)
	g.comesTo(plan.ActPromote)
	g.server.kill()
	g.wasFencedBy(p)
	g.returns()
	g.becomes("the cellar serves", func() bool { return g.home.OnAir() == "cellar" && len(g.unsettled()) == 0 })
	g.endsWell(g.home.Cellar)
}

// returns starts the controller again.
func (g *guarded) returns() { g.server = served(g.T, g.home.Config) }

// standbyBreaks in the middle of a failover. Nobody is left, and that is said. When the
// attic has its power back it serves again.
func standbyBreaks(t *testing.T) {
	g := watched(t)
	p := g.webPlug(g.home.Attic, func() { g.powerCut(g.home.Attic) })
	g.seeded()
	g.powerCut(g.home.Attic)
	g.comesTo(plan.ActFence)
	g.home.Cellar.Dongle.SetFault(znpsim.Fault{Silent: true})
	g.tells(status.EventFailoverFailed)
	g.staysSilent(10 * time.Second)
	g.asks("")
	g.wasFencedBy(p)

	g.home.Cellar.Dongle.SetFault(znpsim.Fault{})
	p.switchOn()
	g.powerUp(g.home.Attic)
	g.endsWell(g.home.Attic)
}

// powerCutEverywhere: both hosts, the broker and the controller are off and on again. The
// last active is started, with counters above all that was used.
func powerCutEverywhere(t *testing.T) {
	b := newBroker(t, "").start()
	g := watched(t, func(o *home.Options) { o.Broker = b.address }).seeded()
	g.server.kill()
	b.stop()
	for _, n := range g.home.Nodes() {
		g.powerCut(n)
	}
	b.start()
	for _, n := range g.home.Nodes() {
		g.powerUp(n)
	}
	g.returns()
	g.tells(status.EventNodeStarted, "attic")
	g.never(status.EventFailoverStarted, status.EventSwitchoverStarted)
	g.endsWell(g.home.Attic)
}

// rehearsed: the network is moved at its minute, and the move is on record as such.
func rehearsed(t *testing.T) {
	g := watched(t).seeded()
	due := time.Now().Add(15 * time.Second).Truncate(time.Minute).Add(time.Minute)
	g.reconfigure(func(s string) string {
		return strings.Replace(s, hasty, strings.TrimSuffix(hasty, "}\n")+fmt.Sprintf(`, rehearsal: {cron: "%d %d * * *"}}`+"\n", due.Minute(), due.Hour()), 1)
	})
	ev := g.tells(status.EventSwitchoverCompleted, "cellar")
	if ev.Cause != status.CauseScheduled || ev.Duration <= 0 {
		t.Errorf("on record as %s, taking %s, want scheduled and measured", ev.Cause, ev.Duration)
	}
	if begun := g.tells(status.EventSwitchoverStarted).At; begun.Before(due) || begun.After(due.Add(time.Minute)) {
		t.Errorf("begun at %s, want in the minute from %s on", begun, due)
	}
	g.endsWell(g.home.Cellar)
}

// asks waits for a question to a person, told as an event whose words help, and found
// again with z2mha why.
func (g *guarded) asks(id string, words ...string) {
	g.Helper()
	ev := g.tells(status.EventNeedsConfirmation, words...)
	g.becomes("the question "+id+" is on record", func() bool {
		_, d := g.decided()
		return d.Question != nil && (id == "" || d.Question.ID == id)
	})
	g.ends(g.z2mha("why"), exitOK, ev.Fix)
	g.ends(g.z2mha("why", "--not", "failover"), exitOK)
}

// staysSilent: nobody is on air for so long.
func (g *guarded) staysSilent(d time.Duration) {
	g.Helper()
	g.throughout(d, "nobody", func() bool { return g.home.OnAir() == "" })
}

// staysOnAir: this one, and no other.
func (g *guarded) staysOnAir(n *home.Node, d time.Duration) {
	g.Helper()
	g.throughout(d, n.Name, func() bool { return g.home.OnAir() == n.Name })
}

// staysWith: the same, and nothing is begun.
func (g *guarded) staysWith(n *home.Node, d time.Duration) {
	g.Helper()
	g.staysOnAir(n, d)
	if open := g.unsettled(); len(open) > 0 {
		g.Errorf("something was begun: %s", open)
	}
}

func (g *guarded) throughout(d time.Duration, who string, holds func() bool) {
	g.Helper()
	for end := time.After(d); ; {
		if !holds() {
			g.Fatalf("on air: %q, want %s; told was: %s", g.home.OnAir(), who, g.story())
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-end:
			return
		}
	}
}

// calms waits until the network is healthy in the eyes of the controller.
func (g *guarded) calms() {
	g.Helper()
	g.becomes("all is well", func() bool {
		_, d := g.decided()
		return (d.Action == decide.Nothing || d.Action == decide.Look) && (is(d, health.Healthy) || is(d, health.Unproven)) && len(d.Conditions) == 1
	})
}

func is(d decide.Decision, k health.Kind) bool {
	return slices.ContainsFunc(d.Conditions, func(c health.Condition) bool { return c.Kind == k })
}

// wasFencedBy: the plug was used, and the journal says so.
func (g *guarded) wasFencedBy(p *plug) {
	g.Helper()
	if p.used() == 0 {
		g.Error("the plug was not switched")
	}
	if !slices.ContainsFunc(g.journal(), func(e plan.Entry) bool {
		return e.Event == plan.EventDone && strings.Contains(e.Step, "-"+string(plan.ActFence)+"-") && strings.Contains(string(e.Data), "OFF")
	}) {
		g.Error("the journal does not say that the plug has cut the power")
	}
}
