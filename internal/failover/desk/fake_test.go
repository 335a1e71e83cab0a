package desk_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
	"z2mha/internal/failover/readiness"
)

// A fakeEngine has homes whose hosts do what a test says. It journals and reports as
// the engine does, and counts who uses a home at the same time.
type fakeEngine struct {
	t     testing.TB
	mu    sync.Mutex
	names []string
	homes map[string]*fakeHome
}

// A fakeHome is one network. A test sets what it wants to happen.
type fakeHome struct {
	nodes    []string
	active   []string
	down     map[string]error
	enabled  map[string]string
	stickErr error
	lookErr  error
	silent   error // Zigbee2MQTT does not answer

	stepTakes, lookTakes, planTakes time.Duration
	refuse                          error    // why nothing is begun
	fail                            plan.Act // this step does not work
	stuck                           error    // and neither does the way back
	lost                            bool     // nobody can ask attic's stick: a failover takes a person's word
	unreachable                     error    // an open run cannot even be looked at

	backupTakes time.Duration
	backupErr   error    // no backup of the stick can be made
	captureErr  error    // nothing can be captured
	memoryErr   error    // nothing can be put on record
	refused     []string // why captures are refused
	still       bool     // nothing changes between captures
	captures    []taken
	tell        func(engine.Membership)

	accepted          []generation.Generation
	looks, stickLooks int
	using             bool
	failovers         int // asked for, begun or not
	requests          []engine.Request

	record     network.Record
	generation int
	synced     time.Time
	runs       []string
	journal    map[string][]plan.Entry
}

func newFake(t testing.TB, names ...string) *fakeEngine {
	e := &fakeEngine{t: t, names: names, homes: map[string]*fakeHome{}}
	for _, name := range names {
		e.homes[name] = &fakeHome{nodes: []string{"attic", "cellar"}, active: []string{"attic"}, stepTakes: time.Second,
			lookTakes: 100 * time.Millisecond, planTakes: 200 * time.Millisecond, down: map[string]error{}, enabled: map[string]string{},
			record: network.Record{Network: name, Active: "attic"}, journal: map[string][]plan.Entry{}}
	}
	return e
}

func (e *fakeEngine) Networks() []string { return e.names }

// set changes a home while the desk may look at it.
func (e *fakeEngine) set(name string, change func(h *fakeHome)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e.homes[name])
}

func get[T any](e *fakeEngine, name string, read func(h *fakeHome) T) (out T) {
	e.set(name, func(h *fakeHome) { out = read(h) })
	return out
}

// use fails the test when two do something on one network at once.
func (e *fakeEngine) use(name string) (done func()) {
	e.set(name, func(h *fakeHome) {
		if h.using {
			e.t.Errorf("two at once on %s", name)
		}
		h.using = true
	})
	return func() { e.set(name, func(h *fakeHome) { h.using = false }) }
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (e *fakeEngine) Look(ctx context.Context, name string, sticks bool) (engine.Status, error) {
	defer e.use(name)()
	if err := wait(ctx, get(e, name, func(h *fakeHome) time.Duration { return h.lookTakes })); err != nil {
		return engine.Status{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.homes[name]
	h.looks++
	if sticks {
		h.stickLooks++
	}
	if h.lookErr != nil {
		return engine.Status{}, h.lookErr
	}
	return h.status(name, sticks), nil
}

func (h *fakeHome) status(name string, sticks bool) engine.Status {
	in := readiness.Input{Network: name, Recorded: h.record.Active, Unfinished: h.open(), Now: time.Now(),
		Bridge: &readiness.Bridge{Err: h.silent, Devices: 40, Version: "2.1.0"}}
	for _, node := range h.nodes {
		in.Views = append(in.Views, h.view(node, sticks))
	}
	if len(h.active) == 1 {
		in.Bridge.Node = h.active[0]
	}
	a := readiness.Assess(in)
	st := engine.Status{Network: name, Active: a.Active, Record: h.record, Checks: a.Checks, Views: in.Views, Bridge: in.Bridge,
		Unfinished: in.Unfinished, Generation: h.generation, LastSync: h.synced, Devices: 40}
	for _, v := range in.Views {
		n := engine.NodeStatus{Name: v.Name, Role: network.RoleStandby, Err: v.Err, Observed: v.Observed}
		if v.Name == a.Active {
			n.Role = network.RoleActive
		}
		st.Nodes = append(st.Nodes, n)
	}
	return st
}

func (h *fakeHome) view(node string, sticks bool) readiness.View {
	v := readiness.View{Name: node, Err: h.down[node]}
	if v.Err != nil {
		return v
	}
	o := &network.Observation{Node: node, At: time.Now(), Service: network.ServiceStopped, Enabled: h.enabled[node], TTY: "/dev/" + node,
		TTYPresent: true, DataExists: true, FreeBytes: 1 << 30, Version: "2.1.0", HostID: node, TTYDevice: node, DataID: node}
	v.Observed = o
	if slices.Contains(h.active, node) {
		p := []network.Process{{PID: 7, Command: "node index.js"}}
		o.Service, o.TTYHolders, o.DataHolders = network.ServiceRunning, p, p
		return v
	}
	if !sticks {
		return v
	}
	if h.stickErr != nil {
		v.StickErr = h.stickErr
		return v
	}
	v.Stick = &network.StickState{State: "HOLD", Silent: true, Stick: nvimage.Stick{Product: 1, Revision: 20240710}}
	return v
}

func (h *fakeHome) open() string {
	for _, id := range h.runs {
		if n := len(h.journal[id]); n > 0 && h.journal[id][n-1].Event != plan.EventEnded {
			return id
		}
	}
	return ""
}

// A fakeRun is one run in the hands of the fake.
type fakeRun struct {
	e    *fakeEngine
	h    *fakeHome
	name string
	p    plan.Plan
	w    engine.Watch
}

func (r *fakeRun) note(ev plan.Event, s plan.Step, note string, saw ...string) {
	r.append(ev, s, note, saw...)
	r.w(engine.Report{Event: ev, Step: s, Note: note, Saw: saw})
}

func (r *fakeRun) append(ev plan.Event, s plan.Step, note string, saw ...string) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	entry := plan.Entry{Seq: len(r.h.journal[r.p.ID]) + 1, At: time.Now(), Run: r.p.ID, Event: ev, Step: s.ID, Node: s.Node, Note: note}
	switch ev {
	case plan.EventPlanned:
		entry.Data, _ = json.Marshal(r.p)
		r.h.runs = append(r.h.runs, r.p.ID)
	case plan.EventDone, plan.EventUndone:
		entry.Data, _ = json.Marshal(map[string]any{"saw": saw, "facts": map[string]any{"generation": r.h.generation}})
	}
	r.h.journal[r.p.ID] = append(r.h.journal[r.p.ID], entry)
}

func (e *fakeEngine) begin(name string, p plan.Plan, reason string, w engine.Watch) *fakeRun {
	p.Created, p.Reason = time.Now(), reason
	p.ID = p.Created.UTC().Format("20060102T150405.000") + "-" + string(p.Kind)
	r := &fakeRun{e: e, h: e.homes[name], name: name, p: p, w: w}
	r.append(plan.EventPlanned, plan.Step{}, "")
	return r
}

func (r *fakeRun) forward(ctx context.Context, from int) engine.Ended {
	for _, s := range r.p.Steps[from:] {
		if ctx.Err() != nil && s.Act != plan.ActProve && s.Act != plan.ActRecord {
			return r.back(fmt.Errorf("%w before %q", engine.ErrInterrupted, s.Title))
		}
		r.note(plan.EventBegin, s, "")
		stepCtx := ctx
		if s.Dark {
			stepCtx = context.WithoutCancel(ctx)
		}
		err := wait(stepCtx, get(r.e, r.name, func(h *fakeHome) time.Duration { return h.stepTakes }))
		if err == nil && get(r.e, r.name, func(h *fakeHome) bool { return h.fail == s.Act }) {
			err = fmt.Errorf("%s: it does not work", s.Title)
		}
		if err != nil {
			r.note(plan.EventFailed, s, err.Error())
			return r.back(err)
		}
		r.e.set(r.name, func(h *fakeHome) { h.did(s, r.p) })
		r.note(plan.EventDone, s, "", "saw "+string(s.Act))
	}
	r.note(plan.EventEnded, plan.Step{}, string(plan.Completed))
	return engine.Ended{Run: r.p.ID, Outcome: plan.Completed, Plan: r.p}
}

// did is what a step changes in the world.
func (h *fakeHome) did(s plan.Step, p plan.Plan) {
	switch s.Act {
	case plan.ActCopy, plan.ActFinalCopy:
		h.generation++
		h.synced = time.Now()
	case plan.ActStop:
		h.active = slices.DeleteFunc(h.active, func(x string) bool { return x == s.Node })
	case plan.ActStart:
		h.active = append(h.active, s.Node)
	case plan.ActFence: // a failover has no other stop
		h.active = slices.DeleteFunc(h.active, func(x string) bool { return x == s.Node })
	case plan.ActReadStick:
		h.record.Seed = "whole"
	case plan.ActWarm:
		h.record.Sticks = map[string]network.StickRecord{s.Node: {Image: "warm", Generation: h.generation}}
	case plan.ActRecord:
		h.record.Active, h.record.Since = s.Node, time.Now()
	}
}

func (r *fakeRun) back(cause error) engine.Ended {
	ended := engine.Ended{Run: r.p.ID, Plan: r.p, Outcome: plan.GivenUp, Err: cause}
	r.e.mu.Lock()
	prog, err := plan.Replay(r.h.journal[r.p.ID])
	stuck := r.h.stuck
	r.e.mu.Unlock()
	if err != nil {
		r.e.t.Error(err)
	}
	if undo := prog.ToUndo(); len(undo) > 0 {
		ended.Outcome = plan.RolledBack
		r.note(plan.EventWalkBack, plan.Step{}, cause.Error())
		for _, s := range undo {
			r.note(plan.EventUndoBegin, s, s.Undo)
			time.Sleep(time.Second)
			if stuck != nil {
				r.note(plan.EventUndoFailed, s, stuck.Error())
				ended.Outcome, ended.Err = plan.NeedsHelp, &engine.UnsettledError{Run: r.p.ID, Step: s, Cause: cause, Err: stuck}
				return ended
			}
			r.note(plan.EventUndone, s, "", "took it back")
		}
		r.e.set(r.name, func(h *fakeHome) { h.active = []string{r.p.From} })
	}
	r.note(plan.EventEnded, plan.Step{}, string(ended.Outcome))
	return ended
}

func (e *fakeEngine) carryOut(ctx context.Context, req engine.Request, w engine.Watch, p plan.Plan) (engine.Ended, error) {
	defer e.use(req.Network)()
	e.set(req.Network, func(h *fakeHome) { h.requests = append(h.requests, req) })
	if err := e.settleOpen(ctx, req.Network, w); err != nil {
		return engine.Ended{}, err
	}
	if err := wait(ctx, get(e, req.Network, func(h *fakeHome) time.Duration { return h.planTakes })); err != nil {
		return engine.Ended{}, err
	}
	if err := get(e, req.Network, func(h *fakeHome) error { return h.refuse }); err != nil {
		return engine.Ended{}, err
	}
	return e.begin(req.Network, p, req.Reason, w).forward(ctx, 0), nil
}

func (e *fakeEngine) planned(name, to string) plan.Plan {
	return get(e, name, func(h *fakeHome) plan.Plan {
		from := "attic"
		if len(h.active) > 0 {
			from = h.active[0]
		}
		if to == "" {
			to = "cellar"
		}
		return move(name, from, to)
	})
}

// move is a short switchover: two light steps, five dark ones, one light.
func move(name, from, to string) plan.Plan {
	p := plan.Plan{Kind: plan.KindSwitchover, Network: name, From: from, To: to}
	add := func(act plan.Act, node string, dark bool, undo string) {
		p.Steps = append(p.Steps, plan.Step{ID: fmt.Sprintf("%02d-%s-%s", len(p.Steps)+1, act, node), Act: act, Node: node,
			Title: string(act) + " " + node, Check: "it is so", Undo: undo, Budget: time.Minute, Dark: dark})
	}
	add(plan.ActGates, from, false, "")
	add(plan.ActCopy, to, false, "")
	add(plan.ActStop, from, true, "start "+from+" again")
	add(plan.ActLoad, to, true, "")
	add(plan.ActPromote, to, true, "exchange back")
	add(plan.ActStart, to, true, "stop "+to)
	add(plan.ActProve, to, true, "")
	add(plan.ActRecord, to, false, "")
	return p
}

func (e *fakeEngine) Switchover(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	return e.carryOut(ctx, r, w, e.planned(r.Network, r.To))
}

func (e *fakeEngine) Capture(ctx context.Context, r engine.CaptureRequest, w engine.Watch) (out engine.Captured, err error) {
	var refused []string
	var still bool
	var takes time.Duration
	e.set(r.Network, func(h *fakeHome) {
		h.captures = append(h.captures, taken{time.Now(), r})
		refused, still, takes = h.refused, h.still, 0
		if err = h.captureErr; r.Live {
			takes, err = h.backupTakes, cmp.Or(h.backupErr, h.captureErr)
		}
	})
	if r.AcceptChange {
		refused = nil
	}
	if late := e.pause(ctx, r.Network, takes); late != nil || err != nil {
		return out, cmp.Or(late, err)
	}
	if refused != nil {
		e.set(r.Network, func(h *fakeHome) {
			h.generation++
			out.Refused, out.Why, h.record.Refused = h.generation, refused, h.generation
		})
		return out, nil
	}
	if !still {
		out.Ended, err = e.carryOut(ctx, engine.Request{Network: r.Network, Reason: r.Reason, AcceptChange: r.AcceptChange}, w,
			plan.Sync(r.Network, "attic", 1, []plan.SyncStep{{Node: "cellar", Stage: true}}))
	}
	if err == nil && out.Err == nil {
		e.set(r.Network, func(h *fakeHome) {
			h.record.Captured, h.record.Refused = time.Now(), 0
			if r.Live {
				h.record.BackedUp = time.Now()
			}
			out.Generation = h.generation
		})
	}
	return out, err
}

func (e *fakeEngine) pause(ctx context.Context, name string, d time.Duration) error {
	defer e.use(name)()
	return wait(ctx, d)
}

func (e *fakeEngine) NoteLeft(name string, l network.Leaving) (err error) {
	e.set(name, func(h *fakeHome) {
		known := slices.ContainsFunc(h.record.Left, func(x network.Leaving) bool { return x.IEEE == l.IEEE })
		if err = h.memoryErr; err == nil && !known {
			h.record.Left = append(h.record.Left, l)
		}
	})
	return err
}

// Membership lets a test say what changes in a home; see changed.
func (e *fakeEngine) Membership(name string, tell func(engine.Membership)) (cancel func()) {
	e.set(name, func(h *fakeHome) { h.tell = tell })
	return func() { e.set(name, func(h *fakeHome) { h.tell = nil }) }
}

func (e *fakeEngine) changed(name string, kind engine.MembershipKind, device zigbee.IEEE) {
	get(e, name, func(h *fakeHome) func(engine.Membership) { return h.tell })(engine.Membership{Kind: kind, IEEE: device, At: time.Now()})
}

// A taken is a capture that was asked for.
type taken struct {
	at time.Time
	engine.CaptureRequest
}

func (e *fakeEngine) StopNode(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p, _, err := e.PlanStop(ctx, r.Network, r.To)
	if err != nil {
		return engine.Ended{}, err
	}
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) StartNode(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	return e.carryOut(ctx, r, w, plan.StartNode(r.Network, "attic", []string{"cellar"}, plan.DefaultTiming()))
}

func (e *fakeEngine) Seed(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p, _, _ := e.PlanSeed(ctx, r.Network)
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) PlanSeed(_ context.Context, net string) (plan.Plan, []engine.Explained, error) {
	return plan.Seed(net, "attic", []string{"cellar"}, plan.DefaultTiming()), nil, get(e, net, func(h *fakeHome) error { return h.refuse })
}

func (e *fakeEngine) Restore(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p, _, _ := e.PlanRestore(ctx, r.Network, r.Generation)
	return e.carryOut(ctx, r, w, p)
}

// Repair restarts what is on record where it is.
func (e *fakeEngine) Repair(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p := plan.Plan{Kind: plan.KindRepair, Network: r.Network, From: r.To, To: r.To}
	for i, act := range []plan.Act{plan.ActStop, plan.ActStart, plan.ActProve} {
		p.Steps = append(p.Steps, plan.Step{ID: fmt.Sprintf("%02d-%s-%s", i+1, act, r.To), Act: act, Node: r.To, Title: string(act) + " " + r.To, Budget: time.Minute, Dark: true})
	}
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) Return(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p := plan.Plan{Kind: plan.KindReturn, Network: r.Network, From: r.To, To: "cellar"}
	p.Steps = []plan.Step{{ID: "01-stop-" + r.To, Act: plan.ActStop, Node: r.To, Title: "stop " + r.To, Budget: time.Minute}}
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) Silence(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	p := plan.Plan{Kind: plan.KindSilence, Network: r.Network, From: r.To, To: "attic"}
	p.Steps = []plan.Step{{ID: "01-stop-" + r.To, Act: plan.ActStop, Node: r.To, Title: "stop " + r.To, Budget: time.Minute}}
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) PlanRepair(_ context.Context, net, node string) (plan.Plan, []engine.Explained, error) {
	return plan.Repair(net, "attic", []string{"cellar"}, plan.DefaultTiming()), nil, nil
}

func (e *fakeEngine) PlanReturn(_ context.Context, net, node string) (plan.Plan, []engine.Explained, error) {
	return plan.Return(net, node, "cellar", nil, plan.DefaultTiming()), nil, nil
}

func (e *fakeEngine) PlanRestore(_ context.Context, net string, number int) (plan.Plan, []engine.Explained, error) {
	return plan.Restore(net, "attic", []string{"cellar"}, number, plan.DefaultTiming()), nil, nil
}

func (e *fakeEngine) Failover(ctx context.Context, r engine.Request, w engine.Watch) (engine.Ended, error) {
	e.set(r.Network, func(h *fakeHome) { h.failovers++ })
	p, _, err := e.PlanFailover(ctx, r.Network, r.To, r.Confirmed)
	if err != nil {
		return engine.Ended{}, err
	}
	return e.carryOut(ctx, r, w, p)
}

func (e *fakeEngine) PlanFailover(_ context.Context, net, to, confirmed string) (plan.Plan, []engine.Explained, error) {
	if get(e, net, func(h *fakeHome) bool { return h.lost }) && confirmed == "" {
		return plan.Plan{}, nil, &engine.UnconfirmedError{Node: "attic", Why: "attic cannot be looked at, so its stick may be on air"}
	}
	p := plan.Failover(net, "attic", cmp.Or(to, "cellar"), nil, 1, confirmed, plan.DefaultTiming())
	return p, nil, get(e, net, func(h *fakeHome) error { return h.refuse })
}

func (e *fakeEngine) WhyRefused(net string, number int) (why []string, err error) {
	e.set(net, func(h *fakeHome) {
		if why = h.refused; h.record.Refused != number || number == 0 {
			err = &network.RefusedError{What: fmt.Sprintf("accept %d", number), Why: "that generation was not refused", Remedy: "there is nothing to do"}
		}
	})
	return why, err
}

func (e *fakeEngine) Accept(net string, number int, by string) (generation.Generation, error) {
	g := generation.Generation{Number: number, Refused: []string{"it was"}, Accepted: &generation.Accepted{By: by, At: time.Now()}}
	e.set(net, func(h *fakeHome) { h.accepted, h.refused, h.record.Refused = append(h.accepted, g), nil, 0 })
	return g, nil
}

func (e *fakeEngine) DryRun(ctx context.Context, r engine.Request) (plan.Plan, []engine.Explained, error) {
	net, to := r.Network, r.To
	defer e.use(net)()
	if err := wait(ctx, time.Second); err != nil {
		return plan.Plan{}, nil, err
	}
	return e.planned(net, to), nil, get(e, net, func(h *fakeHome) error { return h.refuse })
}

func (e *fakeEngine) PlanSync(_ context.Context, net string) (plan.Plan, []engine.Explained, error) {
	return plan.Sync(net, "attic", 1, []plan.SyncStep{{Node: "cellar", Stage: true}}), nil, get(e, net, func(h *fakeHome) error { return h.refuse })
}

func (e *fakeEngine) PlanStop(_ context.Context, net, node string) (plan.Plan, []engine.Explained, error) {
	active := get(e, net, func(h *fakeHome) bool { return slices.Contains(h.active, node) })
	return plan.StopNode(net, node, active, plan.DefaultTiming()), nil, nil
}

func (e *fakeEngine) PlanStart(_ context.Context, net, node string) (plan.Plan, []engine.Explained, error) {
	return plan.StartNode(net, "attic", []string{"cellar"}, plan.DefaultTiming()), nil, nil
}

func (e *fakeEngine) Recover(ctx context.Context, name string, w engine.Watch) error {
	defer e.use(name)()
	return e.settleOpen(ctx, name, w)
}

// settleOpen takes back what an earlier process left.
func (e *fakeEngine) settleOpen(_ context.Context, name string, w engine.Watch) error {
	h := e.homes[name]
	id := get(e, name, func(h *fakeHome) string { return h.open() })
	if id == "" {
		return nil
	}
	if err := get(e, name, func(h *fakeHome) error { return h.unreachable }); err != nil {
		return &engine.UnsettledError{Run: id, Step: plan.Step{Title: "look at the target"}, Err: err}
	}
	var p plan.Plan
	if err := json.Unmarshal(h.journal[id][0].Data, &p); err != nil {
		return err
	}
	r := &fakeRun{e: e, h: h, name: name, p: p, w: w}
	if ended := r.back(errors.New("the controller was restarted")); ended.Outcome == plan.NeedsHelp {
		return ended.Err
	}
	return nil
}

// leaveOpen journals a switchover that a controller has begun and left after a step.
func (e *fakeEngine) leaveOpen(name string, after plan.Act) (run string) {
	return e.leave(name, move(name, "attic", "cellar"), "asked for by Owner", after)
}

// leave is the same with any plan.
func (e *fakeEngine) leave(name string, p plan.Plan, reason string, after plan.Act) (run string) {
	r := e.begin(name, p, reason, func(engine.Report) {})
	for _, s := range p.Steps {
		r.append(plan.EventBegin, s, "")
		time.Sleep(time.Second)
		r.append(plan.EventDone, s, "")
		if s.Act == after {
			break
		}
	}
	return r.p.ID
}

func (e *fakeEngine) Runs(name string) ([]string, error) {
	return get(e, name, func(h *fakeHome) []string { return slices.Clone(h.runs) }), nil
}

func (e *fakeEngine) Load(name, run string) ([]plan.Entry, error) {
	entries := get(e, name, func(h *fakeHome) []plan.Entry { return slices.Clone(h.journal[run]) })
	if len(entries) == 0 {
		return nil, fmt.Errorf("run %s cannot be read", run)
	}
	return entries, nil
}
