package nvimage_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/zigbee"
)

var (
	ownSec     = nvimage.Entry(nvimage.NwkSecMaterialTable, 0)
	genericSec = nvimage.Entry(nvimage.NwkSecMaterialTable, 4)
	nwkKey     = nvimage.OSAL(nvimage.NwkKey)
)

const (
	generic  zigbee.ExtPanID = 0xFFFFFFFFFFFFFFFF
	stranger zigbee.ExtPanID = 0x1111111111111111
)

func TestCounters(t *testing.T) {
	m := nvimagetest.Formed()
	c := counters(t, m)
	if c.NWK != nvimagetest.Counter || c.LinkKey[nvimagetest.Linked(1)] != nvimagetest.LinkTx+100 || c.APSKey[1] != nvimagetest.APSTx {
		t.Errorf("got %+v", c)
	}
	if len(c.LinkKey) != nvimagetest.NumLinked || len(c.APSKey) != 2 {
		t.Errorf("got %+v", c)
	}
	for _, place := range []struct {
		id     nvimage.ID
		offset int
	}{{genericSec, 0}, {nwkKey, 20}} {
		m := nvimagetest.Formed()
		setSec(m, genericSec, 1, generic)
		patch(m, place.id, place.offset, u32(9000)...)
		if got := counters(t, m).NWK; got != 9000 {
			t.Errorf("the highest counter is in %v: got %d", place.id, got)
		}
	}
}

func TestRaiseBringsEveryCopyUp(t *testing.T) {
	m := nvimagetest.Formed()
	setSec(m, genericSec, 9, generic)
	setSec(m, nvimage.Entry(nvimage.NwkSecMaterialTable, 1), 5, stranger)
	raise(t, m, nvimage.Floors{NWK: 20000, LinkMargin: 1000})
	for id, offset := range map[nvimage.ID]int{ownSec: 0, genericSec: 0, nwkKey: 20} {
		if got := counter(m, id, offset); got != 20000 {
			t.Errorf("%v: %d", id, got)
		}
	}
	if got := counter(m, nvimage.Entry(nvimage.NwkSecMaterialTable, 1), 0); got != 5 {
		t.Errorf("another network's counter became %d", got)
	}
	tclk, aps := nvimage.Entry(nvimage.TclkTable, 1), nvimage.Entry(nvimage.ApsKeyDataTable, 1)
	want := []zigbee.FrameCounter{nvimagetest.LinkTx + 1100, nvimagetest.LinkRx, nvimagetest.APSTx + 1000, nvimagetest.LinkRx, 0}
	got := []zigbee.FrameCounter{counter(m, tclk, 0), counter(m, tclk, 4), counter(m, aps, 16), counter(m, aps, 20),
		counter(m, nvimage.Entry(nvimage.TclkTable, 100), 0)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("link tx, rx, aps tx, rx, unused:\n%s", diff)
	}
}

func TestRaiseLowersNothingAndSaturates(t *testing.T) {
	m := nvimagetest.Formed()
	raise(t, m, nvimage.Floors{NWK: 1})
	if got := counters(t, m).NWK; got != nvimagetest.Counter {
		t.Errorf("a low floor: %d", got)
	}
	raise(t, m, nvimage.Floors{NWK: math.MaxUint32, LinkMargin: math.MaxUint32})
	if got := counters(t, m); got.NWK != math.MaxUint32 || got.APSKey[0] != math.MaxUint32 || got.LinkKey[nvimagetest.Linked(0)] != math.MaxUint32 {
		t.Errorf("the end of the range: %+v", got)
	}
}

func TestRaiseFindsAPlaceForTheCounter(t *testing.T) {
	empty := make([]byte, 12)
	t.Run("in the first free entry", func(t *testing.T) {
		m := nvimagetest.Formed()
		setSec(m, ownSec, 5, stranger)
		raise(t, m, nvimage.Floors{NWK: 20000})
		id := nvimage.Entry(nvimage.NwkSecMaterialTable, 1)
		if v, _ := m.Get(id); counter(m, id, 0) != 20000 || zigbee.ExtPanIDFromLE(v[4:]) != nvimagetest.ExtPanID {
			t.Errorf("entry 1 is % x", v)
		}
		if v, _ := m.Get(genericSec); !cmp.Equal(v, empty) {
			t.Errorf("the generic entry became % x", v)
		}
	})
	t.Run("in the generic entry when all others are taken", func(t *testing.T) {
		m := nvimagetest.Formed()
		for i := range uint16(4) {
			setSec(m, nvimage.Entry(nvimage.NwkSecMaterialTable, i), 5, stranger)
		}
		raise(t, m, nvimage.Floors{NWK: 20000})
		if v, _ := m.Get(genericSec); counter(m, genericSec, 0) != 20000 || zigbee.ExtPanIDFromLE(v[4:]) != generic {
			t.Errorf("the generic entry is % x", v)
		}
	})
}

func TestRaiseNeedsToKnowTheNetwork(t *testing.T) {
	for _, edit := range []func(*nvimage.Image){
		func(m *nvimage.Image) { m.Delete(nvimage.OSAL(nvimage.Nib)) },
		func(m *nvimage.Image) { m.Delete(nwkKey) },
		func(m *nvimage.Image) { cutTable(m, nvimage.NwkSecMaterialTable) },
	} {
		m := nvimagetest.Formed()
		edit(m)
		before := m.Hash()
		if err := m.Raise(nvimage.Floors{NWK: 1 << 20, LinkMargin: 5}); err == nil || m.Hash() != before {
			t.Errorf("error %v, image changed: %v", err, m.Hash() != before)
		}
	}
}

func TestSuccessorTakesTheHigherCounters(t *testing.T) {
	source, local := nvimagetest.Formed(), nvimagetest.Formed()
	patch(local, nvimage.Entry(nvimage.TclkTable, 2), 0, u32(90000)...)
	patch(local, nvimage.Entry(nvimage.TclkTable, 2), 4, u32(90000)...)
	aps, _ := local.Get(nvimage.Entry(nvimage.ApsKeyDataTable, 0))
	local.Set(nvimage.Entry(nvimage.ApsKeyDataTable, 2), aps) // the same key in another place
	patch(local, nvimage.Entry(nvimage.ApsKeyDataTable, 2), 16, u32(80000)...)
	setSec(local, nvimage.Entry(nvimage.NwkSecMaterialTable, 3), 70000, nvimagetest.ExtPanID)
	next := successor(t, source, local, nvimage.Floors{NWK: 60000, LinkMargin: 10})
	c := counters(t, next)
	got := []zigbee.FrameCounter{c.NWK, c.LinkKey[nvimagetest.Linked(2)], c.APSKey[0], c.LinkKey[nvimagetest.Linked(0)],
		counter(next, nvimage.Entry(nvimage.TclkTable, 2), 4)}
	want := []zigbee.FrameCounter{70000, 90010, 80010, nvimagetest.LinkTx + 10, nvimagetest.LinkRx}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nwk, link, aps, untouched link, rx:\n%s", diff)
	}
}

func TestSuccessorIgnoresCountersOfOtherNetworks(t *testing.T) {
	source, local := nvimagetest.Formed(), nvimagetest.Formed()
	patch(local, nvimage.OSAL(nvimage.Nib), 57, stranger.LE()...)
	patch(local, nvimage.OSAL(nvimage.TclkSeed), 0, 1, 2, 3)
	patch(local, nvimage.Entry(nvimage.TclkTable, 2), 0, u32(90000)...)
	patch(local, nwkKey, 0, make([]byte, 17)...)
	patch(local, nwkKey, 20, u32(90000)...)
	setSec(local, ownSec, 90000, stranger)
	c := counters(t, successor(t, source, local, nvimage.Floors{}))
	if c.NWK != nvimagetest.Counter || c.LinkKey[nvimagetest.Linked(2)] != nvimagetest.LinkTx+200 {
		t.Errorf("got %+v", c)
	}
}

func TestSuccessorRemembersTheCounterOfAHalfLoadedStick(t *testing.T) {
	local := nvimagetest.Formed()
	local.Delete(nvimage.OSAL(nvimage.Nib))
	patch(local, nwkKey, 20, u32(90000)...)
	if got := counters(t, successor(t, nvimagetest.Formed(), local, nvimage.Floors{})).NWK; got != 90000 {
		t.Errorf("got %d", got)
	}
}

func TestSuccessorIsReadyToLoad(t *testing.T) {
	source, local := nvimagetest.Formed(), nvimagetest.Reset(2)
	source.Set(nvimage.OSAL(nvimage.StartupOption), []byte{2})
	next := successor(t, source, local, nvimage.Floors{})
	if v, _ := next.Get(nvimage.OSAL(nvimage.StartupOption)); v[0] != 0 {
		t.Error("it clears itself at the next start")
	}
	if _, ok := next.Get(nvimage.OSAL(nvimage.PollRateOld16)); ok {
		t.Error("it holds the item that must not be written")
	}
	if err := nvimage.CheckFit(next, nvimagetest.Stick, local, nvimagetest.Stick, nvimage.Fit{}); err != nil {
		t.Error(err)
	}
	if _, err := nvimage.Successor(local, source, nvimage.Floors{}); err == nil {
		t.Error("a stick without network was taken as source")
	}
}

func TestNoCounterEverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		source, local := worn(t, "source"), worn(t, "local")
		f := nvimage.Floors{NWK: anyCounter(t, "floor"), LinkMargin: uint32(anyCounter(t, "margin"))}
		next, err := nvimage.Successor(source, local, f)
		if err != nil {
			t.Fatal(err)
		}
		got := counters(t, next)
		if got.NWK < f.NWK {
			t.Fatalf("network counter %d is below the floor %d", got.NWK, f.NWK)
		}
		for _, m := range []*nvimage.Image{source, local} {
			checkNotBelow(t, got, counters(t, m))
		}
		checkRxUntouched(t, source, next)
	})
}

func TestOvertakeIsAllAWriteNeeds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, have := worn(t, "want"), worn(t, "have")
		want.Overtake(have)
		checkNotBelow(t, counters(t, want), counters(t, have))
		again := want.Clone()
		again.Overtake(have)
		if !again.Equal(want) {
			t.Fatal("a second time changes more")
		}
	})
}

// worn draws a stick of the test network at some point of its life.
func worn(t *rapid.T, label string) *nvimage.Image {
	m := nvimagetest.Formed()
	for i := range uint16(nvimagetest.NumLinked) {
		patch(m, nvimage.Entry(nvimage.TclkTable, i), 0, u32(anyCounter(t, label+" link"))...)
	}
	for i := range uint16(2) {
		patch(m, nvimage.Entry(nvimage.ApsKeyDataTable, i), 16, u32(anyCounter(t, label+" aps"))...)
	}
	patch(m, nwkKey, 20, u32(anyCounter(t, label+" NWKKEY"))...)
	for i := range uint16(5) {
		epid := rapid.SampledFrom([]zigbee.ExtPanID{0, stranger, generic, nvimagetest.ExtPanID}).Draw(t, label+" network")
		c := anyCounter(t, label+" material")
		if epid == 0 {
			c = 0
		}
		setSec(m, nvimage.Entry(nvimage.NwkSecMaterialTable, i), c, epid)
	}
	return m
}

func anyCounter(t *rapid.T, label string) zigbee.FrameCounter {
	return zigbee.FrameCounter(rapid.Uint32().Draw(t, label))
}

func checkNotBelow(t *rapid.T, got, than nvimage.Counters) {
	if got.NWK < than.NWK {
		t.Fatalf("network counter fell from %d to %d", than.NWK, got.NWK)
	}
	for device, c := range than.LinkKey {
		if got.LinkKey[device] < c {
			t.Fatalf("link counter of %v fell from %d to %d", device, c, got.LinkKey[device])
		}
	}
	for i, c := range than.APSKey {
		if got.APSKey[i] < c {
			t.Fatalf("APS counter %d fell from %d to %d", i, c, got.APSKey[i])
		}
	}
}

func checkRxUntouched(t *rapid.T, source, next *nvimage.Image) {
	for _, id := range source.IDs() {
		offset := map[uint16]int{nvimage.TclkTable: 4, nvimage.ApsKeyDataTable: 20}[id.Item]
		if offset != 0 && counter(source, id, offset) != counter(next, id, offset) {
			t.Fatalf("%v: the receive counter changed", id)
		}
	}
}

func counters(t interface{ Fatal(...any) }, m *nvimage.Image) nvimage.Counters {
	c, err := m.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func raise(t *testing.T, m *nvimage.Image, f nvimage.Floors) {
	t.Helper()
	if err := m.Raise(f); err != nil {
		t.Fatal(err)
	}
}

func successor(t *testing.T, source, local *nvimage.Image, f nvimage.Floors) *nvimage.Image {
	t.Helper()
	next, err := nvimage.Successor(source, local, f)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func counter(m *nvimage.Image, id nvimage.ID, offset int) zigbee.FrameCounter {
	v, _ := m.Get(id)
	return zigbee.FrameCounter(binary.LittleEndian.Uint32(v[offset:]))
}

func setSec(m *nvimage.Image, id nvimage.ID, c zigbee.FrameCounter, epid zigbee.ExtPanID) {
	m.Set(id, append(u32(c), epid.LE()...))
}

func u32(c zigbee.FrameCounter) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(c)) }
