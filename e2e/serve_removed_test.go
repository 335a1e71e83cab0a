package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"z2mha/internal/world/home"
)

var hiddenSeen = regexp.MustCompile(`name="seen" value="([^"]+)"`)

// TestServeRemovesNodes: what is removed on the page is gone from the overview and from
// Home Assistant, at once and after a restart, and comes back when it is written again.
func TestServeRemovesNodes(t *testing.T) {
	t.Parallel()
	broker := newBroker(t, "").start()
	dir := t.TempDir()
	two := describe(anywhere, brokerAt(broker.address))
	three := two + `      - {name: nuc, host: "127.0.0.3:1", dongle: /dev/none, data: /srv/nuc, service: {start: "true", stop: "true"}}` + "\n"
	file := settings(t, dir, three)
	s := served(t, file)
	hear(t, broker.address, home.Login{}).until(0, "z2mha/home/nuc/state")
	s.shows("nuc")

	s.removes("nuc", "goes on with attic and cellar")
	s.hides("nuc")
	s.until("the device of nuc is gone", func() bool { return !broker.speaksOf("nuc") })
	if got, err := os.ReadFile(file); err != nil || string(got) != two {
		t.Errorf("%v\n%s", err, got)
	}

	s.removes("cellar", "the whole network home goes")
	s.shows("No network is set up yet.", "no network yet")
	s.until("no device is left", func() bool { return !broker.speaksOf("home") })
	if old, _ := filepath.Glob(file + ".old-*"); len(old) == 0 {
		t.Error("the file as it was is not kept")
	}
	if got := s.quit(); got != 0 {
		t.Errorf("exit code %d", got)
	}
	s = served(t, file)
	s.shows("No network is set up yet.")

	settings(t, dir, two)
	hear(t, broker.address, home.Login{}).until(0, lastOf)
	s.shows("attic", "cellar")
}

// removes goes through the review of a node.
func (s *serving) removes(node, says string) {
	s.Helper()
	form := url.Values{"network": {"home"}, "node": {node}}
	review := s.request(http.MethodPost, "setup/removal", form)
	seen := hiddenSeen.FindStringSubmatch(review.body)
	if seen == nil || !strings.Contains(readable(review.body), says) {
		s.Fatalf("the review: %d %s", review.status, readable(review.body))
	}
	form.Set("seen", seen[1])
	if got := s.request(http.MethodPost, "setup/remove", form); got.status != http.StatusOK {
		s.Fatalf("%d %s", got.status, readable(got.body))
	}
}

// speaksOf says that the broker keeps something that Home Assistant sees of a name.
func (b *realBroker) speaksOf(name string) bool {
	b.t.Helper()
	for topic := range topics(b.retained()) {
		if strings.Contains(topic, "z2mha_home") && strings.Contains(topic, name) || strings.HasPrefix(topic, "z2mha/home/") && strings.Contains(topic, name) {
			return true
		}
	}
	return false
}
