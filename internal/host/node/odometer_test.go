package node_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/odometer"
	"z2mha/internal/host/node"
	"z2mha/internal/host/remote"
)

func TestOdometerIsKeptOnTheNode(t *testing.T) {
	p := newPlace(t, func(c *node.Config) { c.SSH.Become = remote.BecomeSudo })
	none, err := p.Odometer(t.Context(), "home")
	if diff := cmp.Diff(odometer.Odometer{}, none); err != nil || diff != "" {
		t.Errorf("without a copy: %s, %v", diff, err)
	}
	want := odometer.Odometer{}.Captured(4711, time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC))
	for range 2 { // also in the place of an old one
		want = want.Booted()
		if err := p.KeepOdometer(t.Context(), "home", want); err != nil {
			t.Fatal(err)
		}
		got, err := p.Odometer(t.Context(), "home")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s, %v", diff, err)
		}
	}
	file := filepath.Join(p.cfg.State, "odometer", "home.json")
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	if names := tree(t, filepath.Dir(file)); len(names) != 1 {
		t.Errorf("%d files in its directory", len(names))
	}
}

func TestOdometerThatIsDamaged(t *testing.T) {
	p := newPlace(t)
	other := odometer.Odometer{Highest: 1}
	if err := p.KeepOdometer(t.Context(), "cabin", other); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(p.cfg.State, "odometer")
	cabin := tree(t, dir)["cabin.json"]
	for name, content := range map[string]string{"cut off": cabin[:len(cabin)-9], "of another network": cabin, "no copy at all": "{}"} {
		t.Run(name, func(t *testing.T) {
			write(t, filepath.Join(dir, "home.json"), content)
			_, err := p.Odometer(t.Context(), "home")
			wantError(t, err, "attic", "home.json is damaged")
		})
	}
	for _, name := range []string{"", "..", "a/b"} {
		_, err := p.Odometer(t.Context(), name)
		wantError(t, err, "cannot name a file")
		wantError(t, p.KeepOdometer(t.Context(), name, other), "cannot name a file")
	}
}

func TestExplainSaysHowTheOdometerIsKept(t *testing.T) {
	p := newPlace(t)
	p.warm()
	for op, run := range map[engine.Op]func() error{
		engine.OpKeepOdometer: func() error { return p.KeepOdometer(t.Context(), "home", odometer.Odometer{}) },
		engine.OpOdometer:     func() error { _, err := p.Odometer(t.Context(), "home"); return err },
	} {
		got := p.commands(func() {
			if err := run(); err != nil {
				t.Errorf("%s: %v", op, err)
			}
		})
		if diff := cmp.Diff(p.Explain(op), got); diff != "" {
			t.Errorf("%s: %s", op, diff)
		}
	}
}
