package nvram

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znp"
)

// Write makes a stick in HOLD hold want and returns it to HOLD. It reads the stick,
// checks that the image fits, lets Keep save the old content, writes what differs,
// deletes what want lacks, reads every written item back and then resets the stick.
// When nothing differs it writes and resets nothing.
//
// A transmit counter that is higher on the stick, for the same network or key, stays:
// counters never fall. POLL_RATE_OLD16 is never touched.
//
// Unless only counters differ, the flag by which Zigbee2MQTT knows a commissioned
// stick (0x0060) goes first and comes back last, after everything else has been read
// back. A write cut off anywhere therefore leaves a stick that Zigbee2MQTT cannot
// resume, or one with some counters raised. The error tells which; it names the
// item, never its value.
func Write(ctx context.Context, c *znp.Client, want *nvimage.Image, o WriteOptions) (WriteReport, error) {
	w := &writer{client: patient{Client: c}, options: o}
	err := w.run(ctx, want)
	if err != nil {
		err = fmt.Errorf("write the stick's memory: %w; %s", err, w.left)
	}
	return w.report, err
}

// flag is the item that makes Zigbee2MQTT take a stick for commissioned.
var flag = nvimage.OSAL(nvimage.HasConfiguredZStack3)

// A leftover says in which state an error leaves the stick.
type leftover string

const (
	leftAlone    leftover = "nothing was written"
	leftCounters leftover = "only frame counters were raised, the stick is whole"
	leftHalf     leftover = "the stick cannot be resumed by Zigbee2MQTT until a load completes: do not start it there"
	leftUnbooted leftover = "everything is written and read back; park the stick before use"
)

type writer struct {
	client  patient
	options WriteOptions
	report  WriteReport
	left    leftover

	have, target *nvimage.Image
	changes      []nvimage.Change
}

func (w *writer) run(ctx context.Context, want *nvimage.Image) error {
	err := w.bring(ctx, func() error { return w.compare(ctx, want) }, w.keep)
	if err != nil || len(w.changes) == 0 && !w.options.Resume {
		return err
	}
	w.left = leftUnbooted
	return w.activate(ctx)
}

// bring finds out with compare what is to be changed and changes it. A boot meanwhile,
// which moves counters on, ends it before the next item is written.
func (w *writer) bring(ctx context.Context, compare, keep func() error) error {
	w.left = leftAlone
	w.client.boots = watchBoots(w.client.Client)
	defer w.client.boots.waiter.Close()
	err := meter(w.client.Client, &w.report.Compare, compare)
	if err := w.client.boots.because(err); err != nil || len(w.changes) == 0 {
		return err
	}
	if err := keep(); err != nil {
		return err
	}
	return w.client.boots.because(w.load(ctx))
}

// compare finds out what differs and whether it may be written.
func (w *writer) compare(ctx context.Context, want *nvimage.Image) error {
	w.phase(PhaseCompare)
	s, err := w.parked(ctx)
	if err != nil {
		return err
	}
	if w.have, err = Read(ctx, w.client.Client, w.options.Progress); err != nil {
		return err
	}
	w.report.BeforeHash = w.have.Hash()
	w.target = loadable(want, w.have)
	fit := nvimage.Fit{AnyRevision: w.options.AnyRevision}
	if err := nvimage.CheckFit(w.target, w.options.From, w.have, s.Stick, fit); err != nil {
		return err
	}
	w.changes = nvimage.Diff(w.target, w.have)
	w.report.Unchanged = w.target.Len() - countWrites(w.changes)
	return nil
}

// parked reads the stick's state; any but HOLD is an error.
func (w *writer) parked(ctx context.Context) (Silence, error) {
	s, err := hold(ctx, w.client.Client)
	if errors.Is(err, ErrNotHold) {
		err = fmt.Errorf("%w: park it first", err)
	}
	return s, err
}

func countWrites(changes []nvimage.Change) int {
	n := 0
	for _, c := range changes {
		if c.Want != nil {
			n++
		}
	}
	return n
}

func (w *writer) keep() error {
	if e := w.options.ExpectBefore; e != "" && e != w.report.BeforeHash && !w.options.Resume {
		return fmt.Errorf("%w: want content %.12s, have %.12s", ErrChanged, e, w.report.BeforeHash)
	}
	if w.options.Keep == nil {
		return nil
	}
	if err := w.options.Keep(w.have.Clone()); err != nil {
		return fmt.Errorf("keep what the stick holds: %w", err)
	}
	return nil
}

// load writes, reads back, and sets the flag when that has gone well.
func (w *writer) load(ctx context.Context) error {
	if onlyCounters(w.changes) {
		return w.apply(ctx, w.changes)
	}
	if err := w.clearFlag(ctx); err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(w.changes), func(c nvimage.Change) bool { return c.ID == flag })
	if err := w.apply(ctx, rest); err != nil {
		return err
	}
	return w.setFlag(ctx)
}

func onlyCounters(changes []nvimage.Change) bool {
	return !slices.ContainsFunc(changes, func(c nvimage.Change) bool { return !c.IsCounterOnly() })
}

// clearFlag deletes 0x0060 and makes sure that it is gone.
func (w *writer) clearFlag(ctx context.Context) error {
	have, ok := w.have.Get(flag)
	if !ok {
		w.left = leftHalf
		return nil
	}
	if err := w.stopped(ctx); err != nil {
		return err
	}
	w.left = leftHalf
	gone := nvimage.Change{ID: flag, Have: have}
	if err := meter(w.client.Client, &w.report.Write, func() error { return w.change(ctx, gone) }); err != nil {
		return err
	}
	if err := meter(w.client.Client, &w.report.ReadBack, func() error { return w.check(ctx, gone) }); err != nil {
		return err
	}
	if value, again := w.target.Get(flag); !again {
		w.report.Deleted++
	} else if bytes.Equal(value, have) {
		w.report.Unchanged-- // it is written again
	}
	return nil
}

// setFlag writes 0x0060, the last item of a load.
func (w *writer) setFlag(ctx context.Context) error {
	value, ok := w.target.Get(flag)
	if !ok {
		return nil
	}
	if err := w.stopped(ctx); err != nil {
		return err
	}
	set := nvimage.Change{ID: flag, Want: value}
	if err := meter(w.client.Client, &w.report.Write, func() error { return w.change(ctx, set) }); err != nil {
		return err
	}
	w.wrote(value)
	return meter(w.client.Client, &w.report.ReadBack, func() error { return w.check(ctx, set) })
}

// apply writes and reads back. Deletions come after the writes and from the end, so
// that a table never has a gap behind which entries would not be found any more.
func (w *writer) apply(ctx context.Context, changes []nvimage.Change) error {
	writes := slices.DeleteFunc(slices.Clone(changes), func(c nvimage.Change) bool { return c.Want == nil })
	deletes := slices.DeleteFunc(slices.Clone(changes), func(c nvimage.Change) bool { return c.Want != nil })
	slices.Reverse(deletes)
	ordered := append(writes, deletes...)

	err := meter(w.client.Client, &w.report.Write, func() error { return w.each(ctx, PhaseWrite, ordered, w.changeAndCount) })
	if err != nil {
		return err
	}
	return meter(w.client.Client, &w.report.ReadBack, func() error { return w.each(ctx, PhaseReadBack, ordered, w.check) })
}

func (w *writer) each(ctx context.Context, p Phase, changes []nvimage.Change, do func(context.Context, nvimage.Change) error) error {
	w.phase(p)
	for i, c := range changes {
		if err := w.stopped(ctx); err != nil {
			return err
		}
		if err := do(ctx, c); err != nil {
			return err
		}
		if w.options.Progress != nil {
			w.options.Progress(i+1, len(changes))
		}
	}
	return nil
}

// stopped is asked before each item: shall it still be written?
func (w *writer) stopped(ctx context.Context) error {
	select {
	case <-w.options.Stop:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	default:
		return w.client.boots.because(nil)
	}
}

func (w *writer) changeAndCount(ctx context.Context, c nvimage.Change) error {
	if w.left == leftAlone {
		w.left = leftCounters
	}
	if err := w.change(ctx, c); err != nil {
		return err
	}
	if c.Want == nil {
		w.report.Deleted++
	} else {
		w.wrote(c.Want)
	}
	return nil
}

func (w *writer) wrote(value []byte) {
	w.report.Written++
	w.report.Bytes += len(value)
}
