package nvram

import (
	"errors"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/znp"
)

// Errors of Write that a caller may want to tell apart, beside ErrNotHold and
// *nvimage.MisfitError.
var (
	// ErrChanged: the stick does not hold what the caller expected. Nothing was written.
	ErrChanged = errors.New("the stick holds something else than expected")
	// ErrStopped: Write was asked to stop and did, between two items.
	ErrStopped = errors.New("stopped on request")
	// ErrReadBack: an item does not hold what was written to it.
	ErrReadBack = errors.New("the stick does not hold what was written")
	// ErrRebooted: the stick lost power, or crashed, and started again while it was written.
	ErrRebooted = errors.New("the stick started again in the middle of the write")
)

// WriteOptions says under which conditions Write may write.
type WriteOptions struct {
	// From is the firmware the image was read from, zero when nobody knows.
	From        nvimage.Stick
	AnyRevision bool
	// ExpectBefore is the Hash of what the stick must hold, "" for anything.
	ExpectBefore string
	// Resume is for an earlier Write of the same image that was cut off: the stick may
	// hold part of it, so ExpectBefore is not looked at, and it is reset even when
	// nothing differs any more. Keep then gets a half-loaded image; the one worth
	// keeping is that of the first Write.
	Resume bool
	// Keep gets what the stick holds. It must have made that durable when it
	// returns, because the next thing to happen is a write. It is not called when
	// there is nothing to write.
	Keep func(before *nvimage.Image) error
	// Stop, when closed, ends the write at the next item boundary.
	Stop <-chan struct{}
	// Progress counts within a phase; Phase announces the next one. Both may be nil.
	Progress Progress
	Phase    func(Phase)
}

// A Phase is a part of Write.
type Phase string

const (
	PhaseCompare  Phase = "compare"   // read everything
	PhaseWrite    Phase = "write"     // write what differs
	PhaseReadBack Phase = "read back" // read what was written
	PhaseReset    Phase = "reset"     // boot the stick with its new memory
)

// A Cost is what a phase took on the wire: request-answer pairs, and bytes in both
// directions.
type Cost struct {
	Exchanges int   `json:"exchanges"`
	Bytes     int64 `json:"bytes"`
}

func (c Cost) plus(other Cost) Cost {
	return Cost{c.Exchanges + other.Exchanges, c.Bytes + other.Bytes}
}

// A WriteReport is what Write did. It is valid beside an error too.
type WriteReport struct {
	BeforeHash string `json:"before_hash"`
	Written    int    `json:"written"`
	Deleted    int    `json:"deleted"`
	Bytes      int    `json:"bytes"`     // of the values written
	Unchanged  int    `json:"unchanged"` // items that were right already
	Compare    Cost   `json:"compare"`
	Write      Cost   `json:"write"` // the resets included
	ReadBack   Cost   `json:"read_back"`
	Boots      int    `json:"boots"` // 0 when nothing was written
}

// meter measures what fn takes on the wire and adds it to cost.
func meter(c *znp.Client, cost *Cost, fn func() error) error {
	before := c.Stats()
	err := fn()
	after := c.Stats()
	*cost = cost.plus(Cost{
		Exchanges: after.Exchanges - before.Exchanges,
		Bytes:     int64(after.BytesIn + after.BytesOut - before.BytesIn - before.BytesOut),
	})
	return err
}
