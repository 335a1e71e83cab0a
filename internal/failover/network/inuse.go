package network

import (
	"maps"
	"slices"

	"z2mha/internal/dongle/zigbee"
)

// Gone are the devices that were seen to leave since the last accepted generation.
func (r Record) Gone() []zigbee.IEEE {
	var out []zigbee.IEEE
	for _, l := range r.Left {
		out = append(out, l.IEEE)
	}
	return out
}

// InUse is what on the shelf the record speaks of: the numbers of generations that are
// staged, on a stick or waiting for a person, and the images that sticks hold or are
// loaded from.
func (r Record) InUse() (generations []int, blobs []string) {
	numbers, images := map[int]bool{r.Refused: true}, map[string]bool{r.Seed: true, r.Spoke: true}
	for _, s := range r.Staged {
		numbers[s.Generation] = true
	}
	for _, s := range r.Sticks {
		numbers[s.Generation], images[s.Image] = true, true
	}
	delete(numbers, 0)
	delete(images, "")
	return slices.Sorted(maps.Keys(numbers)), slices.Sorted(maps.Keys(images))
}
