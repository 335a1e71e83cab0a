package nvram

import (
	"context"
	"errors"

	"z2mha/internal/dongle/znp"
)

// A patient client repeats an NV request once when no answer came in time. All of
// them may be repeated: whether the first was carried out makes no difference.
type patient struct{ *znp.Client }

func (p patient) ReadOSAL(ctx context.Context, id uint16) ([]byte, error) {
	return twice(ctx, func() ([]byte, error) { return p.Client.ReadOSAL(ctx, id) })
}

func (p patient) ReadNV(ctx context.Context, item, sub uint16, length int) ([]byte, error) {
	return twice(ctx, func() ([]byte, error) { return p.Client.ReadNV(ctx, item, sub, length) })
}

func (p patient) LengthNV(ctx context.Context, item, sub uint16) (int, error) {
	return twice(ctx, func() (int, error) { return p.Client.LengthNV(ctx, item, sub) })
}

func (p patient) UpdateNV(ctx context.Context, item, sub uint16, value []byte) error {
	return onceMore(ctx, func() error { return p.Client.UpdateNV(ctx, item, sub, value) })
}

// DeleteOSAL may answer ErrNoItem when the first request was carried out after all.
func (p patient) DeleteOSAL(ctx context.Context, id uint16, length int) error {
	return onceMore(ctx, func() error { return p.Client.DeleteOSAL(ctx, id, length) })
}

// DeleteNV may answer ErrNoItem when the first request was carried out after all.
func (p patient) DeleteNV(ctx context.Context, item, sub uint16) error {
	return onceMore(ctx, func() error { return p.Client.DeleteNV(ctx, item, sub) })
}

func twice[T any](ctx context.Context, request func() (T, error)) (T, error) {
	v, err := request()
	if errors.Is(err, znp.ErrTimeout) && ctx.Err() == nil {
		return request()
	}
	return v, err
}

func onceMore(ctx context.Context, request func() error) error {
	_, err := twice(ctx, func() (struct{}, error) { return struct{}{}, request() })
	return err
}
