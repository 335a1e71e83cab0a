package nvram

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
)

// change writes or deletes one item. What is to be deleted and is gone is well.
func (w *writer) change(ctx context.Context, c nvimage.Change) error {
	var err error
	switch {
	case c.Want != nil:
		err = w.client.UpdateNV(ctx, c.ID.Item, c.ID.Sub, c.Want)
	case c.ID.IsOSAL():
		err = w.client.DeleteOSAL(ctx, c.ID.Sub, len(c.Have))
	default:
		err = w.client.DeleteNV(ctx, c.ID.Item, c.ID.Sub)
	}
	if c.Want == nil && errors.Is(err, znp.ErrNoItem) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%v: %w%s", c.ID, err, flashHint(err))
	}
	return nil
}

// flashHint says what a refused write has meant so far.
func flashHint(err error) string {
	var status *znp.StatusError
	if errors.As(err, &status) {
		return " (when this repeats, the stick's memory is full or damaged: erase it and flash the firmware again)"
	}
	return ""
}

// check reads one item back.
func (w *writer) check(ctx context.Context, c nvimage.Change) error {
	have, err := w.readBack(ctx, c)
	switch {
	case errors.Is(err, znp.ErrNoItem):
		have = nil
	case err != nil:
		return fmt.Errorf("%v: %w", c.ID, err)
	}
	if !bytes.Equal(have, c.Want) {
		return fmt.Errorf("%v: %w", c.ID, ErrReadBack)
	}
	return nil
}

func (w *writer) readBack(ctx context.Context, c nvimage.Change) ([]byte, error) {
	if c.ID.IsOSAL() {
		return w.client.ReadOSAL(ctx, c.ID.Sub)
	}
	length := max(len(c.Want), 1)
	have, err := w.client.ReadNV(ctx, c.ID.Item, c.ID.Sub, length)
	if isBadLength(err) {
		return nil, ErrReadBack
	}
	return have, err
}

// activate boots the stick with its new memory and proves it silent under the
// address it was given.
func (w *writer) activate(ctx context.Context) error {
	w.phase(PhaseReset)
	var info znp.DeviceInfo
	var announced bool
	err := meter(w.client.Client, &w.report.Write, func() (err error) {
		info, announced, err = reboot(ctx, w.client.Client)
		return err
	})
	if err != nil {
		return err
	}
	if !announced {
		return errors.New("the stick did not announce a boot after the reset")
	}
	w.report.Boots++
	return w.checkAddress(info.IEEE)
}

func (w *writer) checkAddress(got zigbee.IEEE) error {
	id, err := w.target.Identity()
	if err != nil || !w.target.OnNetwork() || got == id.IEEE {
		return nil
	}
	return fmt.Errorf("after the reset the stick has the address %v, want %v", got, id.IEEE)
}

func (w *writer) phase(p Phase) {
	if w.options.Phase != nil {
		w.options.Phase(p)
	}
}
