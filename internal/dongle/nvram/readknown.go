package nvram

import (
	"context"
	"fmt"
	"slices"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znp"
)

// ReadKnown is Read for a stick whose layout is known from its last read, in 590
// exchanges instead of 663: OSAL items that were absent then are not asked for, and a
// table's entry length only where the stack has the table from its first boot on.
//
// What it does see: an item that is gone, of another length or of other content, and
// entries that are new at the end of a table, or a new table. It does not see a new OSAL
// item. POLL_RATE_OLD16 is taken from POLL_RATE, whose first bytes it shows.
func ReadKnown(ctx context.Context, c *znp.Client, known nvimage.Layout, progress Progress) (*nvimage.Image, error) {
	r := &reader{client: patient{Client: c}, known: &known, image: nvimage.New(), progress: progress, total: len(nvimage.OSALIDs())}
	for _, table := range nvimage.Tables() {
		r.total += r.expectedEntries(table)
	}
	if err := r.all(ctx); err != nil {
		return nil, fmt.Errorf("read the stick's memory: %w", err)
	}
	if known.Items[nvimage.OSAL(nvimage.PollRateOld16)] > 0 {
		r.image.ViewPollRate()
	}
	return r.image, nil
}

// isExpected says that an OSAL item may be there, for all that is known.
func (r *reader) isExpected(id nvimage.ID) bool {
	if r.known == nil {
		return true
	}
	return r.known.Items[id] > 0 && id != nvimage.OSAL(nvimage.PollRateOld16)
}

func (r *reader) expectedEntries(table uint16) int {
	if r.known == nil {
		return expectedEntries[table]
	}
	return r.known.Counts[table]
}

// bootTables are there from the first boot on, whatever network comes later.
var bootTables = []uint16{nvimage.TclkTable, nvimage.ApsKeyDataTable, nvimage.NwkSecMaterialTable}

// entryLen is the length of a table's entries, 0 when there is no such table.
func (r *reader) entryLen(ctx context.Context, table uint16) (int, error) {
	if r.known != nil && r.known.EntryLen[table] > 0 && !slices.Contains(bootTables, table) {
		return r.known.EntryLen[table], nil
	}
	return r.client.LengthNV(ctx, table, 0)
}
