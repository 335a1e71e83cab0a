package nvram

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/znp"
)

// A patient client repeats an NV request once when no answer came in time. All of
// them may be repeated: whether the first was carried out makes no difference, unless
// the stick has booted meanwhile, which moves counters on.
type patient struct {
	*znp.Client
	boots *bootWatch // nil: nobody looks out for boots
}

func (p patient) ReadOSAL(ctx context.Context, id uint16) ([]byte, error) {
	return twice(ctx, p.boots, func() ([]byte, error) { return p.Client.ReadOSAL(ctx, id) })
}

func (p patient) ReadNV(ctx context.Context, item, sub uint16, length int) ([]byte, error) {
	return twice(ctx, p.boots, func() ([]byte, error) { return p.Client.ReadNV(ctx, item, sub, length) })
}

func (p patient) LengthNV(ctx context.Context, item, sub uint16) (int, error) {
	return twice(ctx, p.boots, func() (int, error) { return p.Client.LengthNV(ctx, item, sub) })
}

func (p patient) UpdateNV(ctx context.Context, item, sub uint16, value []byte) error {
	return onceMore(ctx, p.boots, func() error { return p.Client.UpdateNV(ctx, item, sub, value) })
}

// DeleteOSAL may answer ErrNoItem when the first request was carried out after all.
func (p patient) DeleteOSAL(ctx context.Context, id uint16, length int) error {
	return onceMore(ctx, p.boots, func() error { return p.Client.DeleteOSAL(ctx, id, length) })
}

// DeleteNV may answer ErrNoItem when the first request was carried out after all.
func (p patient) DeleteNV(ctx context.Context, item, sub uint16) error {
	return onceMore(ctx, p.boots, func() error { return p.Client.DeleteNV(ctx, item, sub) })
}

// item reads one item whole. length is what a table's entry is believed to have; its
// real length is asked for only when it has less.
func (p patient) item(ctx context.Context, id nvimage.ID, length int) ([]byte, error) {
	if id.IsOSAL() {
		return p.ReadOSAL(ctx, id.Sub)
	}
	value, err := p.ReadNV(ctx, id.Item, id.Sub, max(length, 1))
	if !isBadLength(err) {
		return value, err
	}
	length, err = p.LengthNV(ctx, id.Item, id.Sub)
	if err != nil {
		return nil, err
	}
	if length == 0 {
		return nil, znp.ErrNoItem
	}
	return p.ReadNV(ctx, id.Item, id.Sub, length)
}

// isBadLength recognises the answer of the NV commands to a read beyond the end.
func isBadLength(err error) bool {
	const badLength = 5
	var status *znp.StatusError
	return errors.As(err, &status) && status.Status == badLength
}

func twice[T any](ctx context.Context, boots *bootWatch, request func() (T, error)) (T, error) {
	v, err := request()
	if errors.Is(err, znp.ErrTimeout) && ctx.Err() == nil && !boots.booted() {
		return request()
	}
	return v, err
}

func onceMore(ctx context.Context, boots *bootWatch, request func() error) error {
	_, err := twice(ctx, boots, func() (struct{}, error) { return struct{}{}, request() })
	return err
}

// A bootWatch notices boots that nobody asked for: a stick that lost its power, or
// crashed.
type bootWatch struct {
	waiter *znp.Waiter
	seen   bool
}

func watchBoots(c *znp.Client) *bootWatch { return &bootWatch{waiter: c.Expect(isBoot)} }

func isBoot(f unpi.Frame) bool {
	const resetInd = 0x80
	return f.Type == unpi.AREQ && f.Subsystem == unpi.SYS && f.ID == resetInd
}

// booted says that the stick has announced a boot until now.
func (b *bootWatch) booted() bool {
	if b == nil || b.seen {
		return b != nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // only what has come already
	_, none := b.waiter.Wait(ctx)
	b.seen = none == nil
	return b.seen
}

// because adds to err that the stick has booted: the boot may have cleared or advanced
// what was right before.
func (b *bootWatch) because(err error) error {
	switch {
	case !b.booted() || errors.Is(err, ErrRebooted):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRebooted, err)
	}
	return ErrRebooted
}
