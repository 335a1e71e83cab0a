package e2e_test

import (
	"slices"
	"testing"
	"time"

	"z2mha/internal/world/home"
)

// TestE2ELampLatency prints how long the lamp takes to obey, with and without a backup of
// the running network under way. The home must not notice that it is backed up; what is
// judged is only that the lamp obeys all the time.
func TestE2ELampLatency(t *testing.T) {
	b := genuine(t).start()
	e := hear(t, b.home.Broker(), home.Login{})
	heard := 0
	quiet := b.latencies(func() { <-time.After(8 * time.Second) }) // what is measured
	backedUp := b.latencies(func() {
		for began := time.Now(); time.Since(began) < 8*time.Second; {
			e.says("zigbee2mqtt/bridge/request/backup", "")
			heard = e.until(heard, "zigbee2mqtt/bridge/response/backup", `"status":"ok"`)
		}
	})
	t.Logf("%-28s %5s %8s %8s", "lamp's command, ms", "n", "p50", "p99")
	for _, row := range []struct {
		what string
		took []time.Duration
	}{{"nothing else", quiet}, {"while it is backed up", backedUp}} {
		if len(row.took) < 20 {
			t.Errorf("%s: the lamp obeyed %d times, want 20 at least", row.what, len(row.took))
			continue
		}
		t.Logf("%-28s %5d %8d %8d", row.what, len(row.took), quantile(row.took, 50).Milliseconds(), quantile(row.took, 99).Milliseconds())
	}
	b.mediumIsClean()
}

// latencies are how long the lamp took to obey while do ran.
func (b *bench) latencies(do func()) []time.Duration {
	from := time.Now()
	do()
	var out []time.Duration
	for _, a := range b.watch.Answers(from, time.Now()) {
		out = append(out, a.Took)
	}
	slices.Sort(out)
	return out
}

func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}
