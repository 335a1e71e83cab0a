// Package nvram reads and writes the whole memory of a ZNP stick.
//
// Latency, not bandwidth, decides how long that takes: an exchange costs 5 to 19 ms
// whatever its size. So an item that may be absent is asked for with one read
// instead of a length and a read, a table's entry size is asked for once, and a
// write touches only what differs, with one command that creates or replaces.
//
// Reading is harmless at any time, though a running stick's memory lags behind what
// it does. Writing is for a stick in HOLD only: a running stack writes its own state
// over it.
package nvram

import (
	"context"
	"errors"
	"fmt"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znp"
)

// Progress tells how many of the expected exchanges of the present phase are done.
// It is called from the caller's goroutine; total may change between calls.
type Progress func(done, total int)

// Read reads every item that a dump can hold. It costs one exchange per item, plus
// one per table for its entry length and one for its end: 663 for a stick with 257
// addresses and 200 link keys. Progress may be nil.
//
// Items that no firmware lets anybody read count as absent. A firmware without the
// table commands (CC2531) yields its OSAL items. A time-out is an error, never an
// absent item. Errors name the item.
func Read(ctx context.Context, c *znp.Client, progress Progress) (*nvimage.Image, error) {
	r := &reader{client: patient{Client: c}, image: nvimage.New(), progress: progress, total: len(nvimage.OSALIDs())}
	for _, table := range nvimage.Tables() {
		r.total += r.expectedEntries(table)
	}
	if err := r.all(ctx); err != nil {
		return nil, fmt.Errorf("read the stick's memory: %w", err)
	}
	return r.image, nil
}

// expectedEntries makes the first guess for Progress.
var expectedEntries = map[uint16]int{
	nvimage.AddrMgr: 257, nvimage.BindingTable: 1, nvimage.DeviceList: 51, nvimage.TclkTable: 200,
	nvimage.ApsKeyDataTable: 3, nvimage.NwkSecMaterialTable: 5,
}

type reader struct {
	client      patient
	known       *nvimage.Layout // nil when nothing is
	image       *nvimage.Image
	progress    Progress
	done, total int
}

func (r *reader) all(ctx context.Context) error {
	for _, id := range nvimage.OSALIDs() {
		if err := r.osal(ctx, id); err != nil {
			return fmt.Errorf("%v: %w", id, err)
		}
	}
	for _, table := range nvimage.Tables() {
		before := r.done
		err := r.table(ctx, table)
		var unknown *znp.RPCError
		if errors.As(err, &unknown) && r.done == before {
			r.total = r.done
			return nil // a firmware from before there were tables
		}
		if err != nil {
			return err
		}
		r.total += r.done - before - r.expectedEntries(table)
	}
	r.tick(0)
	return nil
}

// osal reads an item, or the members of an old-style table up to the first absent.
func (r *reader) osal(ctx context.Context, id nvimage.ID) error {
	if id.Sub > nvimage.MaxSub || !r.isExpected(id) {
		r.total-- // the store cannot hold it, or did not
		return nil
	}
	members := nvimage.LegacyTable(id)
	if members == nil {
		members = []nvimage.ID{id}
	}
	for i, member := range members {
		if i > 0 {
			r.total++
		}
		found, err := r.keep(member)(r.client.ReadOSAL(ctx, member.Sub))
		if err != nil || !found {
			return err
		}
	}
	return nil
}

// table reads a table up to the first absent entry. Its entry length is asked for
// first: the stick answers a read that asks for less than an entry without a word. An
// entry that is longer than its table's first, which no firmware makes, is cut.
func (r *reader) table(ctx context.Context, table uint16) error {
	length, err := r.entryLen(ctx, table)
	if err != nil {
		return fmt.Errorf("%v: %w", nvimage.Entry(table, 0), err)
	}
	if length > 0 {
		r.tick(0)
	}
	for sub := uint16(0); length > 0 && sub <= nvimage.MaxSub; sub++ {
		id := nvimage.Entry(table, sub)
		value, err := r.client.item(ctx, id, length)
		found, err := r.keep(id)(value, err)
		if err != nil {
			return fmt.Errorf("%v: %w", id, err)
		}
		if !found {
			return nil
		}
	}
	return nil
}

// keep stores what a read returned and says whether there was something.
func (r *reader) keep(id nvimage.ID) func([]byte, error) (bool, error) {
	return func(value []byte, err error) (bool, error) {
		switch {
		case errors.Is(err, znp.ErrNoItem):
			r.tick(1)
			return false, nil
		case err != nil:
			return false, err
		case len(value) == 0:
			return false, errors.New("the stick answered with an empty value")
		}
		r.image.Set(id, value)
		r.tick(1)
		return true, nil
	}
}

func (r *reader) tick(n int) {
	r.done += n
	if r.progress != nil {
		r.progress(r.done, max(r.done, r.total))
	}
}

// Verify reads the stick and lists what differs from want. A transmit counter that
// is ahead of want's is no difference: every boot of a stick advances some. Nor is
// what nvimage.Diff ignores.
func Verify(ctx context.Context, c *znp.Client, want *nvimage.Image) ([]nvimage.Change, error) {
	have, err := Read(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return nvimage.Diff(loadable(want, have), have), nil
}

// loadable is want as it may be written onto a stick that holds have: no counter
// lower than it is there, and without the item that must never be written.
func loadable(want, have *nvimage.Image) *nvimage.Image {
	target := want.Clone()
	target.Delete(nvimage.OSAL(nvimage.PollRateOld16))
	target.Overtake(have)
	return target
}
