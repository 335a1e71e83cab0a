//go:build !brokenrules

package broken_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"z2mha/internal/failover/broken"
)

// anyRule is a constant: that this compiles shows that the compiler can leave out what hangs
// on it.
const anyRule = broken.StartsUnfenced || broken.TrustsOthers || broken.LeavesCounters || broken.LowersOnUndo || broken.KeepsNothing ||
	broken.ActsFirst || broken.IgnoresHold || broken.IgnoresBroker || broken.IgnoresOpenRun || broken.BelievesStop || broken.TakesShrunken ||
	broken.CapturesStandby || broken.StartsHalfLoaded || broken.GivesBootTwice || broken.IgnoresVeto || broken.FencesByFaith ||
	broken.IgnoresCoolDown || broken.StartsStopped || broken.TellsKey

func TestNoRuleIsBroken(t *testing.T) {
	if anyRule {
		t.Error("a rule is broken in an ordinary build")
	}
}

// Nothing that builds what is shipped knows the tag.
func TestNobodyShipsBrokenRules(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	for _, pattern := range []string{"Dockerfile", "Makefile", "scripts/*", "packaging/*", "addon/*", ".github/*/*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				continue // a folder
			}
			for line := range strings.Lines(string(content)) {
				if strings.Contains(line, "brokenrules") && !strings.Contains(line, "TestBrokenRulesAreFound") {
					t.Errorf("%s: %s", file, line)
				}
			}
		}
	}
}
