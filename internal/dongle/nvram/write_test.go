package nvram_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/nvimage/nvimagetest"
	"z2mha/internal/dongle/nvram"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znp/znptest"
)

var (
	flag     = nvimage.OSAL(nvimage.HasConfiguredZStack3)
	byOurs   = nvram.WriteOptions{From: nvimagetest.Stick}
	tclkSeed = nvimage.OSAL(nvimage.TclkSeed)
)

func TestWriteOntoAResetStick(t *testing.T) {
	f := newFake(nvimagetest.Reset(2))
	want := nvimagetest.Formed()
	o := byOurs
	kept := keepInto(&o, f)
	var phases []nvram.Phase
	o.Phase = func(p nvram.Phase) { phases = append(phases, p) }
	c := f.dial(t)
	report, err := nvram.Write(context.Background(), c, want, o)
	if err != nil {
		t.Fatal(err)
	}
	if changes := nvimage.Diff(booted(want), f.memory); len(changes) > 0 {
		t.Errorf("the stick holds something else: %v", changes)
	}
	if !(*kept).Equal(nvimagetest.Reset(2)) || report.BeforeHash != nvimagetest.Reset(2).Hash() {
		t.Errorf("kept %v, report %+v", *kept, report)
	}
	if report.Boots != 1 || f.boots != 1 || report.Deleted != 0 || report.Written+report.Unchanged != 580 {
		t.Errorf("%d boots, report %+v", f.boots, report)
	}
	wantPhases := []nvram.Phase{nvram.PhaseCompare, nvram.PhaseWrite, nvram.PhaseReadBack, nvram.PhaseReset}
	if !slices.Equal(phases, wantPhases) {
		t.Errorf("phases %v", phases)
	}
	checkFlagIsLast(t, f.far.Requests())

	t.Run("again changes nothing", func(t *testing.T) {
		before := f.memory.Clone()
		report, err := nvram.Write(context.Background(), c, want, refuseKeep(t))
		if err != nil || report.Written != 0 || report.Boots != 0 || !f.memory.Equal(before) {
			t.Errorf("%+v, %v", report, err)
		}
	})
	t.Run("resuming boots it", func(t *testing.T) {
		o := refuseKeep(t)
		o.Resume = true
		report, err := nvram.Write(context.Background(), c, want, o)
		if err != nil || report.Written != 0 || report.Boots != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	})
	t.Run("verifies", func(t *testing.T) {
		if changes, err := nvram.Verify(context.Background(), c, want); err != nil || len(changes) > 0 {
			t.Errorf("%v, %v", changes, err)
		}
		f.memory.Set(nvimage.OSAL(nvimage.UserDesc), []byte("x"))
		if changes, err := nvram.Verify(context.Background(), c, want); err != nil || len(changes) != 1 || changes[0].ID != nvimage.OSAL(nvimage.UserDesc) {
			t.Errorf("%v, %v", changes, err)
		}
	})
}

func TestWriteDeletesWhatTheImageLacks(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	want := nvimagetest.Reset(nvimagetest.Hardware)
	report, err := nvram.Write(context.Background(), f.dial(t), want, byOurs)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.memory.Get(nvimage.Entry(nvimage.AddrMgr, 0)); ok || report.Deleted != 257+1+51+5 {
		t.Errorf("report %+v", report)
	}
	last := nvimage.ID{Item: 99}
	for _, r := range f.far.Requests() {
		if r.ID == 0x31 {
			if id := nvID(r.Data); id.Item == last.Item && id.Sub >= last.Sub {
				t.Fatalf("%v was deleted after %v", id, last)
			} else {
				last = id
			}
		}
	}
}

func TestWriteNeverLowersACounter(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	want := nvimagetest.Formed()
	if err := want.Raise(nvimage.Floors{NWK: 50000}); err != nil {
		t.Fatal(err)
	}
	if err := f.memory.Raise(nvimage.Floors{NWK: 60000, LinkMargin: 777}); err != nil {
		t.Fatal(err)
	}
	ahead := f.memory.Clone()
	report, err := nvram.Write(context.Background(), f.dial(t), want, refuseKeep(t))
	if err != nil || !f.memory.Equal(ahead) {
		t.Errorf("changed: %v, %+v, %v", nvimage.Diff(ahead, f.memory), report, err)
	}
}

func TestRaisingCountersLeavesTheStickWhole(t *testing.T) {
	f := newFake(nvimagetest.Formed())
	want := nvimagetest.Formed()
	if err := want.Raise(nvimage.Floors{NWK: 50000, LinkMargin: 100}); err != nil {
		t.Fatal(err)
	}
	report, err := nvram.Write(context.Background(), f.dial(t), want, byOurs)
	if err != nil || report.Written != 2+nvimagetest.NumLinked+2 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, r := range f.far.Requests() {
		if id, ok := written(r); ok && id == flag {
			t.Error("0x0060 was touched")
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	other := nvimagetest.Stick
	other.Revision = 1
	tests := []struct {
		name    string
		edit    func(*fake, *nvimage.Image, *nvram.WriteOptions)
		is      error
		message string
	}{
		{name: "a stick on air", is: nvram.ErrNotHold, message: "park it first",
			edit: func(f *fake, _ *nvimage.Image, _ *nvram.WriteOptions) { f.state = znp.StateCoordinator }},
		{name: "an image of another revision", message: "the image is of revision 1,",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.WriteOptions) { o.From = other }},
		{name: "an image of unknown revision", message: "--any-revision",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.WriteOptions) { o.From = nvimage.Stick{} }},
		{name: "a stick with other tables", message: "DEVICE_LIST has 51 entries in the image, 52 on the stick",
			edit: func(f *fake, _ *nvimage.Image, _ *nvram.WriteOptions) {
				f.memory.Set(nvimage.Entry(nvimage.DeviceList, 51), make([]byte, 16))
			}},
		{name: "a stick that changed", is: nvram.ErrChanged,
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.WriteOptions) { o.ExpectBefore = "00" }},
		{name: "when the old content cannot be kept", message: "keep what the stick holds: disk full",
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.WriteOptions) {
				o.Keep = func(*nvimage.Image) error { return errors.New("disk full") }
			}},
		{name: "to start when asked to stop", is: nvram.ErrStopped,
			edit: func(_ *fake, _ *nvimage.Image, o *nvram.WriteOptions) { o.Stop = closed() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f, want, o := newFake(nvimagetest.Formed()), nvimagetest.Formed(), byOurs
			want.Set(tclkSeed, make([]byte, 16))
			test.edit(f, want, &o)
			before := f.memory.Clone()
			_, err := nvram.Write(context.Background(), f.dial(t), want, o)
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

// A load that ends anywhere must leave a stick that Zigbee2MQTT does not resume, and
// the next load must complete it.
func TestACutOffLoadIsNeverResumed(t *testing.T) {
	t.Run("onto a stick of another network", func(t *testing.T) { cutOffLoads(t, withOtherKey(), 1) })
	t.Run("onto a reset stick", func(t *testing.T) { cutOffLoads(t, nvimagetest.Reset(2), 17) })
}

// cutOffLoads cuts every step-th write of a load off and completes the load.
func cutOffLoads(t *testing.T, onto *nvimage.Image, step int) {
	total := countWrites(t, onto)
	for n := 1; n <= total; n += step {
		f := newFake(onto)
		left := n
		f.fault = func(r unpi.Frame) error {
			id, ok := written(r)
			if !ok {
				return nil
			}
			if left--; left == 0 {
				f.tear(id)
				return znptest.ErrUnplug
			}
			return nil
		}
		_, err := nvram.Write(context.Background(), f.dial(t), nvimagetest.Formed(), byOurs)
		if !errors.Is(err, znp.ErrPortLost) || !strings.HasSuffix(err.Error(), "cannot be resumed by Zigbee2MQTT until a load completes: do not start it there") {
			t.Fatalf("cut at write %d: %v", n, err)
		}
		if n > 1 && f.memory.Configured() {
			t.Fatalf("cut at write %d: the stick still says that it is commissioned", n)
		}
		f.fault = nil
		goOn := nvram.WriteOptions{From: nvimagetest.Stick, ExpectBefore: "what was there first", Resume: true}
		if _, err := nvram.Write(context.Background(), f.dial(t), nvimagetest.Formed(), goOn); err != nil {
			t.Fatalf("load after a cut at write %d: %v", n, err)
		}
		if changes := nvimage.Diff(booted(nvimagetest.Formed()), f.memory); len(changes) > 0 {
			t.Fatalf("load after a cut at write %d leaves %v", n, changes)
		}
	}
}

func TestWriteTellsWhatWentWrong(t *testing.T) {
	tests := []struct {
		name    string
		fault   func(*fake) func(unpi.Frame) error
		is      error
		message string
	}{
		{name: "a full flash", fault: refused, message: "TCLK_SEED (0x0101): "},
		{name: "a write that did not take", fault: lost, is: nvram.ErrReadBack, message: "TCLK_SEED (0x0101): the stick does not hold what was written"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake(withOtherKey())
			f.fault = test.fault(f)
			_, err := nvram.Write(context.Background(), f.dial(t), nvimagetest.Formed(), byOurs)
			if test.is != nil && !errors.Is(err, test.is) || err == nil || !strings.Contains(err.Error(), test.message) {
				t.Fatalf("got %v", err)
			}
			if seed, _ := nvimagetest.Formed().Get(tclkSeed); strings.Contains(err.Error(), hex.EncodeToString(seed)) {
				t.Error("the error holds a key")
			}
			if f.memory.Configured() {
				t.Error("the stick still says that it is commissioned")
			}
		})
	}
}

func TestWriteSurvivesLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(withOtherKey())
		c := f.dial(t)
		lose := map[byte]bool{0x12: true, 0x35: true}
		f.fault = func(r unpi.Frame) error {
			if r.Subsystem == unpi.SYS && lose[r.ID] {
				delete(lose, r.ID)
				_, _ = f.sys(r.ID, r.Data) // carried out, the answer is lost
				return znptest.ErrSilent
			}
			return nil
		}
		_, err := nvram.Write(context.Background(), c, nvimagetest.Formed(), byOurs)
		if changes := nvimage.Diff(booted(nvimagetest.Formed()), f.memory); err != nil || len(changes) > 0 {
			t.Errorf("%v, %v", changes, err)
		}
	})
}

func TestWriteStopsBetweenTwoItems(t *testing.T) {
	f := newFake(withOtherKey())
	o := byOurs
	stop := make(chan struct{})
	o.Stop = stop
	phase := nvram.PhaseCompare
	o.Phase = func(p nvram.Phase) { phase = p }
	o.Progress = func(done, _ int) {
		if phase == nvram.PhaseWrite && done == 2 {
			close(stop)
		}
	}
	report, err := nvram.Write(context.Background(), f.dial(t), nvimagetest.Formed(), o)
	if !errors.Is(err, nvram.ErrStopped) || report.Written != 2 || f.memory.Configured() {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestWriteNoticesAStickThatComesUpWrong(t *testing.T) {
	t.Run("on air", func(t *testing.T) {
		f := newFake(withOtherKey())
		c := f.dial(t)
		f.fault = func(r unpi.Frame) error {
			if r.Type == unpi.AREQ {
				f.state, f.stuck = znp.StateCoordinator, true
			}
			return nil
		}
		_, err := nvram.Write(context.Background(), c, nvimagetest.Formed(), byOurs)
		if !errors.Is(err, nvram.ErrNotHold) || !strings.HasSuffix(err.Error(), "park the stick before use") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("under another address", func(t *testing.T) {
		f := newFake(withOtherKey())
		c := f.dial(t)
		f.fault = func(r unpi.Frame) error {
			if r.Type == unpi.AREQ {
				f.memory.Set(nvimage.OSAL(nvimage.ExtAddr), zigbee.IEEE(5).LE())
			}
			return nil
		}
		_, err := nvram.Write(context.Background(), c, nvimagetest.Formed(), byOurs)
		if err == nil || !strings.Contains(err.Error(), "has the address 0x0000000000000005, want 0x00124b00aa000001") {
			t.Errorf("got %v", err)
		}
	})
}

// withOtherKey is a stick that differs from Formed in eight items, the flag not
// among them.
func withOtherKey() *nvimage.Image {
	m := nvimagetest.Formed()
	m.Set(tclkSeed, make([]byte, 16))
	m.Set(nvimage.OSAL(nvimage.PrecfgKey), make([]byte, 16))
	m.Set(nvimage.OSAL(nvimage.ZigpyZnpMigrationID), []byte{1})
	for i := range uint16(5) {
		m.Set(nvimage.Entry(nvimage.DeviceList, 40+i), make([]byte, 16))
	}
	return m
}

// booted is what a stick that was loaded with m holds after its reset.
func booted(m *nvimage.Image) *nvimage.Image {
	m = m.Clone()
	age(m)
	return m
}

// countWrites counts the items that a load of Formed writes or deletes.
func countWrites(t *testing.T, onto *nvimage.Image) int {
	t.Helper()
	f := newFake(onto)
	if _, err := nvram.Write(context.Background(), f.dial(t), nvimagetest.Formed(), byOurs); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range f.far.Requests() {
		if _, ok := written(r); ok {
			n++
		}
	}
	return n
}

func checkFlagIsLast(t *testing.T, requests []unpi.Frame) {
	t.Helper()
	var order []nvimage.ID
	for _, r := range requests {
		if id, ok := written(r); ok {
			order = append(order, id)
		}
		if r.Type == unpi.AREQ && order[len(order)-1] != flag {
			t.Errorf("the last item before the reset was %v", order[len(order)-1])
		}
	}
	if slices.Contains(order, nvimage.OSAL(nvimage.PollRateOld16)) {
		t.Error("0x0024 was written")
	}
}

// written says which item a request writes or deletes.
func written(r unpi.Frame) (nvimage.ID, bool) {
	switch {
	case r.Type != unpi.SREQ || r.Subsystem != unpi.SYS:
	case r.ID == 0x12:
		return nvimage.OSAL(u16(r.Data)), true
	case r.ID == 0x31, r.ID == 0x35:
		return nvID(r.Data), true
	}
	return nvimage.ID{}, false
}

// refused makes the stick answer the write of the seed as a damaged flash does.
func refused(f *fake) func(unpi.Frame) error {
	return func(r unpi.Frame) error {
		if id, ok := written(r); ok && id == tclkSeed {
			f.far.Answer(unpi.SYS, r.ID, 0x0A)
			return znptest.ErrSilent
		}
		return nil
	}
}

// lost makes the stick confirm the write of the seed and forget it.
func lost(f *fake) func(unpi.Frame) error {
	return func(r unpi.Frame) error {
		if id, ok := written(r); ok && id == tclkSeed {
			f.far.Answer(unpi.SYS, r.ID, 0)
			return znptest.ErrSilent
		}
		return nil
	}
}

func keepInto(o *nvram.WriteOptions, f *fake) **nvimage.Image {
	kept := new(*nvimage.Image)
	o.Keep = func(before *nvimage.Image) error {
		if !before.Equal(f.memory) {
			return errors.New("something was written already")
		}
		*kept = before
		return nil
	}
	return kept
}

func refuseKeep(t *testing.T) nvram.WriteOptions {
	o := byOurs
	o.Keep = func(*nvimage.Image) error {
		t.Error("there was something to write")
		return nil
	}
	return o
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func TestWriteNoticesABootInTheMiddle(t *testing.T) {
	f := newFake(withOtherKey())
	c := f.dial(t)
	f.fault = func(r unpi.Frame) error {
		if id, ok := written(r); ok && id == tclkSeed && f.boots == 0 {
			f.boot()
		}
		return nil
	}
	_, err := nvram.Write(context.Background(), c, nvimagetest.Formed(), byOurs)
	if !errors.Is(err, nvram.ErrRebooted) || f.memory.Configured() {
		t.Errorf("configured %v, error %v", f.memory.Configured(), err)
	}
}
