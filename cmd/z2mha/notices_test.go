package main

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"z2mha/internal/failover/decide"
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

// A question and an accepted risk are kept as notifications while they stand.
func TestAQuestionIsANotificationWhileItStands(t *testing.T) {
	fake := supervisortest.Start(t, supervisortest.Options{})
	client, err := supervisor.New(supervisor.Config{URL: fake.URL, Token: supervisor.NewSecret(fake.Token)})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(slog.New(slog.DiscardHandler))
	s.notices = supervisor.NewNotices(client, s.log)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.notices.Run(ctx) })
	defer running.Wait()
	defer cancel()
	n := status.Network{Name: "home", At: time.Now(), Decision: &status.Decision{Question: &decide.Question{ID: "fence attic", Text: "attic is gone", Fix: "Pull its stick"}}}
	n.Policy.AcceptRisk = decide.RiskWords
	s.remind(n)
	fake.Wait("both", func(f *supervisortest.Fake) bool { return len(f.Notifications()) == 2 })
	if got := fake.Notifications()["z2mha_home_question"].Message; !strings.Contains(got, "attic is gone") || !strings.Contains(got, "Pull its stick") {
		t.Errorf("asked %q", got)
	}
	if got := fake.Notifications()["z2mha_home_risk"].Message; !strings.Contains(got, "two coordinators may speak at once") {
		t.Errorf("told %q", got)
	}
	n.Decision, n.Policy.AcceptRisk = &status.Decision{}, ""
	s.remind(n)
	fake.Wait("none", func(f *supervisortest.Fake) bool { return len(f.Notifications()) == 0 })
}
