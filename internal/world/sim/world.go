// Package sim lives stories: homes in which everything goes wrong that can, at times
// drawn from a seed, while the real controller looks after them. Desk, engine and
// decisions are the real ones; hosts, sticks, radio, broker and disk are those of inmem.
// Everything happens inside one synctest bubble, so that an hour takes milliseconds.
//
// The safety rules are looked at after every event, by one function. At the end all that
// a person would mend is mended: then somebody must serve the home, alone, within a
// bounded time, or the controller must say by name what it waits for.
//
// What it does not show: that the real hosts, sticks and programs behave like these.
package sim

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/world/inmem"
)

const home = "home"

// A World is one home with its controller, while its story is lived.
type World struct {
	story Story
	names []string
	home  *inmem.Home
	disk  *inmem.Stores
	rules *rules

	events    events
	holds     holds
	notes     notes
	processes sync.WaitGroup // every controller that was started

	began  time.Time
	logged bool
	lines  []string // guarded by logMu
	logMu  sync.Mutex

	mu       sync.Mutex // guards what follows
	now      *controller
	ended    bool
	bomb     *bomb
	paused   time.Time
	full     bool
	cut      map[string]bool       // hosts whose plugs are off
	ails     map[ail]time.Duration // what is wrong with a line, and how much
	unmet    map[ail]bool          // faults that nothing has met yet
	coverage map[Kind]int
	chance   map[chance]*rand.Rand
	started  int           // controllers
	asked    int           // requests
	backup   *inmem.Stores // of the controller's disk
	agenda   []task
	paired   int
}

// An ail is a fault of a node, or of the whole home when Node is "".
type ail struct {
	Kind Kind
	Node string
}

// A task is something that is done at a time.
type task struct {
	at time.Time
	do func()
}

func newWorld(s Story, logged bool) *World {
	h, disk := prepared(s.Nodes)
	w := &World{story: s, names: nodeNames[:s.Nodes], home: h, disk: disk, logged: logged}
	w.restart()
	return w
}

// restart begins the story of a home.
func (w *World) restart() {
	w.began = time.Now()
	w.cut = map[string]bool{}
	w.ails, w.unmet, w.coverage = map[ail]time.Duration{}, map[ail]bool{}, map[Kind]int{}
	w.chance = map[chance]*rand.Rand{}
	w.home.FramesPerSecond = w.story.Frames
	w.backup = w.disk.Snapshot()
	w.rules = newRules(w)
	w.events.tell = w.rules.told
}

// log writes a line of what happened, when somebody wants to read it.
func (w *World) log(format string, args ...any) {
	if !w.logged {
		return
	}
	w.logMu.Lock()
	defer w.logMu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%9s ", time.Since(w.began).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// logs is where the controller's log goes.
func (w *World) logs() slog.Handler {
	if w.closely() {
		return &logHandler{w: w}
	}
	return slog.DiscardHandler
}

// closely says that everything is written out and looked at, which costs time.
func (w *World) closely() bool { return w.logged || w.story.Seed%16 == 0 }

// A logHandler looks for secrets in what is logged.
type logHandler struct{ w *World }

func (h *logHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *logHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *logHandler) WithGroup(string) slog.Handler            { return h }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprintf(&b, " %s=%v", a.Key, a.Value.Resolve()); return true })
	h.w.rules.after(event{what: logged, text: b.String()})
	h.w.log("log: %s", b.String())
	return nil
}

// A chance is whose luck it is: each controller has one of its own with each node, and with
// the broker as node 0. So what happens at once happens in the same order each time.
type chance struct{ controller, node int }

// jitter is about d, never twice the same.
func (c *controller) jitter(who string, d time.Duration) time.Duration {
	w := c.w
	w.mu.Lock()
	defer w.mu.Unlock()
	key := chance{c.number, slices.Index(w.names, who) + 1}
	r := w.chance[key]
	if r == nil {
		r = rand.New(rand.NewPCG(w.story.Seed, uint64(key.controller*8+key.node)))
		w.chance[key] = r
	}
	return d/2 + time.Duration(r.Int64N(int64(d)))
}

func (w *World) pausedFor() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	wait := time.Until(w.paused)
	if wait > 0 {
		w.metLocked(ail{ControllerPauses, ""})
	}
	return wait
}

func (w *World) space() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.full {
		return nil
	}
	w.metLocked(ail{ControllerDiskFull, ""})
	return errNoSpace
}

// metLocked counts a fault the first time that something meets it.
func (w *World) metLocked(a ail) {
	if w.unmet[a] {
		delete(w.unmet, a)
		w.coverage[a.Kind]++
	}
}

// ailing says how much of a fault a node has, and that it was met.
func (w *World) ailing(kind Kind, node string) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := ail{kind, node}
	d, yes := w.ails[a]
	if yes {
		w.metLocked(a)
	}
	return d, yes
}

// reach carries a request to a host.
func (c *controller) reach(ctx context.Context, name string, op engine.Op) error {
	w := c.w
	takes := latencies[op]
	if takes == 0 {
		takes = 100 * time.Millisecond
	}
	takes = c.jitter(name, takes)
	if more, slow := w.ailing(HostSlow, name); slow {
		takes += more
	}
	if err := sleep(ctx, takes); err != nil {
		return err
	}
	w.meet(name)
	x := w.home.Host(name)
	_, open := w.ailing(HalfOpenSSH, name)
	_, refused := w.ailing(RefusedSSH, name)
	switch {
	case open || x.Trouble().Frozen || !x.Powered():
		return nothing(ctx)
	case refused:
		return errRefused
	}
	return nil
}

// lose loses the answer of a host.
func (w *World) lose(ctx context.Context, name string) error {
	if _, deaf := w.ailing(OneWaySSH, name); deaf {
		return nothing(ctx)
	}
	return nil
}

func nothing(ctx context.Context) error {
	if err := sleep(ctx, sshPatience); err != nil {
		return err
	}
	return errNothing
}

// meet counts the faults of a host that somebody has come to.
func (w *World) meet(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.unmet {
		if a.Node == name && seenOnHost[a.Kind] {
			w.metLocked(a)
		}
	}
}

// heard counts those that show over MQTT.
func (w *World) heard(string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for a := range w.unmet {
		if seenOnBus[a.Kind] {
			w.metLocked(a)
		}
	}
}

// later has something done after a while.
func (w *World) later(after time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.agenda = append(w.agenda, task{time.Now().Add(after), do})
}

// next takes the task that is due first; false when none is before a time.
func (w *World) next(before time.Time) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := 0
	for i, t := range w.agenda {
		if t.at.Before(w.agenda[first].at) {
			first = i
		}
	}
	if len(w.agenda) == 0 || w.agenda[first].at.After(before) {
		return task{}, false
	}
	t := w.agenda[first]
	w.agenda = append(w.agenda[:first], w.agenda[first+1:]...)
	return t, true
}

// live lets a story happen, up to its last deed and the end of what that began.
func (w *World) live() {
	for _, d := range w.story.Deeds {
		w.later(d.At, func() { w.do(d) })
	}
	w.happens(time.Now().Add(24 * time.Hour))
}

// pass lets time pass, and what is due happen.
func (w *World) pass(d time.Duration) {
	until := time.Now().Add(d)
	w.happens(until)
	time.Sleep(time.Until(until))
}

// happens does what is due until a time, or until a rule is broken.
func (w *World) happens(until time.Time) {
	for !w.rules.broken() {
		t, ok := w.next(until)
		if !ok {
			return
		}
		time.Sleep(time.Until(t.at))
		t.do()
		w.rules.after(event{what: happened})
	}
}

func (w *World) do(d Deed) {
	k := kindOf(d.Kind)
	if d.Node == "active" || d.Node == "stand-by" {
		d.Node = w.who(d)
	}
	w.log("-- %s", d)
	w.rules.deed(d)
	k.do(w, d)
}

// who is the active, or a stand-by, at this moment.
func (w *World) who(d Deed) string {
	voice := w.rules.voice()
	if d.Node == "active" {
		return voice
	}
	var others []string
	for _, n := range w.names {
		if n != voice {
			others = append(others, n)
		}
	}
	return others[d.N%len(others)]
}

// end stops the controller and waits for every one that was started.
func (w *World) end() {
	w.mu.Lock()
	w.ended = true
	if w.now != nil {
		w.now.cancel()
	}
	w.paused = time.Time{}
	w.mu.Unlock()
	w.processes.Wait()
}

// restored does with a disk that came out of a backup what the program does with it.
func restored(s *inmem.Stores) error {
	m := s.Memory()
	r, err := m.Load(home)
	if err != nil {
		return err
	}
	r.Network, r.Odometer, r.Silent = home, r.Odometer.Doubted(), nil
	r.Active, r.Since, r.Unproven, r.Staged = "", time.Time{}, "", nil
	sticks := map[string]network.StickRecord{}
	for node, on := range r.Sticks {
		on.Image, on.Generation = "", 0
		sticks[node] = on
	}
	r.Sticks = sticks
	return m.Save(r)
}
