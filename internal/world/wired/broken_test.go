//go:build brokenrules

package wired_test

import (
	"strings"
	"testing"

	"z2mha/internal/failover/broken"
	"z2mha/internal/world/wired"
)

// TestBrokenRulesAreFound: the stories can fail. Package sim finds many more rules, some of
// which only what it sees of the controller shows.
func TestBrokenRulesAreFound(t *testing.T) {
	for _, tt := range []struct{ name, want, story string }{
		{"LeavesCounters", "I2", `2 nodes, plugs true, restarts false
  10s process is killed, active #1
  1m0s process is killed, active #1
  3m0s host loses its power, active for 6m0s #1`},
		{"IgnoresHold", "I7", `2 nodes, plugs true, restarts false
  1s puts on hold for a while, active for 4m0s #1
  20s asks for a switchover, stand-by #1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := wired.Parse(strings.NewReader(tt.story))
			if err != nil {
				t.Fatal(err)
			}
			if r := wired.Live(t, s[0], wired.Options{Log: true}); len(r.Wrong) > 0 {
				t.Fatalf("it is found with no rule broken: %v", r)
			}
			*broken.Rules[tt.name] = true
			defer func() { *broken.Rules[tt.name] = false }()
			r := wired.Live(t, s[0], wired.Options{Log: true})
			if !strings.Contains(strings.Join(r.Wrong, "\n"), " "+tt.want+": ") {
				t.Errorf("not found: %v", r)
			}
		})
	}
}
