package znpsim_test

import (
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
)

// TestPublishedDump starts a stick on the dump of a real one: a boot moves link key
// counters only, and the network is resumed under its identity.
func TestPublishedDump(t *testing.T) {
	b, ok := nvimagetest.Published(t, "formed")
	if !ok {
		return
	}
	synctest.Test(t, func(t *testing.T) {
		image, err := nvimage.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		d := stick(t, nil, "attic", image)
		for _, c := range nvimage.Diff(image, d.Image()) {
			if !c.IsCounterOnly() {
				t.Errorf("boot changed %v", c)
			}
		}
		attach(t, d).start()
		want, err := image.Identity()
		if err != nil {
			t.Fatal(err)
		}
		counters, err := image.Counters()
		if err != nil {
			t.Fatal(err)
		}
		span := d.Medium().Record().OnAir[0]
		if span.Identity != want || span.First != counters.NWK+1250 {
			t.Errorf("on air: %v, counter %d, want %d", span.Identity.Differences(want), span.First, counters.NWK+1250)
		}
	})
}
