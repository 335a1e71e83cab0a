package datadir_test

import (
	"context"
	"testing"
	"time"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

// An undo that comes in the middle of a promotion, before any of its changes, waits
// for its end; one that may not wait changes nothing.
func TestUndoDuringPromote(t *testing.T) {
	for method, way := range ways {
		changes := countChanges(t, way, func(p datadir.Promotion) error {
			_, err := p.Do(t.Context())
			return err
		})
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			impatient := func(durable.Op, string) error {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				if _, err := h.promotion(way(nil)).Undo(ctx); exitOf(err) != helperapi.ExitBusy {
					t.Errorf("undo gave %v", err)
				}
				return nil
			}
			if _, err := h.promotion(way(impatient)).Do(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want("data", promoted)
			h.nothingLost()
		})
		for at := range changes {
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				undone := make(chan error, 1)
				n := 0
				meanwhile := func(durable.Op, string) error {
					if n++; n != at+1 {
						return nil
					}
					begun := make(chan struct{})
					go func() {
						close(begun)
						_, err := h.promotion(way(nil)).Undo(t.Context())
						undone <- err
					}()
					<-begun
					select {
					case err := <-undone:
						t.Errorf("undo did not wait: %v", err)
						undone <- nil
					case <-time.After(5 * time.Millisecond):
					}
					return nil
				}
				if _, err := h.promotion(way(meanwhile)).Do(t.Context()); err != nil {
					t.Error(err)
				}
				if err := <-undone; err != nil {
					t.Fatal(err)
				}
				h.want("data", oldData)
				h.nothingLost()
			})
		}
	}
}

func TestOnePromotionOfADataDirectoryAtATime(t *testing.T) {
	h := newHome(t)
	h.write("staging2", newData)
	other := h.promotion(nil)
	other.Staging, other.Previous, other.Run, other.Journal = h.at("staging2"), h.at("kept/other"), "run-2", h.at("run-2.journal")
	tried := 0
	_, err := h.promotion(func(durable.Op, string) error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := other.Do(ctx); exitOf(err) != helperapi.ExitBusy {
			t.Errorf("the other gave %v", err)
		}
		tried++
		return nil
	}).Do(t.Context())
	if err != nil || tried == 0 {
		t.Fatal(tried, err)
	}
	if _, err := other.Do(t.Context()); err != nil {
		t.Error(err)
	}
}

// A promotion that was asked for and has not begun when it is taken back, such as one
// whose connection was lost, must not come after all.
func TestPromoteAfterItWasTakenBack(t *testing.T) {
	for method, way := range ways {
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			r, err := h.promotion(way(nil)).Undo(t.Context())
			if err != nil || !r.Undone {
				t.Fatalf("undo gave %+v, %v", r, err)
			}
			if _, err := h.promotion(way(nil)).Do(t.Context()); exitOf(err) != helperapi.ExitRefused {
				t.Errorf("promote gave %v", err)
			}
			h.want("data", oldData)
			h.want("staging", newData)
		})
	}
}
