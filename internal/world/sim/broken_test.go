//go:build brokenrules

package sim_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"z2mha/internal/failover/broken"
	"z2mha/internal/world/sim"
)

var tries = flag.Uint64("tries", 3000, "within how many seeds a broken rule must be found")

// found is which rule the simulation says is broken.
var found = map[string]string{
	"StartsUnfenced": "I1", "TrustsOthers": "I1", "LeavesCounters": "I2", "LowersOnUndo": "I2", "KeepsNothing": "I4", "ActsFirst": "I6",
	"IgnoresHold": "I7", "IgnoresBroker": "I7", "IgnoresOpenRun": "I6", "BelievesStop": "I5", "TakesShrunken": "I4", "CapturesStandby": "I3",
	"StartsHalfLoaded": "I6", "IgnoresVeto": "I1", "FencesByFaith": "I", "IgnoresCoolDown": "I7", "StartsStopped": "I7", "GivesBootTwice": "I1", "TellsKey": "I8",
}

// remembered is a seed that has found a rule broken which only few do; it is tried first.
var remembered = map[string]uint64{"IgnoresCoolDown": 2866, "TrustsOthers": 1479, "IgnoresVeto": 196, "LeavesCounters": 198, "GivesBootTwice": 107,
	"LowersOnUndo": 146}

// TestBrokenRulesAreFound: the simulation can fail.
func TestBrokenRulesAreFound(t *testing.T) {
	sim.Prepare(t) // while nothing is broken
	for _, name := range slices.Sorted(maps.Keys(broken.Rules)) {
		t.Run(name, func(t *testing.T) {
			*broken.Rules[name] = true
			defer func() { *broken.Rules[name] = false }()
			if seed, ok := remembered[name]; ok && finds(t, name, seed) {
				return
			}
			for seed := uint64(1); seed <= *tries; seed++ {
				if finds(t, name, seed) {
					return
				}
			}
			t.Errorf("not found within %d seeds", *tries)
		})
	}
}

// finds says that the story of a seed shows that a rule is broken.
func finds(t *testing.T, name string, seed uint64) bool {
	for _, wrong := range sim.Run(t, seed, sim.Options{}).Wrong {
		if _, what, _ := strings.Cut(wrong, " "); strings.HasPrefix(what, found[name]) {
			t.Logf("found with seed %d: %s", seed, wrong)
			return true
		}
	}
	return false
}
