package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"z2mha/internal/world/home"
)

// plugFor is a smart plug with a web interface, which the host and its stick have their
// power from.
func (b *bench) plugFor(n *home.Node) *httptest.Server {
	b.Helper()
	var off atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("POST /off", func(http.ResponseWriter, *http.Request) {
		n.Dongle.SetPower(false)
		off.Store(true)
	})
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"output":%t}`, !off.Load()) })
	s := httptest.NewServer(mux)
	b.Cleanup(s.Close)
	return s
}

// TestFailoverByFence: the attic's host is cut off, and its stick goes on. Nobody's word
// brings the cellar on air beside it; a fence does, once it has cut the power.
func TestFailoverByFence(t *testing.T) {
	b := simulated(t).start()
	b.ends(b.z2mha("seed"), exitOK)
	b.ends(b.z2mha("sync"), exitOK)
	if err := b.home.Attic.Kill(); err != nil { // its stick stays on air
		t.Fatal(err)
	}
	if err := b.home.Attic.Host.Close(); err != nil {
		t.Fatal(err)
	}
	b.ends(b.z2mha("failover"), exitRefused, "--confirm-unplugged")
	b.ends(b.z2mha("failover", "--confirm-unplugged", "--confirm", "the stick is unplugged"), exitRolledBack, "somebody is on air")
	b.ends(b.z2mha("failover", "--accept-risk", "--confirm", "two coordinators may speak at once"), exitRolledBack, "somebody is on air")
	b.ends(b.z2mha("fence", "check"), exitRefused, "no fence is configured")

	plug := b.plugFor(b.home.Attic)
	b.reconfigureNode("attic", "fence", fmt.Sprintf(
		`[{kind: http, url: %s/off, confirm_url: %[1]s/state, expect_key: output, expect: "false", off_time: 1s}]`, plug.URL))
	b.ends(b.z2mha("fence", "check"), exitOK, "could cut now")
	b.ends(b.z2mha("fence", "check", "attic", "--test", "--confirm", "cut the power of attic"), exitRefused, "serves the home, or did last")
	b.ends(b.z2mha("failover"), exitOK, "output is false", "hears a router of the network, and no coordinator")
	b.lampAnswersThrough(b.home.Cellar)
	b.mediumIsClean()
}
