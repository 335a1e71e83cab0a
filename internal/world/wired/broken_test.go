//go:build brokenrules

package wired_test

import (
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"z2mha/internal/failover/broken"
	"z2mha/internal/world/wired"
)

var tries = flag.Uint64("tries", 150, "within how many seeds a broken rule must be found")

// found is which rule the simulation says is broken. The other ones are found by package
// sim, which sees more of what the controller keeps.
var found = map[string]string{"StartsUnfenced": "I1", "LeavesCounters": "I2", "IgnoresHold": "I7", "IgnoresBroker": "I7"}

// TestBrokenRulesAreFound: the simulation can fail.
func TestBrokenRulesAreFound(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		t.Run(name, func(t *testing.T) {
			*broken.Rules[name] = true
			defer func() { *broken.Rules[name] = false }()
			others := map[string]bool{}
			for seed := uint64(1); seed <= *tries; seed++ {
				for _, wrong := range wired.Run(t, seed, wired.Options{}).Wrong {
					_, what, _ := strings.Cut(wrong, " ")
					if strings.HasPrefix(what, found[name]) {
						t.Logf("found with seed %d: %s", seed, wrong)
						return
					}
					others[what] = true
				}
			}
			t.Errorf("not found within %d seeds; found %v", *tries, slices.Sorted(maps.Keys(others)))
		})
	}
}
