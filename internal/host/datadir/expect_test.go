package datadir_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"z2mha/internal/host/datadir"
	"z2mha/internal/host/helperapi"
	"z2mha/internal/storage/durable"
)

func TestPromoteOnlyWhatWasStaged(t *testing.T) {
	for name, spoil := range map[string]func(h home) error{
		"another content": func(h home) error { return os.WriteFile(h.at("staging/database.db"), []byte("other\n"), 0o644) },
		"another mode":    func(h home) error { return os.Chmod(h.at("staging/database.db"), 0o600) },
		"a file more":     func(h home) error { return os.WriteFile(h.at("staging/more.js"), []byte("x"), 0o644) },
		"a file less":     func(h home) error { return os.Remove(h.at("staging/device_icons/lamp.png")) },
		"a link":          func(h home) error { return os.Symlink("database.db", h.at("staging/link")) },
	} {
		for method, way := range ways {
			t.Run(method+"/"+name, func(t *testing.T) {
				h := newHome(t)
				if err := spoil(h); err != nil {
					t.Fatal(err)
				}
				_, err := h.promotion(way(nil)).Do(t.Context())
				if exitOf(err) != helperapi.ExitRefused || !strings.Contains(err.Error(), "is not what was staged") {
					t.Errorf("got %v", err)
				}
				h.want("data", oldData)
			})
		}
	}
}

// What is exchanged is looked at once more, after everything else has been made ready.
func TestPromoteOfStagingThatChangesMeanwhile(t *testing.T) {
	h := newHome(t)
	spoil := func(op durable.Op, path string) error {
		if path == h.at("staging") && op == "syncall" {
			return os.WriteFile(h.at("staging/database.db"), []byte("other\n"), 0o644)
		}
		return nil
	}
	_, err := h.promotion(spoil).Do(t.Context())
	if exitOf(err) != helperapi.ExitRefused || !strings.Contains(err.Error(), "database.db") {
		t.Errorf("got %v", err)
	}
	h.want("data", oldData)
}

// Who does not know what was staged may ask how a promotion ended, and continue one
// that had begun, but begin none.
func TestPromoteWithoutKnowingWhat(t *testing.T) {
	for method, way := range ways {
		t.Run(method, func(t *testing.T) {
			h := newHome(t)
			unknowing := func() datadir.Promotion {
				p := h.promotion(way(nil))
				p.Expect = ""
				return p
			}
			_, err := unknowing().Do(t.Context())
			if exitOf(err) != helperapi.ExitRefused || !strings.Contains(err.Error(), "nothing was staged in this run") {
				t.Fatalf("got %v", err)
			}
			h.want("data", oldData)
			begun := func(op durable.Op, _ string) error {
				if op == "syncall" {
					return durable.ErrCrashed
				}
				return nil
			}
			_, err = h.promotion(way(begun)).Do(t.Context())
			if !errors.Is(err, durable.ErrCrashed) {
				t.Fatal(err)
			}
			for range 2 { // continued, then told
				if _, err := unknowing().Do(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.want("data", promoted)
			}
			other := h.promotion(way(nil))
			other.Expect = strings.Repeat("0", 64)
			if _, err := other.Do(t.Context()); exitOf(err) != helperapi.ExitRefused {
				t.Errorf("a done promotion of something else gave %v", err)
			}
		})
	}
}
