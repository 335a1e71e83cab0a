package e2e_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"z2mha/internal/world/home"
)

// TestE2ESwitchoverThereAndBack is the product's main job with real programs: from a
// configuration file to a lamp that answers through the other stick, and back.
func TestE2ESwitchoverThereAndBack(t *testing.T) {
	b := genuine(t).start()
	devices, image := b.bridgeDevices(), b.home.Attic.Dongle.Image()
	for _, to := range []*home.Node{b.home.Cellar, b.home.Attic} {
		b.moves(to)
		if diff := cmp.Diff(devices, b.bridgeDevices()); diff != "" {
			t.Errorf("bridge/devices changed: %s", diff)
		}
		want, _ := image.Identity()
		got, err := to.Dongle.Image().Identity()
		if err != nil {
			t.Fatal(err)
		}
		if diff := want.Differences(got); len(diff) > 0 {
			t.Errorf("%s is another coordinator: %s", to.Name, strings.Join(diff, "; "))
		}
	}
	b.mediumIsClean()
	b.recordsKeepSecrets()
	t.Logf("secure rejoins of sleeping children: %d", b.home.Medium.Record().Rejoins)
	for _, o := range b.watch.Outages() {
		t.Logf("outage %s → %s: %s", o.From, o.To, o.Unanswered)
	}
}

// moves switches over and checks what a person would: the lamp answers, the other
// stick is silent, the file of the node that was stand-by still has its comments,
// and asking again changes nothing.
func (b *bench) moves(to *home.Node) {
	b.Helper()
	comments := commentsIn(b.read(to, "configuration.yaml"))
	b.ends(b.z2mha("switchover", "--to", to.Name), exitOK)
	b.lampAnswersThrough(to)
	if got := b.home.OnAir(); got != to.Name {
		b.Errorf("on air: %q, want %s only", got, to.Name)
	}
	after := b.read(to, "configuration.yaml")
	for _, c := range comments {
		if !strings.Contains(after, c) {
			b.Errorf("the configuration of %s lost the comment %q", to.Name, c)
		}
	}
	b.changesNothing(func() { b.ends(b.z2mha("switchover", "--to", to.Name), exitOK) })
}

// changesNothing runs do and compares both hosts and both sticks.
func (b *bench) changesNothing(do func()) {
	b.Helper()
	before := b.fingerprint()
	do()
	if diff := cmp.Diff(before, b.fingerprint()); diff != "" {
		b.Errorf("something changed: %s", diff)
	}
}

// recordsKeepSecrets reads every journal.
func (b *bench) recordsKeepSecrets() {
	b.Helper()
	for _, e := range b.journal() {
		b.keepsSecrets(e.Note + string(e.Data))
	}
}

func commentsIn(yaml string) []string {
	var out []string
	for line := range strings.Lines(yaml) {
		if _, comment, ok := strings.Cut(line, "#"); ok {
			out = append(out, "#"+strings.TrimRight(comment, "\n"))
		}
	}
	return out
}
