package wired

import (
	"io"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/desk"
	"z2mha/internal/world/memnet"
)

// A Kind is what a deed is.
type Kind string

// What goes wrong on the way to a host, on it, at its stick, at the broker and with the
// controller, and what is asked for meanwhile.
const (
	RefusedSSH     Kind = "ssh is refused"
	HalfOpenSSH    Kind = "ssh loses requests"
	OneWaySSH      Kind = "ssh loses answers"
	DroppedSSH     Kind = "ssh is cut"
	DroppedCommand Kind = "ssh is cut in a command"
	SlowSSH        Kind = "ssh is slow"
	HostPowerLoss  Kind = "host loses its power"
	HostFreezes    Kind = "host freezes, then thaws"
	HostDiskFull   Kind = "disk of a host is full"
	HouseDark      Kind = "power cut in the house"
	ProcessKilled  Kind = "process is killed"
	ProcessHangs   Kind = "process hangs"
	StickMute      Kind = "stick is mute"
	RadioDead      Kind = "radio dies, process lives"
	StickPulled    Kind = "person pulls a stick"
	TornWrite      Kind = "power of a stick goes in a write"
	FailedWrite    Kind = "write to a stick fails"
	LostAnswer     Kind = "answer of a stick is lost"
	BrokerDown     Kind = "broker is down"
	BrokerRestarts Kind = "broker restarts, empty"
	BrokerGarbage  Kind = "broker keeps what is not so"
	HostOffBroker  Kind = "host cannot reach the broker"
	WeOffBroker    Kind = "controller cannot reach the broker"
	Killed         Kind = "controller is killed"
	DiesAtLine     Kind = "controller dies at a journal line"
	DiskFull       Kind = "disk of the controller is full"
	StartedWrongly Kind = "person starts the wrong node for a while"
	AsksSwitchover Kind = "asks for a switchover"
	AsksSync       Kind = "asks for a sync"
	AsksFailover   Kind = "asks for a failover"
	AsksStop       Kind = "asks for a stop and a start"
	AsksHold       Kind = "puts on hold for a while"
)

// A kind is how a deed is done, and how often it is drawn.
type kind struct {
	Kind
	weight int
	lasts  time.Duration // at most; 0: it happens at once
	asks   bool          // the controller is asked for something
	do     func(w *World, h *Host, d Deed)
}

var (
	kinds       []kind
	totalWeight int
)

func init() {
	kinds = []kind{
		{RefusedSSH, 4, 3 * time.Minute, false, line(func(t *memnet.Trouble, on bool) { t.Refused = on })},
		{HalfOpenSSH, 4, 3 * time.Minute, false, line(func(t *memnet.Trouble, on bool) { t.LosesRequests = on })},
		{OneWaySSH, 4, 3 * time.Minute, false, line(func(t *memnet.Trouble, on bool) { t.LosesAnswers = on })},
		{DroppedSSH, 4, 0, false, func(w *World, h *Host, _ Deed) { h.ssh.Cut() }},
		{DroppedCommand, 6, 0, false, (*World).dropCommand},
		{SlowSSH, 3, 3 * time.Minute, false, (*World).slowDown},
		{HostPowerLoss, 5, 5 * time.Minute, false, (*World).losePower},
		{HostFreezes, 6, 6 * time.Minute, false, func(w *World, h *Host, d Deed) {
			w.during(d, func() { h.setFrozen(true) }, func() { h.setFrozen(false) })
		}},
		{HostDiskFull, 4, 4 * time.Minute, false, (*World).fillHost},
		{HouseDark, 2, 0, false, (*World).houseDark},
		{ProcessKilled, 6, 0, false, func(w *World, h *Host, _ Deed) { w.Kill(h.name) }},
		{ProcessHangs, 4, 3 * time.Minute, false, (*World).hangProcess},
		{StickMute, 4, 3 * time.Minute, false, ailing(func(f *znpsim.Fault, on bool, _ Deed) { f.Silent = on })},
		{RadioDead, 3, 4 * time.Minute, false, ailing(func(f *znpsim.Fault, on bool, _ Deed) { f.DeafReceiver = on })},
		{StickPulled, 4, 4 * time.Minute, false, func(w *World, h *Host, d Deed) {
			w.during(d, h.stick.Unplug, h.stick.Replug)
		}},
		{TornWrite, 4, 5 * time.Minute, false, ailing(func(f *znpsim.Fault, on bool, d Deed) { f.CutAtWrite, f.TornItem = count(on, d), d.N%2 == 0 })},
		{FailedWrite, 3, 5 * time.Minute, false, ailing(func(f *znpsim.Fault, on bool, d Deed) { f.FailWrite = count(on, d) })},
		{LostAnswer, 3, 5 * time.Minute, false, ailing(func(f *znpsim.Fault, on bool, d Deed) { f.LoseAnswer = 4 * count(on, d) })},
		{BrokerDown, 4, 3 * time.Minute, false, (*World).stopBroker},
		{BrokerRestarts, 3, 5 * time.Second, false, (*World).stopBroker},
		{BrokerGarbage, 4, 0, false, (*World).garbage},
		{HostOffBroker, 4, 3 * time.Minute, false, func(w *World, h *Host, d Deed) { w.offBroker(h.broker, d) }},
		{WeOffBroker, 3, 3 * time.Minute, false, func(w *World, _ *Host, d Deed) { w.offBroker(w.toBroker, d) }},
		{Killed, 4, time.Minute, false, func(w *World, _ *Host, d Deed) { w.killController(d.Lasts) }},
		{DiesAtLine, 7, time.Minute, false, (*World).plant},
		{DiskFull, 3, 3 * time.Minute, false, (*World).fillDisk},
		{StartedWrongly, 2, 90 * time.Second, false, (*World).startWrongly},
		{AsksSwitchover, 16, 0, true, (*World).askSwitchover},
		{AsksSync, 3, 0, true, func(w *World, _ *Host, _ Deed) { w.askSoon(desk.Request{Verb: desk.Sync}) }},
		{AsksFailover, 5, 0, true, (*World).askFailover},
		{AsksStop, 3, 2 * time.Minute, true, (*World).askStop},
		{AsksHold, 5, 5 * time.Minute, true, (*World).askHold},
	}
	for _, k := range kinds {
		totalWeight += k.weight
	}
}

// Kinds are all that a story may have.
func Kinds() []Kind {
	var out []Kind
	for _, k := range kinds {
		out = append(out, k.Kind)
	}
	return out
}

func kindOf(name Kind) kind {
	for _, k := range kinds {
		if k.Kind == name {
			return k
		}
	}
	panic("wired: no kind " + string(name))
}

// during does something now and takes it back after the deed's time.
func (w *World) during(d Deed, begin, end func()) {
	begin()
	w.later(d.Lasts, func() {
		w.log("-- over: %s %s", d.Kind, d.Node)
		end()
	})
}

func line(set func(*memnet.Trouble, bool)) func(*World, *Host, Deed) {
	return func(w *World, h *Host, d Deed) {
		w.during(d, func() { h.ssh.Change(func(t *memnet.Trouble) { set(t, true) }) },
			func() { h.ssh.Change(func(t *memnet.Trouble) { set(t, false) }) })
	}
}

func ailing(set func(*znpsim.Fault, bool, Deed)) func(*World, *Host, Deed) {
	change := func(h *Host, d Deed, on bool) func() {
		return func() {
			f := h.stick.Fault()
			set(&f, on, d)
			h.stick.SetFault(f)
		}
	}
	return func(w *World, h *Host, d Deed) { w.during(d, change(h, d, true), change(h, d, false)) }
}

// count is which of several is struck; 0 for none.
func count(on bool, d Deed) int {
	if !on {
		return 0
	}
	return 1 + d.N%12
}

func (w *World) dropCommand(h *Host, d Deed) {
	commands := []string{" manifest ", " patch ", " park ", " promote ", " end ", " probe ", "systemctl start", " reset "}
	h.server.DropDuring(commands[d.N%len(commands)], "")
}

func (w *World) slowDown(h *Host, d Deed) {
	much := time.Duration(1+d.N%20) * 100 * time.Millisecond
	w.during(d, func() { h.ssh.Change(func(t *memnet.Trouble) { t.Delay = much }) },
		func() { h.ssh.Change(func(t *memnet.Trouble) { t.Delay = usualDelay }) })
}

func (w *World) losePower(h *Host, d Deed) { w.during(d, h.powerOff, h.powerOn) }

func (w *World) fillHost(h *Host, d Deed) {
	set := func(full bool) func() {
		return func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.full = full
		}
	}
	w.during(d, set(true), set(false))
}

// houseDark takes the power from everything, the controller's machine too. Not everything
// comes back at once.
func (w *World) houseDark(_ *Host, d Deed) {
	w.killController(time.Duration(5+d.N) * time.Second)
	for i, h := range w.hosts {
		h.powerOff()
		w.later(time.Duration(1+(d.N*(i+3))%30)*time.Second, h.powerOn)
	}
}

func (w *World) hangProcess(h *Host, d Deed) {
	if p := h.unit.process(); p != nil {
		h.hang(p, d.Lasts)
	}
}

func (w *World) stopBroker(_ *Host, d Deed) {
	w.during(d, func() { w.setBroker(false) }, func() { w.setBroker(true) })
}

func (w *World) setBroker(up bool) {
	if up == w.broker.up() {
		return
	}
	w.mu.Lock()
	w.noBroker = time.Time{}
	if !up {
		w.noBroker = time.Now()
	}
	w.mu.Unlock()
	act := w.broker.stop
	if up {
		act = w.broker.start
	}
	if err := act(); err != nil {
		w.breaks("simulation", "the broker: %v", err)
	}
}

func (w *World) garbage(_ *Host, d Deed) {
	messages := []struct{ topic, payload string }{
		{"state", `{"state":"offline"}`}, {"state", `{"state":"online"}`}, {"info", "{"}, {"devices", "[]"}, {"info", `{"config":{"z2mha":{"node":"shed"}}}`},
	}
	m := messages[d.N%len(messages)]
	w.broker.publish("zigbee2mqtt/bridge/"+m.topic, m.payload, true)
}

func (w *World) offBroker(l *memnet.Line, d Deed) {
	set := func(on bool) func() {
		return func() {
			l.Change(func(t *memnet.Trouble) {
				t.LosesRequests, t.LosesAnswers = on && d.N%3 != 1, on && d.N%3 != 2
			})
		}
	}
	w.during(d, set(true), set(false))
}

func (w *World) plant(_ *Host, d Deed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bomb = &bomb{after: d.N%2 == 0, count: 1 + d.N%17, again: d.Lasts}
}

func (w *World) fillDisk(_ *Host, d Deed) {
	set := func(full bool) func() {
		return func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.full = full
		}
	}
	w.during(d, set(true), set(false))
}

// startWrongly is a person who starts a stand-by, and ends it again. Its stick stays on air.
func (w *World) startWrongly(h *Host, d Deed) {
	if w.voice() == h.name || h.unit.process() != nil || !h.on() {
		return
	}
	w.during(d, func() { h.unit.start(io.Discard, byPerson) }, func() { h.unit.stop(false) })
}

func (w *World) askSwitchover(h *Host, d Deed) {
	if h.name == w.voice() {
		h = w.standby(d.N)
	}
	w.askSoon(desk.Request{Verb: desk.Switchover, To: h.name})
}

// askFailover is a person who pulls the stick that serves the home, says so, and plugs it
// in again later.
func (w *World) askFailover(_ *Host, d Deed) {
	voice := w.host(w.voice())
	voice.stick.Unplug()
	w.later(3*time.Minute, voice.stick.Replug)
	w.later(time.Duration(d.N)*time.Second/2, func() {
		w.askSoon(desk.Request{Verb: desk.Failover, To: w.standby(d.N).name, Confirmed: "Owner has unplugged the stick of " + voice.name})
	})
}

func (w *World) askStop(h *Host, d Deed) {
	w.askSoon(desk.Request{Verb: desk.Stop, To: h.name})
	w.later(d.Lasts, func() { w.askSoon(desk.Request{Verb: desk.Start}) })
}

func (w *World) askHold(_ *Host, d Deed) {
	w.askSoon(desk.Request{Verb: desk.Hold})
	w.later(d.Lasts, func() { w.askSoon(desk.Request{Verb: desk.Release}) })
}

// askSoon asks and does not wait for the answer.
func (w *World) askSoon(r desk.Request) { w.work.Go(func() { _ = w.Ask(r) }) }
