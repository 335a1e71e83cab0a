package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"z2mha/internal/dongle/znpsim"
	"z2mha/internal/failover/network"
	"z2mha/internal/host/service"
)

// holding is under a manager whose Zigbee2MQTT holds a stick and saves when it is ended.
func holding(t *testing.T, m manager, env ...string) *place {
	t.Helper()
	tty := filepath.Join(t.TempDir(), "tty")
	p := under(t, m.kind, m.name, m.script, append(env, "TTY="+tty)...)
	p.cfg.Dongle = tty
	p.Node = p.connect()
	plug(t, p, znpsim.FormedImage(identity))
	p.must(p.StartService(t.Context()))
	p.eventually("running with the stick", network.Observation.Active)
	return p
}

// wasSaved says that what Zigbee2MQTT saves last is there.
func (p *place) wasSaved() bool {
	raw, err := os.ReadFile(filepath.Join(p.cfg.Data, "database.db"))
	return err == nil && strings.Contains(string(raw), "saved")
}

func TestEveryManagerStopsFast(t *testing.T) {
	eachManager(t, func(t *testing.T, m manager) {
		p := holding(t, m, "SAVE=100ms", "BACKUP=1h")
		s, err := p.StopFast(t.Context(), 5*time.Second)
		if err != nil || !s.Saved || len(s.Killed) != 1 || s.SaveTook < 100*time.Millisecond || !p.wasSaved() {
			t.Fatalf("got %+v, %v", s, err)
		}
		time.Sleep(200 * time.Millisecond) // longer than any of the managers waits to start it again
		if o := p.see(); !o.Stopped() || o.Service != network.ServiceStopped {
			t.Errorf("it came back, or the manager does not know: %+v", o)
		}
		before := len(p.calls())
		s, err = p.StopFast(t.Context(), time.Second)
		if err != nil || s.Saved || len(s.Killed) > 0 || s.How != "it did not run" {
			t.Errorf("stopped again: %+v, %v", s, err)
		}
		for _, call := range p.calls()[before:] {
			if strings.Contains(call, "stop") || strings.Contains(call, "kill") {
				t.Errorf("stopped again by %q", call)
			}
		}
		p.must(p.StartService(t.Context()))
		p.eventually("running again", runs)
	})
}

// Data first: who was not seen to save is not killed.
func TestFastStopOfWhoDoesNotSaveInTime(t *testing.T) {
	eachManager(t, func(t *testing.T, m manager) {
		p := holding(t, m, "SAVE=700ms", "BACKUP=300ms")
		s, err := p.StopFast(t.Context(), 50*time.Millisecond)
		if err != nil || s.Saved || len(s.Killed) > 0 || !strings.Contains(s.How, "waited for the normal stop") {
			t.Errorf("got %+v, %v", s, err)
		}
		if o := p.see(); !o.Stopped() || !p.wasSaved() {
			t.Errorf("saved %v; %+v", p.wasSaved(), o)
		}
	})
}

func TestFastStopThatNobodyCarriesOut(t *testing.T) {
	p := holding(t, managers[0], "BACKUP=1h")
	p.fake("systemctl", `case $1 in stop) exit 1;; show) echo LoadState=loaded; echo ActiveState=active;; esac`)
	s, err := p.StopFast(t.Context(), 10*time.Second)
	wantError(t, err, "attic", "zigbee2mqtt")
	if s.Saved || len(s.Killed) > 0 || !strings.Contains(s.How, "could not be asked") {
		t.Errorf("got %+v", s)
	}
	if o := p.see(); !o.Active() {
		t.Errorf("it was ended all the same: %+v", o)
	}
}

// Somebody else has the stick: nobody is killed, and it is no success.
func TestFastStopSparesStrangers(t *testing.T) {
	p := holding(t, managers[0], "SAVE=50ms")
	stranger := under(t, service.Systemd, "systemctl", systemctl, "TTY="+p.cfg.Dongle)
	stranger.must(stranger.StartService(t.Context()))
	stranger.eventually("running", runs)
	p.eventually("two with the stick", func(o network.Observation) bool { return len(o.TTYHolders) == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := p.StopFast(ctx, 5*time.Second)
	wantError(t, err, "still holds")
	if o := stranger.see(); !runs(o) {
		t.Errorf("the stranger was ended: %+v", o)
	}
}

func TestFastStopThatLosesItsConnection(t *testing.T) {
	p := holding(t, managers[0], "SAVE=300ms", "BACKUP=1h")
	p.host.DropDuring(" end --tty", "")
	s, err := p.StopFast(t.Context(), 5*time.Second)
	if err != nil || !s.Saved || len(s.Killed) != 1 {
		t.Errorf("got %+v, %v", s, err)
	}
}
