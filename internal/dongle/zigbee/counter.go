package zigbee

import "math"

// A FrameCounter counts frames sent under the current network key or link key.
// Devices ignore a frame whose counter is not above the last one they saw, so a
// stick that takes over starts ahead of every other. It never moves back, not
// even on undo.
type FrameCounter uint32

// MaxFrameCounter is the end of the counter's life: a stack cannot send secured
// frames beyond it without a new network key.
const MaxFrameCounter FrameCounter = math.MaxUint32

// Add returns c+n, held at MaxFrameCounter instead of wrapping round to a
// counter that every device has already seen.
func (c FrameCounter) Add(n uint64) FrameCounter {
	if n > uint64(MaxFrameCounter-c) {
		return MaxFrameCounter
	}
	return c + FrameCounter(n)
}
