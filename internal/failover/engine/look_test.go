package engine_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/inmem"
)

// A mute bridge hears no Zigbee2MQTT, as over real MQTT, however long it listens.
type mute struct{ engine.Bridge }

func (mute) Refresh(ctx context.Context) (engine.BridgeInfo, error) {
	<-ctx.Done()
	return engine.BridgeInfo{}, engine.ErrBridgeSilent
}

func TestLookDoesNotListenForNobody(t *testing.T) {
	for name, tt := range map[string]struct {
		stop bool
		want time.Duration
	}{
		"a node that runs may answer late":           {want: 15 * time.Second},
		"nothing runs, so that only strangers could": {stop: true, want: 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, s := newHome("attic", "cellar"), inmem.NewStores()
				if tt.stop {
					completed(t, oneNode(t, controller(h, s).StopNode, "attic"))
				}
				c := engine.New(engine.Parts{
					Networks: []engine.Network{{Name: "home", Nodes: h.Nodes(), Bridge: mute{h.Bridge()}, Timing: plan.DefaultTiming()}},
					Journal:  s.Journal(), Shelf: s.Shelf(), Memory: s.Memory(), Log: slog.New(slog.DiscardHandler),
				})
				began := time.Now()
				st, err := c.Look(context.Background(), "home", false)
				if err != nil || st.Bridge.Err == nil {
					t.Fatalf("got %+v, %v", st.Bridge, err)
				}
				if took := time.Since(began); took < tt.want || took > tt.want+2*time.Second {
					t.Errorf("the look took %s, want %s", took, tt.want)
				}
			})
		})
	}
}

// A helper that a look has left behind when it was cut short ends by itself. It is waited
// for, and nobody is told that a stranger has the stick.
func TestOurHelperIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHome("attic", "cellar"), inmem.NewStores()
		h.Host("cellar").HelperBusy(3 * time.Second)
		a, err := controller(h, s).Preflight(t.Context(), "", "cellar")
		if err != nil || len(a.Blocking()) != 0 {
			t.Errorf("%v, blocking: %+v", err, a.Blocking())
		}
		h.Host("cellar").HelperBusy(time.Hour)
		began := time.Now()
		a, err = controller(h, s).Preflight(t.Context(), "", "cellar")
		if err != nil || len(a.Blocking()) == 0 || time.Since(began) > 20*time.Second {
			t.Errorf("%v after %s, blocking: %+v", err, time.Since(began), a.Blocking())
		}
	})
}
