package node_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/dongle/port"
	"z2mha/internal/dongle/unpi"
	"z2mha/internal/dongle/zigbee"
	"z2mha/internal/dongle/znp"
	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/host/node"
)

var identity = zigbee.Identity{
	PanID: 0x4a21, ExtPanID: 0x0102030405060708, Channel: 15,
	Key: zigbee.Key{1, 3, 5, 7, 9, 11, 13, 15, 2, 4, 6, 8, 10, 12, 14, 16}, IEEE: 0x00124b0000000001,
}

// plug gives p a stick at its tty, or at a port in the network.
func plug(t *testing.T, p *place, image *nvimage.Image) *znpsim.Dongle {
	t.Helper()
	d := znpsim.NewDongle(znpsim.DongleOptions{Name: p.Name(), Image: image})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if port.IsNetwork(p.cfg.Dongle) {
		l, err := net.Listen("tcp", strings.TrimPrefix(p.cfg.Dongle, "tcp://"))
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- d.ServeTCP(ctx, l) }()
	} else {
		tty, err := d.OpenPTY(p.cfg.Dongle)
		if err != nil {
			t.Fatal(err)
		}
		go func() { done <- tty.Serve(ctx) }()
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("stick: %v", err)
		}
	})
	return d
}

// goOnAir starts the stick's network, as Zigbee2MQTT does, and lets the tty go.
func goOnAir(t *testing.T, p *place, d *znpsim.Dongle) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	rw, err := port.Open(ctx, p.cfg.Dongle)
	if err != nil {
		t.Fatal(err)
	}
	c := znp.NewClient(rw, znp.Options{})
	defer c.Close()
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Request(ctx, unpi.ZDO, 0x40, []byte{100, 0}); err != nil {
		t.Fatal(err)
	}
	for znp.DeviceState(d.State()) != znp.StateCoordinator {
		select {
		case <-ctx.Done():
			t.Fatal("the stick never went on air")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// freePort finds a port of this machine that nobody uses.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "tcp://" + l.Addr().String()
}

func TestStick(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"on the host":    func(*node.Config) {},
		"in the network": func(c *node.Config) { c.Dongle = freePort(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			d := plug(t, p, znpsim.FormedImage(identity))
			goOnAir(t, p, d)
			wantState(t, p, "COORDINATOR", false)
			_, err := p.ReadStick(t.Context(), nil)
			wantError(t, err, "attic", "HOLD")

			silence, err := p.Park(t.Context())
			if err != nil || !silence.Reset || silence.State != "HOLD" {
				t.Fatalf("park: %+v, %v", silence, err)
			}
			wantState(t, p, "HOLD", true)
			if silence, err = p.Park(t.Context()); err != nil || silence.Reset {
				t.Errorf("parked again: %+v, %v", silence, err)
			}
			if silence, err = p.Reset(t.Context()); err != nil || !silence.Reset {
				t.Errorf("reset: %+v, %v", silence, err)
			}
			steps := 0
			got, err := p.ReadStick(t.Context(), func(string, int, int) { steps++ })
			if err != nil || steps == 0 {
				t.Fatalf("read: %v, %d steps", err, steps)
			}
			if diff := nvimage.Diff(d.Image(), got.Image); len(diff) > 0 {
				t.Errorf("read differs: %v", diff)
			}
			if got.Stick.Revision != znpsim.DefaultRevision {
				t.Errorf("stick %v", got.Stick)
			}
		})
	}
}

func wantState(t *testing.T, p *place, state string, silent bool) {
	t.Helper()
	s, err := p.InspectStick(t.Context())
	if err != nil || s.State != state || s.Silent != silent {
		t.Errorf("inspected %+v, %v", s, err)
	}
}

// aLoad raises the counter of what the stick holds.
func aLoad(t *testing.T, p *place, run string) network.StickLoad {
	t.Helper()
	got, err := p.ReadStick(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := got.Image.Clone()
	if err := want.Raise(nvimage.Floors{NWK: 50_000, LinkMargin: 2500}); err != nil {
		t.Fatal(err)
	}
	return network.StickLoad{Run: run, Want: want, From: got.Stick, ExpectBefore: got.Image.Hash()}
}

func TestLoadStick(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"on the host":    func(*node.Config) {},
		"in the network": func(c *node.Config) { c.Dongle = freePort(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			d := plug(t, p, znpsim.FormedImage(identity))
			load := aLoad(t, p, "run-1")
			r, err := p.LoadStick(t.Context(), load, nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.Written == 0 || r.Bytes < r.Written || r.Boots != 1 || r.State != "HOLD" || r.Before.Hash() != load.ExpectBefore {
				t.Errorf("report %+v", r)
			}
			counters, err := d.Image().Counters()
			if err != nil || counters.NWK < 50_000 {
				t.Errorf("counter %d, %v", counters.NWK, err)
			}
			load.Run, load.ExpectBefore = "run-2", strings.Repeat("0", 64)
			load.Want = load.Want.Clone()
			if err := load.Want.Raise(nvimage.Floors{NWK: 900_000}); err != nil {
				t.Fatal(err)
			}
			if _, err := p.LoadStick(t.Context(), load, nil); err == nil {
				t.Error("a stick that holds something else was overwritten")
			}
		})
	}
}

func TestLoadSurvivesALostConnection(t *testing.T) {
	p := newPlace(t)
	d := plug(t, p, znpsim.FormedImage(identity))
	load := aLoad(t, p, "run-1")
	d.SetLatency(time.Millisecond)
	p.host.DropDuring(" write - ", "progress")
	r, err := p.LoadStick(t.Context(), load, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Written == 0 || r.Before.Hash() != load.ExpectBefore {
		t.Errorf("report %+v", r)
	}
	if n := p.host.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
	// The write ended with a boot, which itself raises counters.
	counters, err := d.Image().Counters()
	if err != nil || counters.NWK < 50_000 {
		t.Errorf("counter %d, %v", counters.NWK, err)
	}
}

// aPatch lets a device join what the stick holds.
func aPatch(t *testing.T, p *place, run string) network.StickPatch {
	t.Helper()
	got, err := p.ReadStick(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := got.Image.Clone()
	for i := range uint16(40) {
		want.Set(nvimage.Entry(nvimage.AddrMgr, 100+i), append([]byte{2, 0xFF, byte(i), 0x12}, zigbee.IEEE(0x00158d0000000c00+uint64(i)).LE()...))
	}
	if err := want.Raise(nvimage.Floors{NWK: 70_000}); err != nil {
		t.Fatal(err)
	}
	return network.StickPatch{Run: run, Known: got.Image, Want: want, From: got.Stick}
}

func TestPatchStick(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"on the host":    func(*node.Config) {},
		"in the network": func(c *node.Config) { c.Dongle = freePort(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			d := plug(t, p, znpsim.FormedImage(identity))
			patch := aPatch(t, p, "run-1")
			steps := 0
			r, err := p.PatchStick(t.Context(), patch, func(string, int, int) { steps++ })
			if err != nil {
				t.Fatal(err)
			}
			if r.Written < 41 || r.Bytes < 40*12 || r.Boots != 0 || r.State != "HOLD" || r.Stick != patch.From || r.Exchanges == 0 || steps == 0 {
				t.Errorf("report %+v, %d steps", r, steps)
			}
			if diff := nvimage.Diff(d.Image(), r.Now); len(diff) > 0 {
				t.Errorf("the stick holds something else than was told: %v", diff)
			}

			warm := network.StickPatch{Run: "run-2", Known: r.Now, Want: r.Now, From: patch.From, Reset: true}
			r, err = p.PatchStick(t.Context(), warm, nil)
			if err != nil || r.Written != 0 || r.Boots != 1 || r.Exchanges > 15 {
				t.Errorf("activated: %+v, %v", r, err)
			}
			known, err := p.ReadStickKnown(t.Context(), r.Now, nil)
			if err != nil || !known.Image.Equal(r.Now) || known.Stick != patch.From {
				t.Errorf("read again: %v, %v", nvimage.Diff(r.Now, known.Image), err)
			}

			patch.Run = "run-3" // the stick is not what it was
			_, err = p.PatchStick(t.Context(), patch, nil)
			if !errors.Is(err, network.ErrStickChanged) {
				t.Errorf("a stick that holds something else was patched: %v", err)
			}
			wantError(t, err, "attic", "ADDRMGR[100]")
			patch.From.Revision++
			patch.Run = "run-4"
			_, err = p.PatchStick(t.Context(), patch, nil)
			wantError(t, err, "revision")
		})
	}
}

func TestPatchSurvivesALostConnection(t *testing.T) {
	p := newPlace(t)
	d := plug(t, p, znpsim.FormedImage(identity))
	patch := aPatch(t, p, "run-1")
	patch.Reset = true
	d.SetLatency(2 * time.Millisecond)
	p.host.DropDuring(" patch ", "progress")
	r, err := p.PatchStick(t.Context(), patch, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := nvimage.Diff(d.Image(), r.Now); len(diff) > 0 || r.Boots != 1 {
		t.Errorf("report %+v, differs in %v", r, diff)
	}
	if n := p.host.Connections(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// A patch that is cut off is taken up again by the same run.
func TestPatchIsTakenUpAgain(t *testing.T) {
	for name, change := range map[string]func(*node.Config){
		"on the host":    func(*node.Config) {},
		"in the network": func(c *node.Config) { c.Dongle = freePort(t) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, change)
			d := plug(t, p, znpsim.FormedImage(identity))
			patch := aPatch(t, p, "run-1")
			d.SetFault(znpsim.Fault{FailWrite: 20})
			if _, err := p.PatchStick(t.Context(), patch, nil); err == nil || d.Image().Configured() {
				t.Fatalf("configured %v, error %v", d.Image().Configured(), err)
			}
			d.SetFault(znpsim.Fault{})
			r, err := p.PatchStick(t.Context(), patch, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := nvimage.Diff(d.Image(), r.Now); len(diff) > 0 || !d.Image().Configured() {
				t.Errorf("report %+v, differs in %v", r, diff)
			}
		})
	}
}

func TestHeldStickIsRefused(t *testing.T) {
	p := newPlace(t)
	plug(t, p, znpsim.FormedImage(identity))
	rw, err := port.Open(t.Context(), p.cfg.Dongle)
	if err != nil {
		t.Fatal(err)
	}
	defer rw.Close()
	for op, act := range map[engine.Op]func() error{
		engine.OpPark:    func() error { _, err := p.Park(t.Context()); return err },
		engine.OpReset:   func() error { _, err := p.Reset(t.Context()); return err },
		engine.OpInspect: func() error { _, err := p.InspectStick(t.Context()); return err },
		engine.OpReadStick: func() error {
			_, err := p.ReadStick(t.Context(), nil)
			return err
		},
	} {
		err := act()
		var busy *helperapi.Error
		if !errors.As(err, &busy) || busy.Exit != helperapi.ExitBusy {
			t.Errorf("%s of a held stick gave %v", op, err)
		}
	}
	o, err := p.Observe(t.Context())
	if err != nil || len(o.TTYHolders) != 1 || o.TTYHolders[0].Ours {
		t.Errorf("holders %v, %v", o.TTYHolders, err)
	}
}

// A helper that is still at work on the stick is told from a stranger.
func TestObserveKnowsItsOwnHelper(t *testing.T) {
	p := newPlace(t)
	d := plug(t, p, znpsim.FormedImage(identity))
	d.SetLatency(10 * time.Millisecond)
	p.warm()
	ctx, cancel := context.WithCancel(t.Context())
	reading := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		once := sync.OnceFunc(func() { close(reading) })
		_, _ = p.ReadStick(ctx, func(string, int, int) { once() })
	}()
	defer func() { cancel(); <-done }()
	<-reading
	o, err := p.Observe(t.Context())
	if err != nil || len(o.TTYHolders) != 1 || !o.TTYHolders[0].Ours {
		t.Errorf("holders %+v, %v", o.TTYHolders, err)
	}
}

func TestWrongTTY(t *testing.T) {
	p := newPlace(t)
	_, err := p.Park(t.Context())
	wantError(t, err, p.cfg.Dongle)
	write(t, filepath.Join(p.dir, "tty"), "a file")
	_, err = p.Park(t.Context())
	wantError(t, err, p.cfg.Dongle)
}

func TestExplainSaysWhatIsDoneToTheStick(t *testing.T) {
	p := newPlace(t)
	plug(t, p, znpsim.FormedImage(identity))
	load := aLoad(t, p, "RUN")
	for _, tt := range []struct {
		op  engine.Op
		run func() error
	}{
		{engine.OpInspect, func() error { _, err := p.InspectStick(t.Context()); return err }},
		{engine.OpPark, func() error { _, err := p.Park(t.Context()); return err }},
		{engine.OpReset, func() error { _, err := p.Reset(t.Context()); return err }},
		{engine.OpReadStick, func() error { _, err := p.ReadStick(t.Context(), nil); return err }},
		{engine.OpLoadStick, func() error { _, err := p.LoadStick(t.Context(), load, nil); return err }},
		{engine.OpReadKnown, func() error { _, err := p.ReadStickKnown(t.Context(), load.Want, nil); return err }},
		{engine.OpPatchStick, func() error { _, err := p.PatchStick(t.Context(), aPatch(t, p, "RUN-2"), nil); return err }},
	} {
		got := p.commands(func() {
			if err := tt.run(); err != nil {
				t.Errorf("%s: %v", tt.op, err)
			}
		})
		got = got[max(0, len(got)-len(p.Explain(tt.op))):] // a patch was read for first
		for i, line := range got {
			got[i] = general(line, load)
		}
		if diff := cmp.Diff(p.Explain(tt.op), got); diff != "" {
			t.Errorf("%s: %s", tt.op, diff)
		}
	}
}

// general puts the words of Explain for what only the act knew.
func general(line string, load network.StickLoad) string {
	words := strings.Fields(line)
	for i, w := range words {
		switch {
		case i > 0 && words[i-1] == "--run":
			words[i] = "RUN"
		case w == strconv.FormatUint(uint64(load.From.Revision), 10):
			words[i] = "REVISION"
		case w == load.ExpectBefore:
			words[i] = "HASH"
		}
	}
	return strings.Join(words, " ")
}
