package nvram

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// Patch makes a stick in HOLD that holds known hold want, without reading all of it. It
// reads the items that PatchItems names: who the stick is, the network's counters, one
// link key, and everything that is to be changed. Unless each is what known tells, or
// that with its transmit counter moved on, Patch writes nothing and returns an error
// that wraps ErrChanged and names the items. The rest of the memory is believed.
//
// What it writes it writes as Write does: only what differs, no counter lower than the
// stick has it, 0x0060 deleted first and written last unless only counters change, and
// everything read back. It boots the stick only when asked to. With known equal to want
// it only looks.
//
// A patch that was cut off is taken up again with PatchOptions.Resume. Until then
// Zigbee2MQTT cannot resume the stick, or it is whole with some counters raised; only
// where power goes in the very write of a counter can that one item be torn.
func Patch(ctx context.Context, c *znp.Client, known, want *nvimage.Image, o PatchOptions) (PatchReport, error) {
	p := newPatcher(c, known, want, o)
	err := p.run(ctx)
	if err != nil {
		err = fmt.Errorf("patch the stick's memory: %w; %s", err, p.left)
	}
	return p.told(err == nil), err
}

// PatchOptions says under which conditions Patch may write.
type PatchOptions struct {
	// From is the firmware that the images are of; the stick must run the same.
	From nvimage.Stick
	// Reset boots the stick at the end, and proves it silent under the address of want.
	Reset bool
	// Resume is what Keep got last, when an earlier Patch of the same images was cut off;
	// nil for a first one. The stick may then lack its flag, and hold old, new or torn
	// values of the items to be changed.
	Resume *nvimage.Image
	// Keep gets what the stick holds of the items to be changed. It must have made that
	// durable when it returns. It is not called when there is nothing to write.
	Keep func(before *nvimage.Image) error
	// Stop, when closed, ends the patch at the next item boundary.
	Stop <-chan struct{}
	// Progress counts within a phase; Phase announces the next one. Both may be nil.
	Progress Progress
	Phase    func(Phase)
}

// A PatchReport is what Patch did. It is valid beside an error too, except for Now.
type PatchReport struct {
	Written  int
	Deleted  int
	Bytes    int // of the values written
	Boots    int // 1 after a reset
	Compare  Cost
	Write    Cost // the reset included
	ReadBack Cost
	State    string // HOLD, read back
	Stick    nvimage.Stick
	// Ahead are the transmit counters, of the items that were read, with which the stick
	// was ahead of want before a reset.
	Ahead map[nvimage.ID]zigbee.FrameCounter
	// Now is what the stick holds, as far as known was right.
	Now *nvimage.Image
}

// Cost is what all of it took, without the connecting.
func (r PatchReport) Cost() Cost { return r.Compare.plus(r.Write).plus(r.ReadBack) }

// spots are the items by which a stick is known again.
var spots = []nvimage.ID{
	flag, nvimage.OSAL(nvimage.ExtAddr), nvimage.OSAL(nvimage.StartupOption), nvimage.OSAL(nvimage.Nib),
	nvimage.OSAL(nvimage.NwkActiveKeyInfo), nvimage.OSAL(nvimage.BdbNodeIsOnANetwork), nvimage.OSAL(nvimage.NwkKey),
}

// PatchItems are the items that Patch reads, in dump order. To cut both images down to
// these (nvimage.Image.Part) makes no difference to it.
func PatchItems(known, want *nvimage.Image) []nvimage.ID {
	changing := idsOf(nvimage.Diff(want, known))
	ids := slices.Concat(spots, known.OwnSecMaterial(), changing)
	links := known.LinkKeys()
	isRead := func(id nvimage.ID) bool { return slices.Contains(ids, id) }
	if len(links) > 0 && !slices.ContainsFunc(links, isRead) {
		ids = append(ids, links[0])
	}
	return nvimage.Sorted(ids)
}

func idsOf(changes []nvimage.Change) []nvimage.ID {
	ids := make([]nvimage.ID, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	return ids
}

type patcher struct {
	writer
	known, want *nvimage.Image
	o           PatchOptions
	planned     []nvimage.Change // from known to want
	base        *nvimage.Image   // known, with what the first attempt found
	state       Silence
}

func newPatcher(c *znp.Client, known, want *nvimage.Image, o PatchOptions) *patcher {
	p := &patcher{known: known, want: want, o: o, planned: nvimage.Diff(want, known), base: known.Clone()}
	p.writer = writer{client: patient{Client: c}, options: WriteOptions{Stop: o.Stop, Progress: o.Progress, Phase: o.Phase}}
	if o.Resume != nil {
		p.base.Overlay(o.Resume)
	}
	return p
}

func (p *patcher) run(ctx context.Context) error {
	if err := p.bring(ctx, func() error { return p.spotCheck(ctx) }, p.keep); err != nil {
		return err
	}
	p.left = leftUnbooted
	switch {
	case p.o.Reset:
		return p.activate(ctx)
	case len(p.changes) == 0:
		p.left = leftAlone
		return nil
	}
	return meter(p.client.Client, &p.report.ReadBack, func() error {
		_, err := held(ctx, p.client.Client)
		return err
	})
}

// spotCheck finds out whether the stick is the one that is known, and what is left to be
// changed.
func (p *patcher) spotCheck(ctx context.Context) (err error) {
	p.phase(PhaseCompare)
	if p.state, err = p.parked(ctx); err != nil {
		return err
	}
	if err := p.fits(); err != nil {
		return err
	}
	if err := p.look(ctx); err != nil {
		return err
	}
	p.target = loadable(p.want, p.base)
	p.target.Overtake(p.have)
	mine := append(idsOf(p.planned), p.lostFlag()...)
	p.changes = slices.DeleteFunc(nvimage.Diff(p.target, p.have), func(c nvimage.Change) bool {
		return !slices.Contains(mine, c.ID)
	})
	return nil
}

// fits leaves nothing to be relaxed: known was read from this very stick.
func (p *patcher) fits() error {
	stick, from := p.state.Stick, p.o.From
	if from.Product != stick.Product || from.Revision != stick.Revision {
		return &nvimage.MisfitError{Problems: []string{fmt.Sprintf("it is of %s, the stick runs %s", from, stick)}}
	}
	return nvimage.CheckFit(p.want, from, p.known, stick, nvimage.Fit{AnyRevision: true})
}

// look reads the items and compares them with what is known.
func (p *patcher) look(ctx context.Context) error {
	p.have = p.base.Clone()
	var other []string
	items := PatchItems(p.known, p.want)
	for i, id := range items {
		known, _ := p.known.Get(id)
		want, _ := p.want.Get(id)
		value, err := p.client.item(ctx, id, cmp.Or(len(known), len(want)))
		if err != nil && !errors.Is(err, znp.ErrNoItem) {
			return fmt.Errorf("%v: %w", id, err)
		}
		p.take(id, value)
		if !p.isExpected(id, value, known, want) {
			other = append(other, id.String())
		}
		if p.options.Progress != nil {
			p.options.Progress(i+1, len(items))
		}
	}
	if len(other) > 0 {
		return fmt.Errorf("%w: %s", ErrChanged, strings.Join(other, ", "))
	}
	return nil
}

func (p *patcher) take(id nvimage.ID, value []byte) {
	if len(value) == 0 {
		p.have.Delete(id)
		return
	}
	p.have.Set(id, value)
}

// isExpected says whether the stick may hold value.
func (p *patcher) isExpected(id nvimage.ID, value, known, want []byte) bool {
	switch {
	case nvimage.IsAhead(id, value, known):
		return true
	case p.o.Resume == nil:
		return false
	case !slices.Contains(idsOf(p.planned), id):
		return id == flag && len(value) == 0 && !onlyCounters(p.planned)
	}
	return nvimage.IsAhead(id, value, want) || p.isTorn(id, value, max(len(known), len(want)))
}

// isTorn says that an item which was to be changed is left as a write that was cut off
// leaves it: less than whole, or what the boot after it made in its place.
func (p *patcher) isTorn(id nvimage.ID, value []byte, length int) bool {
	if len(value) < length || !onlyCounters(p.planned) && len(p.lostFlag()) > 0 {
		return true
	}
	_, counts := p.have.Transmit(id)
	return onlyCounters(p.planned) && !counts
}

// lostFlag is the flag when the attempt before has deleted it.
func (p *patcher) lostFlag() []nvimage.ID {
	if _, ok := p.have.Get(flag); ok {
		return nil
	}
	return []nvimage.ID{flag}
}

// keep hands out the old values of what is to be changed, also those that a first
// attempt has changed already.
func (p *patcher) keep() error {
	if p.o.Keep == nil {
		return nil
	}
	before := p.base.Clone()
	before.Overtake(p.have)
	if err := p.o.Keep(before.Part(idsOf(p.planned))); err != nil {
		return fmt.Errorf("keep what the stick holds: %w", err)
	}
	return nil
}

// told is the report; done says that there was no error.
func (p *patcher) told(done bool) PatchReport {
	w := p.report
	r := PatchReport{
		Written: w.Written, Deleted: w.Deleted, Bytes: w.Bytes, Boots: w.Boots,
		Compare: w.Compare, Write: w.Write, ReadBack: w.ReadBack,
		State: p.state.State, Stick: p.state.Stick,
	}
	if !done {
		return r
	}
	r.Ahead = p.ahead()
	r.Now = p.known.Patched(p.want, r.Ahead)
	if r.Boots > 0 {
		r.Now.Boot()
	}
	return r
}

// ahead compares the counters that the stick has now with those that want tells.
func (p *patcher) ahead() map[nvimage.ID]zigbee.FrameCounter {
	ahead := make(map[nvimage.ID]zigbee.FrameCounter)
	has := p.have.Clone()
	for _, c := range p.changes {
		if c.Want != nil {
			has.Set(c.ID, c.Want)
		}
	}
	for _, id := range PatchItems(p.known, p.want) {
		is, ok := has.Transmit(id)
		if told, _ := p.want.Transmit(id); ok && is > told {
			ahead[id] = is
		}
	}
	return ahead
}
