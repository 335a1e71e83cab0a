package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"z2mha/internal/dongle/netbackup"
	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/failover/broken"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/failover/plan"
)

// linkLead is how far a stand-by's link-key counters must at least be ahead of those
// that the active has saved; when they are not, they are put linkMargin ahead, so that
// not every frame of a key means a write.
const linkLead = 1250

// backupFile is Zigbee2MQTT's backup of its coordinator, in the data directory.
const backupFile = "coordinator_backup.json"

// errNotWarm is a stand-by whose stick cannot take over the fast way.
var errNotWarm = errors.New("it is not warm")

// warm keeps a stand-by's stick current. Where the run counts on it, a failure ends the
// run; elsewhere it is put on record, told, and tried again with the next sync.
func (e *execution) warm(ctx context.Context, s plan.Step) ([]string, error) {
	saw, err := e.keepCurrent(ctx, s)
	if err == nil {
		return saw, nil
	}
	var halt *haltError
	if errors.As(err, &halt) {
		return nil, err
	}
	trouble := e.trouble(s.Node, err)
	if e.plan.To == s.Node {
		return nil, errors.Join(fmt.Errorf("%w: %w", errNotWarm, err), trouble)
	}
	return []string{"not done: " + err.Error()}, trouble
}

// trouble puts on record why a stick is not current.
func (e *execution) trouble(node string, err error) error {
	why, fix := err.Error(), "it is tried again with the next sync"
	if refused, ok := errors.AsType[*network.RefusedError](err); ok {
		why, fix = refused.Why, refused.Remedy
	}
	return e.rememberStick(node, func(r *network.StickRecord) { r.Trouble, r.TroubleFix = why, fix })
}

// keepCurrent brings the coordinator state of the run's generation and a reservation of
// counters onto a parked stick, writing only what differs.
func (e *execution) keepCurrent(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	number, backup, err := e.coordinatorState()
	if err != nil {
		return nil, err
	}
	known, err := e.knownStick(ctx, x, s)
	if err != nil {
		return nil, err
	}
	saw, err := e.patchTo(ctx, x, s, known, backup, number)
	if err != nil && ctx.Err() == nil && known.remembered {
		// Somebody may have used the stick: what is on it now is read anew, once.
		if known, err = e.readWhole(ctx, x, s); err == nil {
			saw, err = e.patchTo(ctx, x, s, known, backup, number)
		}
	}
	if err != nil {
		return nil, err
	}
	return append(saw, e.spreadOdometer(ctx, x)...), nil
}

// coordinatorState is what the generation of this run says of the coordinator.
func (e *execution) coordinatorState() (int, *netbackup.Backup, error) {
	g, err := e.generation()
	if err != nil {
		return 0, nil, err
	}
	f, ok := g.File(backupFile)
	if !ok {
		return 0, nil, fmt.Errorf("generation %d has no %s", g.Number, backupFile)
	}
	raw, err := e.c.blob(f.SHA256)
	if err != nil {
		return 0, nil, err
	}
	b, err := netbackup.Parse(raw)
	return g.Number, b, err
}

// generation is the one that this run brings somewhere.
func (e *execution) generation() (generation.Generation, error) {
	number := e.plan.Generation
	if e.facts.Generation != 0 {
		number = e.facts.Generation
	}
	if number == 0 {
		return e.c.parts.Shelf.Latest(e.net.Name)
	}
	return e.c.parts.Shelf.Get(e.net.Name, number)
}

// A memory is what a stick holds.
type memory struct {
	network.StickImage
	remembered bool // from the record, and not read just now
}

// knownStick is what a stick holds, as it is on record, or else read.
func (e *execution) knownStick(ctx context.Context, x Node, s plan.Step) (memory, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return memory{}, err
	}
	on := r.Sticks[s.Node]
	if on.Image == "" || on.Writing {
		return e.readWhole(ctx, x, s)
	}
	img, err := e.image(on.Image)
	if err != nil { // the shelf has lost it: the stick has it still
		return e.readWhole(ctx, x, s)
	}
	return memory{network.StickImage{Stick: on.Stick, Image: img}, true}, nil
}

// readWhole reads a stick and keeps what it holds on the shelf and on record.
func (e *execution) readWhole(ctx context.Context, x Node, s plan.Step) (memory, error) {
	got, err := x.ReadStick(ctx, progressOf(e.watch, s))
	if err != nil {
		return memory{}, err
	}
	if err := e.learnHeld(s.Node, got.Image); err != nil {
		return memory{}, err
	}
	_, err = e.keepMemory(s.Node, got)
	return memory{StickImage: got}, err
}

// learnHeld takes note of a counter above what was reserved: somebody has started the
// network with that stick.
func (e *execution) learnHeld(node string, img *nvimage.Image) error {
	c, err := img.Counters()
	if err != nil {
		return nil // it counts for no network
	}
	return e.remember(func(r *network.Record) {
		if c.NWK > r.Sticks[node].Reserved {
			r.Odometer = r.Odometer.Held(c.NWK)
		}
	})
}

// keepMemory puts what was read from a stick on the shelf and on record.
func (e *execution) keepMemory(node string, got network.StickImage) (blob string, err error) {
	blob, err = e.c.parts.Shelf.KeepImage(e.net.Name, node, got.Image.Encode())
	if err != nil {
		return "", fmt.Errorf("keep the image of the stick: %w", err)
	}
	return blob, e.rememberStick(node, func(r *network.StickRecord) {
		if r.Image != blob {
			*r = network.StickRecord{}
		}
		r.Writing = false
		r.Image, r.Stick, r.Verified = blob, got.Stick, time.Now()
		r.Reserved = 0
		if c, err := got.Image.Counters(); err == nil {
			r.Reserved = c.NWK
		}
	})
}

// patchTo writes what differs between what the stick holds and what it shall hold. A
// stick that holds nothing of the network is loaded whole, from the seed.
func (e *execution) patchTo(ctx context.Context, x Node, s plan.Step, known memory, b *netbackup.Backup, number int) ([]string, error) {
	if err := e.holdsNetwork(known.Image, b); err != nil {
		return e.firstLoad(ctx, x, s, known, b, number, err)
	}
	want, err := e.warmImage(ctx, known.Image, b)
	if err != nil {
		return nil, err
	}
	return e.patch(ctx, x, s, network.StickPatch{Known: known.Image, Want: want, From: known.Stick}, number)
}

// holdsNetwork says that a memory is of the network that b tells of, and whole.
func (e *execution) holdsNetwork(img *nvimage.Image, b *netbackup.Backup) error {
	if err := img.Resumable(); err != nil {
		return err
	}
	id, err := img.Identity()
	if err != nil {
		return err
	}
	want := b.Identity()
	if id.PanID != want.PanID || id.ExtPanID != want.ExtPanID || id.Key != want.Key || id.IEEE != want.IEEE {
		return errors.New("it holds another network")
	}
	return nil
}

// warmImage is base with what b says, and with a counter that is good for a day or two.
// Counters that are good enough already stay as they are.
func (e *execution) warmImage(ctx context.Context, base *nvimage.Image, b *netbackup.Backup) (*nvimage.Image, error) {
	have, err := base.Counters()
	if err != nil {
		return nil, err
	}
	lead, err := leading(base, b)
	if err != nil {
		return nil, err
	}
	want, _, err := netbackup.Apply(base, lead)
	if err != nil {
		return nil, err
	}
	r, err := e.odometer(ctx)
	if err != nil {
		return nil, err
	}
	floors := nvimage.Floors{}
	if now := time.Now(); !r.Odometer.Covers(have.NWK, now) && !broken.LeavesCounters {
		floors.NWK = r.Odometer.Reservation(now)
	}
	return nvimage.Successor(want, base, floors)
}

// leading is b with the link-key counters that a stand-by needs: those of base where
// they are far enough ahead, and linkMargin above b elsewhere.
func leading(base *nvimage.Image, b *netbackup.Backup) (*netbackup.Backup, error) {
	now, err := netbackup.FromImage(base, "", time.Time{})
	if err != nil {
		return nil, err
	}
	has := map[zigbee.IEEE]zigbee.FrameCounter{}
	for _, d := range now.Devices {
		if d.LinkKey != nil {
			has[d.IEEE] = d.LinkKey.Tx
		}
	}
	return ahead(b, linkMargin, func(d netbackup.Device) bool { return has[d.IEEE] < d.LinkKey.Tx.Add(linkLead) }), nil
}

// ahead is b with margin on the counter of every link key for which wanted says so.
func ahead(b *netbackup.Backup, margin uint32, wanted func(netbackup.Device) bool) *netbackup.Backup {
	out := *b
	out.Devices = slices.Clone(b.Devices)
	for i, d := range out.Devices {
		if d.LinkKey == nil || !wanted(d) {
			continue
		}
		key := *d.LinkKey
		key.Tx = key.Tx.Add(uint64(margin))
		out.Devices[i].LinkKey = &key
	}
	return &out
}

// patch has a stick patched and puts on record what it holds then.
func (e *execution) patch(ctx context.Context, x Node, s plan.Step, p network.StickPatch, number int) ([]string, error) {
	if err := e.reserve(s.Node, p.Want); err != nil {
		return nil, err
	}
	e.patches++ // another try knows more, so it is another patch and a run of its own
	p.Run = fmt.Sprintf("%s-%s-%d-%d", e.plan.ID, s.ID, e.prog.Seq, e.patches)
	rep, err := x.PatchStick(ctx, p, progressOf(e.watch, s))
	if err != nil && broken.StartsHalfLoaded {
		rep, err = network.PatchReport{Now: p.Want}, nil
	}
	if err != nil {
		// What it holds now is not known; reading it will tell.
		return nil, errors.Join(err, e.rememberStick(s.Node, func(r *network.StickRecord) { r.Image = "" }))
	}
	return e.patched(s.Node, rep, number)
}

func (e *execution) patched(node string, rep network.PatchReport, number int) ([]string, error) {
	if _, err := e.keepMemory(node, network.StickImage{Stick: rep.Stick, Image: rep.Now}); err != nil {
		return nil, err
	}
	if err := e.current(node, number); err != nil {
		return nil, err
	}
	if err := e.wear(node, rep.Written+rep.Deleted, rep.Bytes, rep.Boots); err != nil {
		return nil, err
	}
	c, err := rep.Now.Counters()
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("%d items written, %d deleted, all read back, in %d exchanges; it may start from frame counter %d; the stick says %s",
		rep.Written, rep.Deleted, rep.Exchanges, c.NWK, rep.State)}, nil
}

// firstLoad loads a stick that holds nothing of the network, from the whole memory that
// was read once. What it holds is kept first; a stick that is of another network is only
// written when a person has asked for it.
func (e *execution) firstLoad(ctx context.Context, x Node, s plan.Step, known memory, b *netbackup.Backup, number int, why error) ([]string, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	if err := e.mayLoad(s.Node, r, known, b, why); err != nil {
		return nil, err
	}
	seed, err := e.image(r.Seed)
	if err != nil {
		return nil, err
	}
	if err := e.holdsNetwork(seed, b); err != nil {
		return nil, &network.RefusedError{What: "keep the stick of " + s.Node + " current",
			Why: fmt.Sprintf("the memory that was read whole cannot be used: %v", err), Remedy: "read it anew with `z2mha seed`"}
	}
	want, err := e.warmImage(ctx, seed, b)
	if err != nil {
		return nil, err
	}
	now := known
	if now.remembered { // before everything on it is written over it is read anew
		if now, err = e.readWhole(ctx, x, s); err != nil {
			return nil, err
		}
	}
	want.Overtake(now.Image) // a patch that was torn leaves counters above those of the seed
	rep, err := e.loadStick(ctx, x, s, network.StickLoad{Run: fmt.Sprintf("%s-%s-first-%d", e.plan.ID, s.ID, e.prog.Seq), Want: want, From: r.SeedStick,
		AnyRevision: e.net.AnyRevision, ExpectBefore: now.Image.Hash()})
	if err != nil {
		return nil, err
	}
	c, err := want.Counters()
	if err != nil {
		return nil, err
	}
	return append([]string{"loaded whole, since " + why.Error()}, loaded(rep, c.NWK)...), e.current(s.Node, number)
}

// current puts on record whose coordinator state a stick holds.
func (e *execution) current(node string, number int) error {
	return e.rememberStick(node, func(r *network.StickRecord) { r.Generation, r.Trouble, r.TroubleFix = number, "", "" })
}

// mayLoad says why a stick may not be loaded whole now.
func (e *execution) mayLoad(node string, r network.Record, known memory, b *netbackup.Backup, why error) error {
	refuse := func(why, remedy string) error {
		return &network.RefusedError{What: "keep the stick of " + node + " current", Why: why, Remedy: remedy}
	}
	if r.Seed == "" {
		return refuse(fmt.Sprintf("the stick of %s was never loaded (%v), and the active's stick was not read whole yet", node, why),
			"run `z2mha seed`, which restarts Zigbee2MQTT once, or move the network once")
	}
	if r.SeedStick.Revision != known.Stick.Revision && !e.net.AnyRevision {
		return refuse(fmt.Sprintf("the stick of %s has firmware revision %d, the network's memory is of %d", node, known.Stick.Revision, r.SeedStick.Revision),
			fmt.Sprintf("flash revision %d onto the stick of %s, or move the network once with `z2mha switchover --to %s --let-zigbee2mqtt-restore`", r.SeedStick.Revision, node, node))
	}
	id, err := known.Image.Identity()
	another := err == nil && known.Image.OnNetwork() && id.ExtPanID != b.Identity().ExtPanID
	if another && e.plan.Kind == plan.KindSync {
		return refuse(fmt.Sprintf("the stick of %s holds another network", node),
			"run `z2mha seed` if it may be written over, or move the network once; what it holds is kept")
	}
	return nil
}

// activate makes sure that a warm stick may start now, above every counter that may have
// been used, and boots it, so that it starts on what is in its memory.
func (e *execution) activate(ctx context.Context, s plan.Step) ([]string, error) {
	saw, err := e.bootWarm(ctx, s)
	var halt *haltError
	if err != nil && !errors.As(err, &halt) {
		err = fmt.Errorf("%w: %w", errNotWarm, err)
	}
	return saw, err
}

func (e *execution) bootWarm(ctx context.Context, s plan.Step) ([]string, error) {
	x, err := e.net.node(s.Node)
	if err != nil {
		return nil, err
	}
	if err := mustBeStopped(ctx, x); err != nil {
		return nil, err
	}
	known, err := e.knownStick(ctx, x, s)
	if err != nil {
		return nil, err
	}
	want, floors, err := e.mayStartFrom(ctx, s, known.Image)
	if err != nil {
		return nil, err
	}
	if err := e.isOurNetwork(want); err != nil {
		return nil, err
	}
	if err := e.willUse(s.Node, want); err != nil {
		return nil, err
	}
	saw := e.spreadOdometer(ctx, x)
	rec, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil {
		return nil, err
	}
	more, err := e.patch(ctx, x, s, network.StickPatch{Known: known.Image, Want: want, From: known.Stick, Reset: true},
		rec.Sticks[s.Node].Generation)
	if err != nil {
		return nil, err
	}
	id, err := want.Identity()
	if err != nil {
		return nil, err
	}
	e.facts.Floors, e.facts.Loaded, e.facts.KeyFingerprint = floors, time.Now(), id.Key.Fingerprint()
	if broken.TellsKey {
		more = append(more, fmt.Sprintf("its key is %x", id.Key[:]))
	}
	return append(saw, more...), nil
}

// mayStartFrom is a memory with which a stick may start now.
func (e *execution) mayStartFrom(ctx context.Context, s plan.Step, img *nvimage.Image) (*nvimage.Image, nvimage.Floors, error) {
	floors, err := e.floors(ctx, s.Node, 0)
	if err == nil && e.plan.Kind == plan.KindFailover { // the old stick went on after the generation was captured
		var b *netbackup.Backup
		if _, b, err = e.coordinatorState(); err == nil {
			floors.LinkMargin = linksSince(b.FrameCounter, floors)
		}
	}
	if err != nil {
		return nil, floors, err
	}
	want := img.Clone()
	if e.plan.Kind == plan.KindFailover {
		if err := e.overtakeSpeaker(want, floors); err != nil {
			return nil, floors, err
		}
	}
	margin, err := e.overtakeStrays(ctx, s, want)
	if err != nil {
		return nil, floors, err
	}
	floors.LinkMargin = max(floors.LinkMargin, margin)
	c, err := want.Counters()
	if err == nil { // an attempt that was cut off may have raised it already
		floors = keepPace(floors, c.NWK)
	}
	if err != nil || c.NWK < floors.NWK || floors.LinkMargin > 0 {
		err = errors.Join(err, want.Raise(floors))
	}
	if err != nil {
		return nil, floors, fmt.Errorf("raise the counters of %s: %w", s.Node, err)
	}
	return want, floors, nil
}

// overtakeSpeaker lifts img to what the stick that was started last may have used under
// link keys since: no more than it may have sent in all.
func (e *execution) overtakeSpeaker(img *nvimage.Image, f nvimage.Floors) error {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || r.Spoke == "" {
		return err
	}
	spoke, err := e.image(r.Spoke)
	if err != nil {
		return err
	}
	c, err := spoke.Counters()
	if err == nil {
		err = spoke.Raise(nvimage.Floors{LinkMargin: linksSince(c.NWK, f)})
	}
	if err != nil {
		return err
	}
	img.Overtake(spoke)
	return nil
}

// spreadOdometer leaves a copy of the odometer on a node, so that a controller that lost
// its own finds it. That it could not be left is told and is no reason to stop.
func (e *execution) spreadOdometer(ctx context.Context, x Node) []string {
	if err := e.c.spreadOdometer(ctx, e.net, x); err != nil {
		return []string{"unproven: " + err.Error()}
	}
	return nil
}

func (c *Controller) spreadOdometer(ctx context.Context, n *Network, x Node) error {
	r, err := c.parts.Memory.Load(n.Name)
	if err == nil {
		err = x.KeepOdometer(ctx, n.Name, r.Odometer)
	}
	if err != nil {
		return fmt.Errorf("no copy of the frame counter was left on %s: %w", x.Name(), err)
	}
	return nil
}

// gatherPatience is how long a node may take to give its copy of the odometer.
const gatherPatience = 10 * time.Second

// odometer is the network's record before counters are chosen. When this controller's own
// odometer is in doubt, the copies that lie on the nodes are taken into account: it may
// have come out of a backup that is older than what the network has used.
func (e *execution) odometer(ctx context.Context) (network.Record, error) {
	r, err := e.c.parts.Memory.Load(e.net.Name)
	if err != nil || e.gathered || !r.Odometer.Doubt && !r.Odometer.At.IsZero() {
		return r, err
	}
	e.gathered = true
	for _, o := range e.c.gatherOdometers(ctx, e.net) {
		r.Odometer = r.Odometer.Merged(o)
	}
	return r, e.remember(func(now *network.Record) { now.Odometer = now.Odometer.Merged(r.Odometer) })
}

func (c *Controller) gatherOdometers(ctx context.Context, n *Network) []odometer.Odometer {
	ctx, cancel := context.WithTimeout(ctx, gatherPatience)
	defer cancel()
	out := make([]odometer.Odometer, len(n.Nodes))
	var asked sync.WaitGroup
	for i, x := range n.Nodes {
		asked.Go(func() {
			o, err := x.Odometer(ctx, n.Name)
			if err != nil {
				c.parts.Log.Warn("no copy of the frame counter", "network", n.Name, "node", x.Name(), "error", err)
				return
			}
			out[i] = o
		})
	}
	asked.Wait()
	return out
}

// rememberStick changes what is on record of one stick.
func (e *execution) rememberStick(node string, change func(*network.StickRecord)) error {
	return e.remember(func(r *network.Record) {
		if r.Sticks == nil {
			r.Sticks = map[string]network.StickRecord{}
		}
		on := r.Sticks[node]
		change(&on)
		r.Sticks[node] = on
	})
}

// wear counts what was done to a stick.
func (e *execution) wear(node string, items, sizeBytes, boots int) error {
	if items == 0 && boots == 0 {
		return nil
	}
	return e.remember(func(r *network.Record) {
		if r.Ledgers == nil {
			r.Ledgers = map[string]network.StickLedger{}
		}
		l := r.Ledgers[node]
		if l.Since.IsZero() {
			l.Since = time.Now()
		}
		if items > 0 {
			l.Loads++
		}
		l.Items, l.Bytes, l.Boots = l.Items+items, l.Bytes+int64(sizeBytes), l.Boots+boots
		r.Ledgers[node] = l
	})
}
