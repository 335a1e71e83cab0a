package nvram_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

var patchOurs = nvram.PatchOptions{From: nvimagetest.Stick}

const newcomer zigbee.IEEE = 0x00158d0000000abc

// joined is known after one device has joined: an address, its link key, and a
// network counter that has moved on.
func joined(known *nvimage.Image) *nvimage.Image {
	m := known.Clone()
	addAddress(m, nvimagetest.NumLinked+1, newcomer)
	m.Set(nvimage.Entry(nvimage.TclkTable, nvimagetest.NumLinked), linkKey(newcomer, 30))
	raise(m, nvimage.Floors{NWK: 50_000})
	return m
}

func addAddress(m *nvimage.Image, index uint16, ieee zigbee.IEEE) {
	m.Set(nvimage.Entry(nvimage.AddrMgr, index), append([]byte{2, 0xFF, 0x34, 0x12}, ieee.LE()...))
}

func linkKey(ieee zigbee.IEEE, tx uint32) []byte {
	v := append(binary.LittleEndian.AppendUint32(nil, tx), 0, 0, 0, 0)
	return append(append(v, ieee.LE()...), 2, 0, 9, 0)
}

func raise(m *nvimage.Image, f nvimage.Floors) {
	if err := m.Raise(f); err != nil {
		panic(err)
	}
}

func reserved(known *nvimage.Image) *nvimage.Image {
	m := known.Clone()
	raise(m, nvimage.Floors{NWK: 90_000, LinkMargin: 5})
	return m
}

func TestPatchAfterAJoin(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	known := nvimagetest.Formed()
	want := joined(known)
	o := patchOurs
	var kept *nvimage.Image
	o.Keep = func(before *nvimage.Image) error {
		kept = before
		if !f.memory.Equal(known) {
			t.Error("something was written before the old values were kept")
		}
		return nil
	}
	report, err := nvram.Patch(context.Background(), f.dial(t), known, want, o)
	if err != nil {
		t.Fatal(err)
	}
	if changes := nvimage.Diff(want, f.memory); len(changes) > 0 {
		t.Errorf("the stick holds something else: %v", changes)
	}
	if !report.Now.Equal(f.memory) || report.State != "HOLD" || report.Stick != nvimagetest.Stick || f.boots != 0 {
		t.Errorf("%d boots, report %+v, now differs in %v", f.boots, report, nvimage.Diff(report.Now, f.memory))
	}
	if report.Written != 5 || report.Deleted != 0 || report.Bytes != 12+20+24+12+1 {
		t.Errorf("report %+v", report)
	}
	for _, c := range nvimage.Diff(want, known) {
		if v, _ := kept.Get(c.ID); string(v) != string(c.Have) {
			t.Errorf("%v was not kept", c.ID)
		}
	}
	if kept.Len() != 4 {
		t.Errorf("kept %v", kept)
	}
	checkFlagFrame(t, f.far.Requests())
}

// checkFlagFrame wants the flag deleted before every other write and written after it.
func checkFlagFrame(t *testing.T, requests []unpi.Frame) {
	t.Helper()
	var order []nvimage.ID
	for _, r := range requests {
		if id, ok := written(r); ok {
			order = append(order, id)
		}
	}
	if len(order) < 3 || order[0] != flag || order[len(order)-1] != flag {
		t.Errorf("written in this order: %v", order)
	}
}

func TestPatchOfCountersLeavesTheFlagAlone(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	want := reserved(nvimagetest.Formed())
	report, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), want, patchOurs)
	if err != nil || !report.Now.Equal(f.memory) || report.Written != 2+nvimagetest.NumLinked+2 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, r := range f.far.Requests() {
		if id, ok := written(r); ok && id == flag {
			t.Error("0x0060 was touched")
		}
	}
}

func TestPatchThatIsWhatIsKnown(t *testing.T) {
	t.Run("only looks", func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		report, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), nvimagetest.Formed(), refuseToKeep(t))
		if err != nil || report.Written+report.Deleted+report.Boots+f.boots != 0 || !report.Now.Equal(nvimagetest.Formed()) {
			t.Errorf("%+v, %v", report, err)
		}
	})
	t.Run("boots when asked to", func(t *testing.T) {
		f := newFake(nvimagetest.Formed())
		o := refuseToKeep(t)
		o.Reset = true
		report, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), nvimagetest.Formed(), o)
		if err != nil || report.Boots != 1 || f.boots != 1 || !report.Now.Equal(f.memory) {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func refuseToKeep(t *testing.T) nvram.PatchOptions {
	o := patchOurs
	o.Keep = func(*nvimage.Image) error {
		t.Error("there was something to write")
		return nil
	}
	return o
}

// A network's counter above what is known tells of a start of the network, after which
// nothing else that is known can be relied on.
func TestPatchRefusesAStickThatWasStarted(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	raise(f.memory, nvimage.Floors{NWK: 70_000})
	before := f.memory.Clone()
	_, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), joined(nvimagetest.Formed()), patchOurs)
	if !errors.Is(err, nvram.ErrChanged) || !f.memory.Equal(before) {
		t.Errorf("got %v", err)
	}
}

// A stick that booted is ahead of what is known of it.
func TestPatchNeverLowersACounter(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	raise(f.memory, nvimage.Floors{LinkMargin: 300})
	before := f.memory.Clone()
	want := joined(nvimagetest.Formed())
	v, _ := want.Get(nvimage.Entry(nvimage.TclkTable, 2))
	binary.LittleEndian.PutUint32(v, 601) // known has 600, the stick 900
	want.Set(nvimage.Entry(nvimage.TclkTable, 2), v)
	report, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), want, patchOurs)
	if err != nil {
		t.Fatal(err)
	}
	if fell := fallen(before, f.memory); fell != "" {
		t.Error(fell)
	}
	if _, ok := f.memory.Get(nvimage.Entry(nvimage.TclkTable, nvimagetest.NumLinked)); !ok || report.Written != 5 {
		t.Errorf("report %+v", report)
	}
	counters, err := report.Now.Counters()
	if err != nil || counters.LinkKey[nvimagetest.Linked(2)] != 900 {
		t.Errorf("now %+v, %v", counters, err)
	}
}

// fallen names a counter that is lower than it was.
func fallen(before, after *nvimage.Image) string {
	was, err := before.Counters()
	is, err2 := after.Counters()
	if err != nil || err2 != nil {
		return ""
	}
	if is.NWK < was.NWK {
		return fmt.Sprintf("the network counter fell from %d to %d", was.NWK, is.NWK)
	}
	for device, c := range is.LinkKey {
		if c < was.LinkKey[device] {
			return fmt.Sprintf("the link key of %v fell from %d to %d", device, was.LinkKey[device], c)
		}
	}
	for i, c := range is.APSKey {
		if c < was.APSKey[i] {
			return fmt.Sprintf("application key %d fell from %d to %d", i, was.APSKey[i], c)
		}
	}
	return ""
}

// Every item that is read is compared: whatever else it holds, nothing is written.
func TestPatchRefusesAStickThatChanged(t *testing.T) {
	known := nvimagetest.Formed()
	want := joined(known)
	for _, id := range nvram.PatchItems(known, want) {
		for name, edit := range map[string]func(m *nvimage.Image, v []byte){
			"other content": func(m *nvimage.Image, v []byte) { m.Set(id, flipped(v)) },
			"half of it":    func(m *nvimage.Image, v []byte) { m.Set(id, v[:max(1, len(v)/2)]) },
			"nothing":       func(m *nvimage.Image, _ []byte) { m.Delete(id) },
		} {
			f := newFake(known)
			v, ok := f.memory.Get(id)
			if !ok {
				v = []byte{1, 2}
			}
			edit(f.memory, v)
			if f.memory.Equal(known) {
				continue
			}
			before := f.memory.Clone()
			_, err := nvram.Patch(context.Background(), f.dial(t), known, want, refuseToKeep(t))
			if !errors.Is(err, nvram.ErrChanged) || !strings.Contains(err.Error(), id.String()) || !strings.HasSuffix(err.Error(), "nothing was written") {
				t.Errorf("%v with %s: %v", id, name, err)
			}
			if secret, _ := known.Get(nvimage.OSAL(nvimage.NwkKey)); err != nil && strings.Contains(err.Error(), hex.EncodeToString(secret[1:5])) {
				t.Error("the error holds a key")
			}
			if !f.memory.Equal(before) || f.boots > 0 {
				t.Errorf("%v with %s: the stick was changed", id, name)
			}
		}
	}
}

// flipped changes a byte that belongs to no transmit counter.
func flipped(v []byte) []byte {
	v[min(len(v)-1, 10)] ^= 0x40
	return v
}

func TestPatchRefuses(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*fake, *nvimage.Image, *nvram.PatchOptions)
		is      error
		message string
	}{
		{name: "a stick on air", is: nvram.ErrNotHold, message: "park it first",
			edit: func(f *fake, _ *nvimage.Image, _ *nvram.PatchOptions) { f.state = znp.StateCoordinator }},
		{name: "another revision", message: "it is of Z-Stack 3.x.0 revision 1, the stick runs",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.PatchOptions) { o.From.Revision = 1 }},
		{name: "an unknown firmware", message: "the stick runs Z-Stack 3.x.0 revision 20250321",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.PatchOptions) { o.From = nvimage.Stick{} }},
		{name: "tables of another size", message: "DEVICE_LIST has 52 entries in the image, 51 on the stick",
			edit: func(_ *fake, want *nvimage.Image, _ *nvram.PatchOptions) {
				want.Set(nvimage.Entry(nvimage.DeviceList, 51), make([]byte, 16))
			}},
		{name: "a lower counter of a stick started since", is: nvram.ErrChanged, message: "NWKKEY",
			edit: func(f *fake, _ *nvimage.Image, _ *nvram.PatchOptions) {
				v, _ := f.memory.Get(nvimage.OSAL(nvimage.NwkKey))
				v[20], v[21] = 1, 0
				f.memory.Set(nvimage.OSAL(nvimage.NwkKey), v)
			}},
		{name: "when the old values cannot be kept", message: "keep what the stick holds: disk full",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.PatchOptions) {
				o.Keep = func(*nvimage.Image) error { return errors.New("disk full") }
			}},
		{name: "to start when asked to stop", is: nvram.ErrStopped,
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.PatchOptions) { o.Stop = closed() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, want, o := newFake(nvimagetest.Formed()), joined(nvimagetest.Formed()), patchOurs
			test.edit(f, want, &o)
			before := f.memory.Clone()
			_, err := nvram.Patch(context.Background(), f.dial(t), nvimagetest.Formed(), want, o)
			if err == nil || !strings.Contains(err.Error(), test.message) || !strings.HasSuffix(err.Error(), "nothing was written") {
				t.Errorf("got %v", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if !f.memory.Equal(before) || f.boots > 0 {
				t.Error("the stick was changed")
			}
		})
	}
}

// faults are what can happen at a request.
var faults = []struct {
	name string
	at   func(*fake, unpi.Frame) error
}{
	{"the stick is pulled out", func(*fake, unpi.Frame) error { return znptest.ErrUnplug }},
	{"power goes in the middle of a write", func(f *fake, r unpi.Frame) error {
		if id, ok := written(r); ok {
			f.carryOut(r)
			f.tear(id)
		}
		age(f.memory)
		return znptest.ErrUnplug
	}},
	{"power goes after it was carried out", func(f *fake, r unpi.Frame) error {
		f.carryOut(r)
		age(f.memory)
		return znptest.ErrUnplug
	}},
	{"the stick boots", func(f *fake, r unpi.Frame) error {
		if r.Type == unpi.SREQ {
			f.boot()
		}
		return znptest.ErrSilent
	}},
	{"the request is lost", func(*fake, unpi.Frame) error { return znptest.ErrSilent }},
	{"the answer is lost", func(f *fake, r unpi.Frame) error { f.carryOut(r); return znptest.ErrSilent }},
}

// carryOut does what a request asks for, without an answer.
func (f *fake) carryOut(r unpi.Frame) {
	if r.Subsystem == unpi.SYS && r.Type == unpi.SREQ {
		_, _ = f.sys(r.ID, r.Data)
	}
}

// A patch that ends anywhere leaves a stick that Zigbee2MQTT cannot resume, or one
// that is whole, and goes on where it was cut off. Counters never fall.
func TestAPatchIsCutOffAnywhere(t *testing.T) {
	known := nvimagetest.Formed()
	for name, want := range map[string]*nvimage.Image{"a join": joined(known), "a reservation": reserved(known), "a look": known} {
		for _, fault := range faults {
			t.Run(name+": "+fault.name, func(t *testing.T) {
				o := patchOurs
				o.Reset = true
				for n := 1; ; n++ {
					fired, why := false, ""
					synctest.Test(t, func(t *testing.T) { fired, why = cutOff(t, newFake(known), known, want, o, n, fault.at) })
					if why != "" {
						t.Fatalf("at request %d: %s", n, why)
					}
					if !fired {
						return
					}
				}
			})
		}
	}
}

// cutOff lets a fault strike a patch at its n-th request and takes the patch up again.
// It tells whether there were so many, and what is wrong.
func cutOff(t *testing.T, f *fake, known, want *nvimage.Image, o nvram.PatchOptions, n int, at func(*fake, unpi.Frame) error) (fired bool, why string) {
	before := f.memory.Clone()
	c := f.dial(t)
	f.fault = func(r unpi.Frame) error {
		if n--; n != 0 {
			return nil
		}
		fired = true
		return at(f, r)
	}
	var kept *nvimage.Image
	o.Keep = func(old *nvimage.Image) error { kept = old; return nil }
	report, err := nvram.Patch(context.Background(), c, known, want, o)
	f.fault = nil
	if err == nil {
		return fired, wrong(before, f, want, report)
	}
	if f.memory.Configured() && !whole(f.memory, known) && !whole(f.memory, want) && !tornCounter(f.memory, known, want) {
		return true, fmt.Sprintf("half-loaded and yet resumable after: %v", err)
	}
	o.Resume = kept
	if report, err = nvram.Patch(context.Background(), f.dial(t), known, want, o); err != nil {
		return true, fmt.Sprintf("taken up again: %v", err)
	}
	return true, wrong(before, f, want, report)
}

// whole says that m is one of the two but for counters.
func whole(m, like *nvimage.Image) bool {
	for _, c := range nvimage.Diff(like, m) {
		if !c.IsCounterOnly() {
			return false
		}
	}
	return true
}

// tornCounter says that no more was to be done than to raise counters, and that power
// went in the very write of one.
func tornCounter(m, known, want *nvimage.Image) bool {
	if !whole(want, known) {
		return false
	}
	torn := 0
	for _, c := range nvimage.Diff(known, m) {
		if !c.IsCounterOnly() {
			torn++
		}
	}
	return torn == 1
}

// wrong says what is wrong with a stick that was patched.
func wrong(before *nvimage.Image, f *fake, want *nvimage.Image, report nvram.PatchReport) string {
	lifted := want.Clone()
	lifted.Overtake(f.memory)
	f.memory.ViewPollRate() // as a stick does
	switch changes := nvimage.Diff(lifted, f.memory); {
	case len(changes) > 0:
		return fmt.Sprintf("the stick holds something else: %v", changes)
	case f.state != znp.StateHold:
		return fmt.Sprintf("the stick is in %v", f.state)
	case report.Boots != 1:
		return fmt.Sprintf("%d resets", report.Boots)
	}
	for _, id := range report.Now.IDs() {
		is, _ := f.memory.Get(id)
		if told, _ := report.Now.Get(id); !nvimage.IsAhead(id, is, told) {
			return fmt.Sprintf("%v is not what the report says", id)
		}
	}
	if report.Now.Len() != f.memory.Len() {
		return "the report tells of other items"
	}
	return fallen(before, f.memory)
}

// Whatever is known and wanted, wherever it is cut off.
func TestPatchProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		known := edited(rt, nvimagetest.Formed(), "known")
		want := edited(rt, known, "want")
		f := newFake(known)
		for range rapid.IntRange(0, 2).Draw(rt, "boots since") {
			age(f.memory)
		}
		fault := faults[rapid.IntRange(0, len(faults)-1).Draw(rt, "fault")]
		n := rapid.IntRange(1, 60).Draw(rt, "at request")
		o := patchOurs
		o.Reset = true
		var why string
		synctest.Test(t, func(t *testing.T) { _, why = cutOff(t, f, known, want, o, n, fault.at) })
		if why != "" {
			rt.Fatalf("%s: %s", fault.name, why)
		}
	})
}

// edited is m after some time on air: devices came, went and changed places, counters
// moved on.
func edited(rt *rapid.T, m *nvimage.Image, name string) *nvimage.Image {
	m = m.Clone()
	for range rapid.IntRange(0, 4).Draw(rt, name+": edits") {
		sub := uint16(rapid.IntRange(0, 9).Draw(rt, "index"))
		ieee := zigbee.IEEE(0x00158d0000000b00 + rapid.Uint64Range(0, 5).Draw(rt, "device"))
		switch rapid.SampledFrom([]string{"address", "key", "free", "counters", "option", "item", "no item"}).Draw(rt, "edit") {
		case "address":
			addAddress(m, sub, ieee)
		case "key":
			c, _ := m.Counters()
			if c.LinkKey[ieee] == 0 { // one entry for each device
				m.Set(nvimage.Entry(nvimage.TclkTable, sub), linkKey(ieee, uint32(10*sub)+1))
			}
		case "free":
			m.Set(nvimage.Entry(nvimage.TclkTable, sub), make([]byte, 20))
		case "counters":
			raise(m, nvimage.Floors{NWK: zigbee.FrameCounter(rapid.Uint32Range(0, 1<<20).Draw(rt, "counter")), LinkMargin: uint32(sub)})
		case "option":
			m.Set(nvimage.OSAL(nvimage.PollRate), slices.Repeat([]byte{byte(sub)}, 40))
			m.ViewPollRate()
		case "item":
			m.Set(nvimage.OSAL(nvimage.UserDesc), slices.Repeat([]byte{byte(sub)}, 17))
		case "no item":
			m.Delete(nvimage.OSAL(nvimage.UserDesc))
		}
	}
	return m
}

// To cut both images down to what is read makes no difference.
func TestPatchOfParts(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	known := nvimagetest.Formed()
	want := joined(known)
	items := nvram.PatchItems(known, want)
	part, wanted := known.Part(items), want.Part(items)
	if got := nvram.PatchItems(part, wanted); !slices.Equal(got, items) {
		t.Errorf("reads %v instead of %v", got, items)
	}
	o := patchOurs
	o.Reset = true
	report, err := nvram.Patch(context.Background(), f.dial(t), part, wanted, o)
	if err != nil {
		t.Fatal(err)
	}
	if changes := nvimage.Diff(booted(want), f.memory); len(changes) > 0 || report.Written != 5 {
		t.Errorf("%v, report %+v", changes, report)
	}
}
