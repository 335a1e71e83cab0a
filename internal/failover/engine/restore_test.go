package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/dongle/nvimage"
	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/generation"
	"z2mha/internal/failover/network"
	"z2mha/internal/failover/plan"
)

// A generation is brought back and does not start, and its data cannot be exchanged for
// what was there: stick and data must not tell of two times on air.
func TestRestoreNeverServesWithHalfOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		good := captured(t, c).Generation
		h.Join(newcomer)
		captured(t, c)
		back := false
		h.SetFault(func(op string) error {
			back = back || op == "attic.unpromote"
			if op == "attic.start" && !back || op == "attic.unpromote" {
				return errFault
			}
			return nil
		})
		e, _ := c.Restore(context.Background(), engine.Request{Generation: good, Reason: "Owner"}, quiet)
		if e.Outcome != plan.NeedsHelp || len(h.OnAir()) != 0 {
			t.Fatalf("%s with %v on air: %v", e.Outcome, h.OnAir(), e.Err)
		}
		h.SetFault(nil)
		if err := c.Recover(context.Background(), "", quiet); err != nil {
			t.Fatal(err)
		}
		settled(t, h, "attic")
		if data := h.Host("attic").Data()["database.db"]; !strings.Contains(data, newcomer.IEEE.String()) {
			t.Fatalf("the newcomer is not in the data:\n%s", data)
		}
	})
}

// Zigbee2MQTT makes an empty database where there is none.
func TestRestoreRefusesHalfADirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		captured(t, c)
		g, err := s.Shelf().Latest("home")
		if err != nil {
			t.Fatal(err)
		}
		g.Files = slices.DeleteFunc(slices.Clone(g.Files), func(f generation.File) bool { return f.Path == "database.db" })
		if g, err = s.Shelf().Add(g); err != nil {
			t.Fatal(err)
		}
		_, err = c.Restore(context.Background(), engine.Request{Generation: g.Number, Reason: "Owner"}, quiet)
		if refused := new(network.RefusedError); !errors.As(err, &refused) {
			t.Errorf("got %v", err)
		}
		settled(t, h, "attic")
	})
}

// The data of the active are damaged, which is what a restore is for: they are kept as
// they are, as refused, and the kept generation serves again.
func TestRestoreOverDamagedData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		good, whole := captured(t, c).Generation, h.Host("attic").Data()["database.db"]
		h.Host("attic").Edit("database.db", func(string) string { return "" })
		e, err := c.Restore(context.Background(), engine.Request{Generation: good, Reason: "Owner"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "attic")
		if data := h.Host("attic").Data()["database.db"]; data != whole {
			t.Errorf("the data are not back:\n%s", data)
		}
		kept, err := s.Shelf().Get("home", good+1)
		if err != nil || kept.Usable() || len(kept.Refused) == 0 {
			t.Errorf("the damaged data were not kept as refused: %+v, %v", kept, err)
		}
	})
}

// A device was taken off by force, and has its keys still. The generation that brings it
// back is older than what it has heard.
func TestRestoreOfADeviceThatWasTakenOffByForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		c := controller(h, s)
		h.Join(newcomer)
		good := captured(t, c).Generation
		time.Sleep(20 * 24 * time.Hour)
		nv := h.Host("attic").Stick()
		for _, at := range nv.Entries(nvimage.AddrMgr) {
			if a, ok := nv.Address(at); ok && a.IEEE == newcomer.IEEE {
				nv.ForgetAddress(at)
				nv.Erase(nvimage.AddrMgr, at)
			}
		}
		for _, id := range nv.LinkKeys() {
			if k, ok := nv.SeededKey(id.Sub); ok && k.IEEE == newcomer.IEEE {
				nv.Erase(nvimage.TclkTable, id.Sub)
			}
		}
		h.Host("attic").SetNV(nv)
		e, err := c.Restore(context.Background(), engine.Request{Generation: good, Reason: "Owner"}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, e)
		settled(t, h, "attic")
	})
}
