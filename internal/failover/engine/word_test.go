package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"z2mha/internal/failover/engine"
)

// A person has pulled the stick of attic, and says so when attic is not the question any
// more: the network has moved to cellar, which is lost now, with its stick on air.
func TestAWordIsNotTakenForAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		h.Host("attic").PowerOff()
		word := engine.Request{From: "attic", To: "cellar", Confirmed: "the owner has pulled the stick of attic"}
		ended, err := controller(h, s).Failover(context.Background(), word, quiet)
		if err != nil {
			t.Fatal(err)
		}
		completed(t, ended)
		h.Host("attic").SetAtBoot(false)
		h.Host("attic").PowerOn()
		h.Host("cellar").SetRunning(false)
		h.Host("cellar").SetReachable(false)
		h.Host("shed").SetFarAway(true) // nobody hears cellar
		word.To = "shed"
		if _, err = controller(h, s).Failover(context.Background(), word, quiet); err == nil || !strings.Contains(err.Error(), "asked for to leave attic") {
			t.Errorf("got %v", err)
		}
		if h.Host("shed").Running() || len(h.Violations()) > 0 {
			t.Errorf("two are on air: %v", h.Violations())
		}
	})
}
