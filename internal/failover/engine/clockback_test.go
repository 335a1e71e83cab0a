package engine_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// What was noted by a clock that was ahead does not outlive that a node is seen to run: a
// machine without a clock of its own wakes up in the past after a power cut.
func TestAProofFromTheFutureEndsWhenTheNodeRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := warmHome(t)
		r, err := s.Memory().Load("home")
		if err != nil {
			t.Fatal(err)
		}
		r.Since = time.Now().Add(time.Hour)
		r.Silent["cellar"] = r.Since
		if err := s.Memory().Save(r); err != nil {
			t.Fatal(err)
		}
		h.Host("cellar").SetRunning(true)
		if _, err := controller(h, s).Look(t.Context(), "home", false); err != nil {
			t.Fatal(err)
		}
		r, err = s.Memory().Load("home")
		if _, silent := r.Silent["cellar"]; err != nil || silent || !r.Spoken["cellar"] {
			t.Errorf("%v; cellar counts as silent: %t, its counters are owed: %t", err, silent, r.Spoken["cellar"])
		}
	})
}
