package main

import (
	"context"
	"time"
)

// panelHead is how long entities and notifications wait at a start for the way to our
// page. It can be added later.
const panelHead = 3 * time.Second

// learnPanel asks where our page is in Home Assistant, until that is known: links to it
// are nice to have.
func (s *server) learnPanel(ctx context.Context) {
	defer close(s.panelKnown)
	for told := false; ctx.Err() == nil; {
		within, cancel := context.WithTimeout(ctx, superPatience)
		self, err := s.around.super.Self(within)
		cancel()
		if err == nil {
			s.mu.Lock()
			s.panel = "/app/" + self.Slug
			late := s.house != nil
			s.mu.Unlock()
			if late {
				s.Reload()
			}
			return
		}
		if !told && ctx.Err() == nil {
			s.log.Warn("our place in Home Assistant is not known yet", "err", err)
			told = true
		}
		sleep(ctx, troublePause)
	}
}

// panelPath is the path of our page in Home Assistant, "" when it is not known.
func (s *server) panelPath() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.panel
}

// awaitPanel gives the Supervisor a moment to tell.
func (s *server) awaitPanel(ctx context.Context) {
	if s.around.super == nil {
		return
	}
	t := time.NewTimer(panelHead)
	defer t.Stop()
	select {
	case <-s.panelKnown:
	case <-t.C:
	case <-ctx.Done():
	}
}

// configurationURL is where Home Assistant's device page sends a person.
func configurationURL(panel string) string {
	if panel == "" {
		return ""
	}
	return "homeassistant:/" + panel
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
