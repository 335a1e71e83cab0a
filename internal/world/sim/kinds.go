package sim

import (
	"context"
	"slices"
	"time"

	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/status"
	"z2mha/internal/world/inmem"
)

// A Kind is what a deed is.
type Kind string

// Everything that goes wrong in a home, and what people do there meanwhile.
const (
	HostPowerLoss  Kind = "host loses its power"
	HostHangs      Kind = "host hangs, then thaws"
	HostSlow       Kind = "host is slow"
	ProcessKilled  Kind = "process is killed"
	ProcessHangs   Kind = "process hangs"
	SerialLost     Kind = "serial line is lost"
	RadioDead      Kind = "radio dies, process lives"
	StickDead      Kind = "stick hangs for good"
	TornWrite      Kind = "write to a stick is torn"
	IgnoredWrite   Kind = "write to a stick is ignored"
	FailingWrite   Kind = "write to a stick fails"
	LostWrite      Kind = "answer to a write is lost"
	StaleFiles     Kind = "files are stale"
	CutFiles       Kind = "files are cut short"
	HostDiskFull   Kind = "disk of a host is full"
	RefusedSSH     Kind = "ssh is refused"
	HalfOpenSSH    Kind = "ssh is half open"
	OneWaySSH      Kind = "ssh loses answers"
	BrokerDown     Kind = "broker is down"
	BrokerRestarts Kind = "broker restarts"
	BrokerGarbage  Kind = "broker keeps what is not so"
	ClockSteps     Kind = "clock is set"
	DevicesDeaf    Kind = "devices do not answer"
	DeviceJoins    Kind = "device joins"
	DeviceLeaves   Kind = "device leaves"
	StickPulled    Kind = "person pulls a stick"
	HouseDark      Kind = "power cut in the house"
	StartedByHand  Kind = "person starts a node by hand"
	StartedWrongly Kind = "person starts the wrong node for a while"

	FenceLies          Kind = "fence device lies"
	FenceSlow          Kind = "fence device is slow"
	FenceUnreachable   Kind = "fence device cannot be reached"
	ControllerDiskFull Kind = "disk of the controller is full"
	ControllerPauses   Kind = "controller stands still"
	ControllerKilled   Kind = "controller is killed"
	DiesBeforeLine     Kind = "controller dies before a journal line"
	DiesAfterLine      Kind = "controller dies after a journal line"
	DiesBeforeAct      Kind = "controller dies before an act"
	DiesAfterAct       Kind = "controller dies after an act"
	ControllerRestored Kind = "controller is restored from a backup"
	ControllerBackedUp Kind = "controller is backed up"

	AsksTwice       Kind = "a command comes twice"
	AsksContrary    Kind = "commands contradict each other"
	AsksSwitchover  Kind = "asks for a switchover"
	AsksSync        Kind = "asks for a sync"
	AsksStop        Kind = "asks for a stop"
	AsksStart       Kind = "asks for a start"
	AsksFailover    Kind = "asks for a failover"
	AsksSeed        Kind = "asks for a seed"
	AsksHold        Kind = "puts on hold for a while"
	AsksFailoverNow Kind = "asks for a failover without need"
)

// A kind is how a deed is done, and how often it is drawn.
type kind struct {
	Kind
	weight int
	lasts  time.Duration // at most; 0: it happens at once
	asks   bool          // the controller is asked for something
	do     func(w *World, d Deed)
}

var kinds []kind

var totalWeight int

// Faults that are met when somebody comes to the host, or listens to the broker.
var (
	seenOnHost = set(HostPowerLoss, HostHangs, ProcessKilled, ProcessHangs, SerialLost, RadioDead, StickDead, StaleFiles, CutFiles, HostDiskFull, StickPulled, HouseDark)
	seenOnBus  = set(BrokerDown, BrokerRestarts, BrokerGarbage, DevicesDeaf)
)

func set(kinds ...Kind) map[Kind]bool {
	out := map[Kind]bool{}
	for _, k := range kinds {
		out[k] = true
	}
	return out
}

func init() {
	kinds = []kind{
		{HostPowerLoss, 6, 8 * time.Minute, false, (*World).losePower},
		{HostHangs, 6, 5 * time.Minute, false, trouble(func(t *inmem.Trouble, on bool) { t.Frozen = on })},
		{HostSlow, 4, 5 * time.Minute, false, (*World).slowDown},
		{ProcessKilled, 8, 0, false, (*World).killProcess},
		{ProcessHangs, 5, 5 * time.Minute, false, trouble(func(t *inmem.Trouble, on bool) { t.Hangs = on })},
		{SerialLost, 5, 5 * time.Minute, false, trouble(func(t *inmem.Trouble, on bool) { t.NoLine = on })},
		{RadioDead, 5, 0, false, trouble(func(t *inmem.Trouble, on bool) { t.Mute = on })},
		{StickDead, 3, 0, false, trouble(func(t *inmem.Trouble, on bool) { t.Dead = on })},
		{TornWrite, 4, 10 * time.Minute, false, writing(inmem.TornWrite)},
		{IgnoredWrite, 4, 10 * time.Minute, false, writing(inmem.IgnoredWrite)},
		{FailingWrite, 4, 10 * time.Minute, false, writing(inmem.FailingWrite)},
		{LostWrite, 4, 10 * time.Minute, false, writing(inmem.LostWrite)},
		{StaleFiles, 3, 6 * time.Minute, false, (*World).staleFiles},
		{CutFiles, 3, 6 * time.Minute, false, (*World).cutFiles},
		{HostDiskFull, 4, 6 * time.Minute, false, trouble(func(t *inmem.Trouble, on bool) { t.Full = on })},
		{RefusedSSH, 5, 5 * time.Minute, false, (*World).line},
		{HalfOpenSSH, 5, 5 * time.Minute, false, (*World).line},
		{OneWaySSH, 5, 3 * time.Minute, false, (*World).line},
		{BrokerDown, 5, 5 * time.Minute, false, (*World).brokerDown},
		{BrokerRestarts, 4, 5 * time.Second, false, (*World).brokerDown},
		{BrokerGarbage, 4, 5 * time.Minute, false, (*World).brokerGarbage},
		{ClockSteps, 3, 0, false, (*World).stepClock},
		{DevicesDeaf, 3, 5 * time.Minute, false, (*World).deafen},
		{DeviceJoins, 6, 0, false, (*World).join},
		{DeviceLeaves, 5, 0, false, (*World).leave},
		{StickPulled, 5, 6 * time.Minute, false, (*World).pullStick},
		{FenceLies, 5, 6 * time.Minute, false, func(w *World, d Deed) { w.during(d, d.Node, func() { w.setAil(d, time.Duration(d.N%3)) }, func() {}) }},
		{FenceSlow, 4, 6 * time.Minute, false, (*World).slowDown},
		{FenceUnreachable, 4, 6 * time.Minute, false, (*World).line},
		{HouseDark, 4, 0, false, (*World).houseDark},
		{ControllerDiskFull, 4, 4 * time.Minute, false, (*World).fillDisk},
		{ControllerPauses, 4, 4 * time.Minute, false, (*World).pause},
		{ControllerKilled, 4, 2 * time.Minute, false, (*World).killController},
		{DiesBeforeLine, 4, time.Minute, false, dies("journal", false)},
		{DiesAfterLine, 4, time.Minute, false, dies("journal", true)},
		{DiesBeforeAct, 4, time.Minute, false, dies("act", false)},
		{DiesAfterAct, 4, time.Minute, false, dies("act", true)},
		{ControllerBackedUp, 3, 0, false, func(w *World, d Deed) { w.count(d.Kind); w.backup = w.disk.Snapshot() }},
		{ControllerRestored, 3, 0, false, (*World).restore},
		{AsksTwice, 3, 0, true, (*World).askTwice},
		{AsksContrary, 4, 0, true, (*World).askContrary},
		{AsksSwitchover, 14, 0, true, (*World).askSwitchover},
		{AsksSync, 3, 0, true, func(w *World, _ Deed) { w.plead(AsksSync, desk.Request{Verb: desk.Sync}) }},
		{AsksStop, 3, 0, true, func(w *World, d Deed) { w.plead(AsksStop, desk.Request{Verb: desk.Stop, To: d.Node}) }},
		{AsksStart, 3, 0, true, func(w *World, _ Deed) { w.plead(AsksStart, desk.Request{Verb: desk.Start}) }},
		{AsksFailover, 8, 0, true, (*World).askFailover},
		{AsksFailoverNow, 3, 0, true, func(w *World, _ Deed) { w.plead(AsksFailoverNow, desk.Request{Verb: desk.Failover}) }},
		{AsksSeed, 2, 0, true, func(w *World, _ Deed) { w.plead(AsksSeed, desk.Request{Verb: desk.Seed}) }},
		{AsksHold, 4, 6 * time.Minute, true, (*World).askHold},
		{StartedWrongly, 2, 2 * time.Minute, false, (*World).startWrongly},
		{StartedByHand, 1, 0, false, (*World).startByHand},
	}
	for _, k := range kinds {
		totalWeight += k.weight
	}
}

// Kinds are all that is drawn.
func Kinds() []Kind {
	var out []Kind
	for _, k := range kinds {
		out = append(out, k.Kind)
	}
	return out
}

func known(name Kind) bool { return slices.Contains(Kinds(), name) }

func kindOf(name Kind) kind {
	for _, k := range kinds {
		if k.Kind == name {
			return k
		}
	}
	panic("sim: no kind " + string(name))
}

// begin notes a fault that has begun, to be met by somebody.
func (w *World) begin(k Kind, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unmet[ail{k, node}] = true
}

// over is the end of a fault. One that nothing has met was none.
func (w *World) over(k Kind, node string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.unmet, ail{k, node})
	delete(w.ails, ail{k, node})
	w.log("-- over: %s %s", k, node)
}

// during does something now and takes it back after the deed's time, if it has one.
func (w *World) during(d Deed, node string, begin, end func()) {
	w.begin(d.Kind, node)
	begin()
	if d.Lasts > 0 {
		w.later(d.Lasts, func() { end(); w.over(d.Kind, node) })
	}
}

func trouble(set func(*inmem.Trouble, bool)) func(*World, Deed) {
	return func(w *World, d Deed) {
		x := w.home.Host(d.Node)
		if d.Kind == ProcessHangs && !x.Running() {
			return
		}
		w.during(d, d.Node, func() { x.Suffer(func(t *inmem.Trouble) { set(t, true) }) },
			func() { x.Suffer(func(t *inmem.Trouble) { set(t, false) }) })
	}
}

func (w *World) losePower(d Deed) {
	x := w.home.Host(d.Node)
	w.during(d, d.Node, x.PowerOff, func() { w.powerBack(d.Node) })
}

// powerBack gives a host its power again, unless its plug is off.
func (w *World) powerBack(node string) {
	w.mu.Lock()
	off := w.cut[node]
	w.mu.Unlock()
	if !off {
		w.rules.uncalled()
		w.home.Host(node).PowerOn()
	}
}

func (w *World) pullStick(d Deed) {
	x := w.home.Host(d.Node)
	w.during(d, d.Node, x.PullStick, x.PlugStick)
}

func (w *World) slowDown(d Deed) {
	w.during(d, d.Node, func() { w.setAil(d, time.Duration(1+d.N%20)*time.Second) }, func() {})
}

func (w *World) setAil(d Deed, much time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ails[ail{d.Kind, d.Node}] = much
}

func (w *World) line(d Deed) { w.during(d, d.Node, func() { w.setAil(d, 0) }, func() {}) }

func (w *World) killProcess(d Deed) {
	x := w.home.Host(d.Node)
	if !x.Running() {
		return
	}
	if d.N%3 == 0 {
		x.RestartAlways()
	}
	w.begin(d.Kind, d.Node)
	x.Crash()
}

func writing(how string) func(*World, Deed) {
	return func(w *World, d Deed) {
		x := w.home.Host(d.Node)
		met := func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.metLocked(ail{d.Kind, d.Node})
		}
		w.during(d, d.Node, func() { x.SpoilWrite(how, met) }, func() { x.SpoilWrite("", nil) })
	}
}

// staleFiles puts the backup of the coordinator back to what it was when the story began.
func (w *World) staleFiles(d Deed) {
	x, old := w.home.Host(d.Node), w.rules.oldFiles[d.Node]["coordinator_backup.json"]
	now := x.Data()["coordinator_backup.json"]
	if old == "" || now == old {
		return
	}
	w.edit(d, "coordinator_backup.json", now, old)
}

func (w *World) cutFiles(d Deed) {
	path := []string{"database.db", "coordinator_backup.json"}[d.N%2]
	now := w.home.Host(d.Node).Data()[path]
	if now == "" {
		return
	}
	w.edit(d, path, now, now[:len(now)*(d.N%10)/10])
}

// edit changes a file, and puts it back unless somebody else has changed it meanwhile.
func (w *World) edit(d Deed, path, was, now string) {
	x := w.home.Host(d.Node)
	w.during(d, d.Node, func() { x.Edit(path, func(string) string { return now }) }, func() {
		if x.Data()[path] == now {
			x.Edit(path, func(string) string { return was })
		}
	})
}

func (w *World) brokerDown(d Deed) {
	w.during(d, "", func() { w.home.SetBroker(false); w.rules.broker(false) }, func() { w.home.SetBroker(true); w.rules.broker(true) })
}

func (w *World) brokerGarbage(d Deed) {
	w.during(d, "", func() { w.home.SetKept(d.N%2 == 0) }, func() {})
}

// stepClock is a machine that comes up with its clock elsewhere, as one without a battery
// does: to a controller that starts, everything on its disk is older or newer than it is.
func (w *World) stepClock(d Deed) {
	by := []time.Duration{-48 * time.Hour, -time.Hour, time.Hour, 400 * 24 * time.Hour}[d.N%4]
	w.kill(0)
	w.disk.Shift(by)
	w.begin(d.Kind, "")
	w.mu.Lock()
	w.metLocked(ail{d.Kind, ""})
	w.mu.Unlock()
	w.boot()
}

func (w *World) deafen(d Deed) {
	w.during(d, "", func() { w.home.SetDeaf(true) }, func() { w.home.SetDeaf(false) })
}

func (w *World) join(d Deed) {
	if !w.home.Works() {
		return
	}
	w.paired++
	w.count(d.Kind)
	w.home.Join(engine.BridgeDevice{IEEE: lamp + 0x1000 + zigbee.IEEE(w.paired), FriendlyName: "joined", Type: "Router"})
}

func (w *World) leave(d Deed) {
	devices := w.home.Members()
	if !w.home.Works() || len(devices) < 2 {
		return
	}
	w.count(d.Kind)
	w.home.Leave(devices[len(devices)-1].IEEE)
}

// count counts what needs nobody to meet it.
func (w *World) count(k Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.coverage[k]++
}

// houseDark takes the power from everything, the controller's machine too.
func (w *World) houseDark(d Deed) {
	for _, name := range w.names {
		w.begin(d.Kind, name)
	}
	w.kill(time.Duration(1+d.N) * time.Second)
	w.rules.uncalled()
	w.home.PowerCut()
}

func (w *World) fillDisk(d Deed) {
	set := func(on bool) func() {
		return func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.full = on
		}
	}
	w.during(d, "", set(true), set(false))
}

func (w *World) pause(d Deed) {
	w.during(d, "", func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.paused = time.Now().Add(d.Lasts)
	}, func() {})
}

func (w *World) killController(d Deed) {
	w.count(d.Kind)
	w.kill(d.Lasts)
}

func dies(at string, after bool) func(*World, Deed) {
	return func(w *World, d Deed) {
		w.begin(d.Kind, "")
		w.mu.Lock()
		defer w.mu.Unlock()
		w.bomb = &bomb{at: at, after: after, count: 1 + d.N%12, again: d.Lasts, met: func() { w.metLocked(ail{d.Kind, ""}) }}
	}
}

// restore puts the controller's disk back to the last backup. The program holds a network
// that it finds restored.
func (w *World) restore(d Deed) {
	w.kill(0)
	w.disk.Restore(w.backup)
	if err := restored(w.disk); err != nil {
		panic(err)
	}
	w.setAside()
	_ = w.holds.Save(home, status.Hold{On: true, Since: time.Now(), By: "the controller, which was restored", Person: true})
	w.count(d.Kind)
	w.rules.restored()
	w.boot()
}

// setAside ends the runs that were open when a backup was made.
func (w *World) setAside() {
	runs, _ := w.disk.Journal().Runs(home)
	for _, id := range runs {
		entries, _ := w.disk.Journal().Load(home, id)
		if prog, err := plan.Replay(entries); err != nil || prog.Ended() {
			continue
		}
		r, _ := w.disk.Journal().Open(home, id)
		_ = r.Append(plan.Entry{Seq: len(entries) + 1, At: time.Now(), Run: id, Event: plan.EventEnded, Note: string(plan.GivenUp)})
	}
}

func (w *World) startByHand(d Deed) {
	x := w.home.Host(d.Node)
	if w.rules.voice() != d.Node || x.Running() {
		return
	}
	w.count(d.Kind)
	w.rules.hand(d.Node)
	x.SetRunning(true)
}

// startWrongly is a person who starts a stand-by, and ends it again. Its stick stays on air.
func (w *World) startWrongly(d Deed) {
	x := w.home.Host(d.Node)
	if w.rules.voice() == d.Node || x.Running() || x.Stick().Resumable() != nil {
		return
	}
	w.count(d.Kind)
	w.rules.hand(d.Node)
	x.SetRunning(true)
	w.later(d.Lasts, func() { x.SetRunning(false) })
}

// ask asks the desk that runs now, and does not wait for the answer.
func (w *World) ask(r desk.Request) {
	w.mu.Lock()
	c := w.now
	w.asked++
	order := time.Duration(w.asked) * time.Microsecond
	w.mu.Unlock()
	if c == nil {
		return
	}
	if r.By == "" {
		r.By = "Owner"
	}
	w.processes.Go(func() {
		time.Sleep(order) // of two that ask at once, the same one is always first
		select {
		case <-c.desk.Ready():
		case <-c.gone:
			return
		}
		run, err := c.desk.Ask(context.Background(), r)
		w.log("asked %s %s: run %q, %v", r.Verb, r.To, run, err)
	})
}

func (w *World) plead(k Kind, r desk.Request) {
	w.count(k)
	w.ask(r)
}

func (w *World) askSwitchover(d Deed) {
	r := desk.Request{Verb: desk.Switchover, To: d.Node}
	if d.Node == w.rules.voice() {
		d.Node = "stand-by"
		r.To = w.who(d)
	}
	w.count(d.Kind)
	w.ask(r)
}

func (w *World) askTwice(d Deed) {
	w.count(d.Kind)
	for range 2 {
		w.ask(desk.Request{Verb: desk.Switchover, To: d.Node})
	}
}

func (w *World) askContrary(d Deed) {
	w.count(d.Kind)
	verbs := []desk.Verb{desk.Switchover, desk.Stop, desk.Failover, desk.Start, desk.Sync, desk.Hold}
	w.ask(desk.Request{Verb: verbs[d.N%len(verbs)], To: d.Node})
	w.ask(desk.Request{Verb: desk.Switchover, To: w.names[d.N%len(w.names)]})
	w.ask(desk.Request{Verb: desk.Release})
}

// askFailover is a person who finds the home without Zigbee, pulls the stick that served
// it last and says so.
func (w *World) askFailover(d Deed) {
	voice := w.rules.voice()
	if w.home.Works() {
		return
	}
	w.count(d.Kind)
	if d.N%2 == 0 { // otherwise the controller has to find out by itself
		w.home.Host(voice).PullStick()
		w.later(10*time.Minute, w.home.Host(voice).PlugStick)
	}
	d.Node = "stand-by"
	r := desk.Request{Verb: desk.Failover, To: w.who(d)}
	if d.N%2 == 0 {
		r.Confirmed = "Owner has unplugged the stick of " + voice
	}
	w.ask(r)
}

func (w *World) askHold(d Deed) {
	w.count(d.Kind)
	w.ask(desk.Request{Verb: desk.Hold})
	w.later(d.Lasts, func() { w.ask(desk.Request{Verb: desk.Release}) })
}
