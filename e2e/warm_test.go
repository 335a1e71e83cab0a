package e2e_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"z2mha/internal/failover/engine"
	"z2mha/internal/failover/plan"
	"z2mha/internal/world/home"
)

// TestTwentyMoves: once the sticks are known every move is a fast one, whichever way it
// goes, and the radio sees nothing that must not be.
func TestTwentyMoves(t *testing.T) {
	b := simulated(t).start()
	b.ends(b.z2mha("seed"), exitOK)
	b.lampAnswersThrough(b.home.Attic)
	for i := range 20 {
		to := []*home.Node{b.home.Cellar, b.home.Attic}[i%2]
		b.ends(b.z2mha("switchover", "--to", to.Name), exitOK, "as soon as it has saved")
		b.lampAnswersThrough(to)
		if got := b.home.OnAir(); got != to.Name {
			t.Fatalf("on air after move %d: %q, want %s only", i+1, got, to.Name)
		}
	}
	b.mediumIsClean()
	if joins := b.home.Medium.Record().Joins; joins != 0 {
		t.Errorf("%d devices had to join again", joins)
	}
}

// TestE2EFastMoves prints what a planned move costs when the stand-by is kept ready, with
// real programs. Z2MHA_PACED makes the sticks as slow as real ones; see genuine.
func TestE2EFastMoves(t *testing.T) {
	b := genuine(t).start()
	b.ends(b.z2mha("seed"), exitOK)
	b.lampAnswersThrough(b.home.Attic)
	outages := len(b.watch.Outages())
	for _, to := range []*home.Node{b.home.Cellar, b.home.Attic} {
		b.ends(b.z2mha("switchover", "--to", to.Name), exitOK, "as soon as it has saved")
		b.lampAnswersThrough(to)
	}
	b.mediumIsClean()
	b.recordsKeepSecrets()
	for _, o := range b.watch.Outages()[outages:] {
		t.Logf("outage %s → %s, lamp to lamp: %.2f s", o.From, o.To, o.Unanswered.Seconds())
	}
	for _, line := range b.shares() {
		t.Log(line)
	}
}

// shares are the times of the dark steps of every fast move, and how much of the outage
// until Zigbee2MQTT was asked to start was not its own saving.
func (b *bench) shares() []string {
	b.Helper()
	var out []string
	var fast bool
	var stop time.Time
	begun := map[string]time.Time{}
	var line []string
	for _, e := range b.journal() {
		switch e.Event {
		case plan.EventPlanned:
			fast, line = strings.Contains(string(e.Data), `"fast":true`), nil
		case plan.EventBegin:
			begun[e.Step] = e.At
			if actOf(e.Step) == "stop" {
				stop = e.At
			}
		case plan.EventDone:
			if act := actOf(e.Step); fast && darkShares[act] {
				line = append(line, fmt.Sprintf("%s %.2f s", act, e.At.Sub(begun[e.Step]).Seconds()))
				line = append(line, ours(e, act, stop)...)
			}
		case plan.EventEnded:
			if fast {
				out = append(out, strings.Join(line, ", "))
			}
		}
	}
	return out
}

// ours is, once Zigbee2MQTT was asked to start, what has gone by since it was asked to
// stop. Its saving is in there: it is told with the stop.
func ours(e plan.Entry, act string, stop time.Time) []string {
	var seen struct {
		Saw   []string     `json:"saw"`
		Facts engine.Facts `json:"facts"`
	}
	if json.Unmarshal(e.Data, &seen) != nil {
		return nil
	}
	switch act {
	case "stop":
		return seen.Saw[:1]
	case "start":
		return []string{fmt.Sprintf("(%.2f s from the stop until it was asked to start)", seen.Facts.Started.Sub(stop).Seconds())}
	}
	return nil
}

var darkShares = map[string]bool{"stop": true, "fence": true, "final-copy": true, "promote": true, "start": true, "prove": true}

// actOf is the act in a step's id, "08-final-copy-cellar".
func actOf(step string) string {
	_, rest, _ := strings.Cut(step, "-")
	i := strings.LastIndex(rest, "-")
	return rest[:max(0, i)]
}

// TestRestoreFromTheShelf: a name that was changed is back, the lamp answers, and what
// was there is kept.
func TestRestoreFromTheShelf(t *testing.T) {
	b := simulated(t).start()
	b.ends(b.z2mha("sync"), exitOK, "generation 1")
	config := b.read(b.home.Attic, "configuration.yaml")
	b.ends(b.z2mha("restore", "1"), exitRefused, "confirm")
	b.ends(b.z2mha("restore", "1", "--confirm", "restore 1"), exitOK, "generation 1")
	b.lampAnswersThrough(b.home.Attic)
	if got := b.read(b.home.Attic, "configuration.yaml"); !strings.Contains(got, home.LampName) || len(config) == 0 {
		t.Error("the configuration does not name the lamp any more")
	}
	b.ends(b.z2mha("switchover", "--to", "cellar"), exitOK)
	b.lampAnswersThrough(b.home.Cellar)
	b.mediumIsClean()
}

// TestFailoverByHand: the attic's host is cut off, its stick without power. The cellar
// takes over on the last good copy, when a person says that the stick is unplugged.
func TestFailoverByHand(t *testing.T) {
	b := simulated(t).start()
	b.ends(b.z2mha("seed"), exitOK)
	b.ends(b.z2mha("sync"), exitOK)
	b.losesPower(b.home.Attic)
	b.ends(b.z2mha("failover"), exitRefused, "--confirm-unplugged")
	b.ends(b.z2mha("failover", "--confirm-unplugged"), exitRefused, "confirm")
	b.ends(b.z2mha("failover", "--confirm-unplugged", "--confirm", "the stick is unplugged"), exitOK)
	b.lampAnswersThrough(b.home.Cellar)
	b.mediumIsClean()
}

// losesPower is a host that goes dark with its stick.
func (b *bench) losesPower(n *home.Node) {
	b.Helper()
	if err := n.Kill(); err != nil {
		b.Fatal(err)
	}
	n.Dongle.SetPower(false)
	if err := n.Host.Close(); err != nil {
		b.Fatal(err)
	}
}
