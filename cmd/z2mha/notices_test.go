package main

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"

	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/homeassistant/supervisor/supervisortest"
)

// What hosts and devices say makes no links, pictures or HTML in Home Assistant's
// notifications, which are Markdown. Our own link does.
func TestForeignTextInNotifications(t *testing.T) {
	fake := supervisortest.Start(t, supervisortest.Options{})
	client, err := supervisor.New(supervisor.Config{URL: fake.URL, Token: supervisor.NewSecret(fake.Token)})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(slog.New(slog.DiscardHandler))
	s.notices, s.panel = supervisor.NewNotices(client, s.log), "/app/0a1b2c3d_zigbee2mqtt_ha"
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.notices.Run(ctx) })
	defer running.Wait()
	defer cancel()
	s.tell(status.Event{Type: status.EventNeedsHelp, Network: "home",
		Text: "attic said: [log in](https://evil.example)\n\n# ![x](//evil.example/x.png) <img src=x> <https://evil.example>", Fix: "`x` | www.evil.example"})
	fake.Wait("a notification", func(f *supervisortest.Fake) bool { return len(f.Notifications()) > 0 })
	got := fake.Notifications()["z2mha_home_run"].Message
	foreign, ours := strings.CutSuffix(got, "\n\n[Open the page](/app/0a1b2c3d_zigbee2mqtt_ha)")
	if !ours {
		t.Errorf("our link is not in %q", got)
	}
	if rest := escaped.ReplaceAllString(foreign, ""); strings.ContainsAny(rest, "[]()<>`!#*_|:/.") {
		t.Errorf("something has a meaning in %q: %q", got, rest)
	}
}

var escaped = regexp.MustCompile(`\\[[:punct:]]`)
