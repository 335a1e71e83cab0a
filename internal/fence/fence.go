// Package fence cuts the power of a node by something that does not depend on it: an entity
// of Home Assistant, an MQTT topic, an HTTP call, a command. Each is believed only when its
// own confirmation has said off for a while. It implements engine.Fence.
//
// What it does not guarantee: that what is switched is what the node has its power from.
// Only a person can see to that, by trying it; see z2mha fence check --test.
package fence

import (
	"context"
	"errors"
	"fmt"
	"time"

	"z2mha/internal/failover/decide"
	"z2mha/internal/failover/engine"
)

// A Device is what can be switched off and be asked. Its errors hold no secret.
type Device interface {
	// String is how people call it: "switch.attic of Home Assistant".
	String() string
	// Off asks for the power to be cut. Nothing is proven by that.
	Off(ctx context.Context) error
	// State is what the confirmation says now, in words too. Nothing that is older than
	// the last Off counts.
	State(ctx context.Context) (off bool, says string, err error)
	// Check finds out, changing nothing, whether it could be switched and asked now.
	Check(ctx context.Context) error
}

// Options of a Fence. Zero fields have the defaults named.
type Options struct {
	Timeout time.Duration // 30 s: for a cut with its confirmation
	OffTime time.Duration // 5 s: how long off must be seen before it counts
}

// every is the time between two looks at the confirmation.
const every = 500 * time.Millisecond

// A Fence cuts by one device.
type Fence struct {
	device Device
	o      Options
}

var _ engine.Fence = (*Fence)(nil)

// New makes a Fence of a device.
func New(d Device, o Options) *Fence {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.OffTime == 0 {
		o.OffTime = 5 * time.Second
	}
	return &Fence{d, o}
}

func (f *Fence) String() string { return f.device.String() }

// Rung is that of power.
func (f *Fence) Rung() decide.Rung { return decide.RungPower }

// Cut switches off and waits until off was seen without a break for the off-time. An "on",
// or a confirmation that cannot be asked, begins that time anew.
func (f *Fence) Cut(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	if err := f.device.Off(ctx); err != nil {
		return "", fmt.Errorf("switch it off: %w", err)
	}
	var since time.Time // of the off that is seen now
	var last error      // why the newest answer was no proof
	for {
		off, says, err := f.device.State(ctx)
		switch {
		case err != nil:
			since = time.Time{}
		case !off:
			since, err = time.Time{}, fmt.Errorf("it was switched off, and its confirmation says: %s", says)
		case since.IsZero():
			since = time.Now()
		}
		if err == nil && time.Since(since) >= f.o.OffTime {
			return fmt.Sprintf("%s, for %s", says, time.Since(since).Round(time.Second)), nil
		}
		if last == nil || !errors.Is(err, context.DeadlineExceeded) { // which says less
			last = err
		}
		if wait(ctx) != nil {
			return "", f.late(ctx, last)
		}
	}
}

// late says what was seen last.
func (f *Fence) late(ctx context.Context, last error) error {
	switch {
	case last == nil:
		last = fmt.Errorf("off was not seen for %s", f.o.OffTime)
	case errors.Is(last, context.DeadlineExceeded):
		last = fmt.Errorf("its confirmation does not answer")
	}
	return fmt.Errorf("not confirmed within %s: %w", f.o.Timeout, errors.Join(last, interrupted(ctx)))
}

// interrupted is why ctx has ended, unless it ran out of time.
func interrupted(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// Check asks the device whether it could cut now.
func (f *Fence) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, f.o.Timeout)
	defer cancel()
	return f.device.Check(ctx)
}

func wait(ctx context.Context) error {
	t := time.NewTimer(every)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
