package datadir_test

import (
	"os"
	"path/filepath"
	"testing"

	"z2mha/internal/host/datadir"
	"z2mha/internal/storage/durable"
)

// What Zigbee2MQTT lived in must not come to lie where the next staging overwrites it,
// nor on what an earlier undo left, wherever the undo is cut short.
func TestUndoKeepsWhatWasLivedIn(t *testing.T) {
	lived := with(newData, tree{"database.db": "lived in\n"})
	for method, way := range ways {
		changes := countChanges(t, way, func(p datadir.Promotion) error {
			if _, err := p.Do(t.Context()); err != nil {
				return err
			}
			_, err := p.Undo(t.Context())
			return err
		})
		for crash := range changes {
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				h.write("kept/previous.undone", tree{"of": "an earlier undo"})
				if _, err := h.promotion(way(nil)).Do(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(h.at("data/database.db"), []byte("lived in\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				_, _ = h.promotion(way(durable.CrashAt(crash + 1))).Undo(t.Context())
				r, err := h.promotion(way(nil)).Undo(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				h.want("data", oldData)
				h.want("kept/previous.undone", tree{"of": "an earlier undo"})
				if filepath.Dir(r.Previous) != h.at("kept") {
					t.Errorf("lies in %s", r.Previous)
				}
				got := h.read("kept/" + filepath.Base(r.Previous))
				for name, content := range lived {
					if got[name] != content {
						t.Errorf("%s is %q, want %q", name, got[name], content)
					}
				}
				if got := h.read("staging")["database.db"]; got == "lived in\n" {
					t.Error("the data lies in staging")
				}
			})
		}
	}
}

// A promotion that died right after the exchange, taken back and cut short there.
func TestUndoOfAnExchangeThatDied(t *testing.T) {
	const method = "exchange"
	way := ways[method]
	changes := countChanges(t, way, func(p datadir.Promotion) error {
		_, err := p.Do(t.Context())
		return err
	})
	for first := range changes {
		for second := range 12 {
			t.Run(method, func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				_, _ = h.promotion(way(durable.CrashAt(first + 1))).Do(t.Context())
				was := h.read("data")["configuration.yaml"] == newData["configuration.yaml"]
				_, _ = h.promotion(way(durable.CrashAt(second + 1))).Undo(t.Context())
				if _, err := h.promotion(way(nil)).Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.want("data", oldData)
				h.nothingLost()
				staged := len(h.read("staging")) > 0
				if was == staged {
					t.Errorf("promoted %v, in staging %v", was, staged)
				}
			})
		}
	}
}
