package main

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"z2mha/internal/config"
	"z2mha/internal/dash"
	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/setup"
	"z2mha/internal/version"
	"z2mha/web"
)

// A place is what the page takes from the configuration.
type place struct {
	address  string
	password config.Secret
	state    string // where our key is
}

// place is what the configuration says; false when it cannot be used, but for its page:
// a page that has a password is not open because something else is misspelt.
func (s *server) place() (place, bool) {
	at := place{address: s.around.listen, state: s.stateDir()}
	cfg, err := s.around.peek()
	if s.around.addon {
		return at, err == nil
	}
	if err == nil {
		at.address, at.password = cfg.Page.Listen, cfg.Page.Password
	} else if page, err := config.LoadPage(s.around.config); err == nil {
		at.address, at.password = page.Listen, page.Password
	}
	return at, err == nil
}

// servePage serves the page until ctx ends, and anew when its place has changed. When
// it cannot be served that is tried again: everything else works without it.
func (s *server) servePage(ctx context.Context) error {
	at, _ := s.place()
	told := ""
	for ctx.Err() == nil {
		page := dash.New(s.pageConfig(at))
		within, end := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- page.Run(within) }()
		err, moved := s.watchPage(ctx, page, ended, &at)
		end()
		switch {
		case moved:
			s.log.Info("the page moves", "address", at.address)
			<-ended
		case err != nil && s.ready != nil:
			return err // somebody waits for it
		case err != nil:
			if err.Error() != told {
				s.log.Error("there is no page for now; everything else goes on", "again in", troublePause, "err", err)
			}
			at = s.awaitPlace(ctx, at)
		}
		told = text(err)
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// watchPage returns when the page has ended, or when at has changed.
func (s *server) watchPage(ctx context.Context, page *dash.Server, ended <-chan error, at *place) (err error, moved bool) {
	ready := page.Ready()
	for {
		select {
		case err := <-ended:
			return err, false
		case <-ready:
			if ready = nil; s.ready != nil {
				s.ready(page.Addr().String())
			}
		case <-s.replaced:
			if now, ok := s.place(); ok && now != *at {
				*at = now
				return nil, true
			}
		}
	}
}

// awaitPlace waits until it is time to try again.
func (s *server) awaitPlace(ctx context.Context, at place) place {
	t := time.NewTimer(troublePause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-s.replaced:
	}
	if now, ok := s.place(); ok {
		return now
	}
	return at
}

func (s *server) pageConfig(at place) dash.Config {
	c := dash.Config{
		Desk: s.front, Mode: dash.Standalone, Notices: s.pageNotices, Version: version.Version,
		Address: at.address, Password: dash.NewPassword(at.password.Reveal()),
		Language: s.around.options.Language, Log: s.log,
		Setup: setup.New(setup.Config{
			File: s.around.config, State: at.state, Defaults: s.around.defaults, Saved: s.Reload, Networks: s.front.Networks,
			Addon: s.around.addon, Log: s.log,
		}),
	}
	if s.around.addon {
		c.Mode, c.Ingress = dash.Addon, s.around.ingress
		if s.around.super != nil {
			c.Admins = supervisor.NewUsers(s.around.super)
		}
	}
	return c
}

// pageNotices are what stands at the top of the page.
func (s *server) pageNotices() []dash.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []dash.Notice
	if s.house == nil && s.trouble == nil {
		out = append(out, dash.Notice{State: web.LightBad, What: "The configuration is being read."})
	}
	if s.around.superErr != nil {
		out = append(out, bad(s.around.superErr.Error()))
	}
	for _, p := range s.around.problems {
		out = append(out, dash.Notice{State: web.LightWarn, What: sentence(p.String())})
	}
	if s.trouble != nil {
		out = append(out, s.troubleNotices()...)
	}
	if s.house != nil {
		out = append(out, s.house.notices()...)
	}
	return out
}

// troubleNotices is why the configuration is not what is worked with. s.mu is held.
func (s *server) troubleNotices() []dash.Notice {
	lines := strings.Split(s.trouble.Error(), "\n")
	switch {
	case s.house != nil:
		return []dash.Notice{{State: web.LightBad, What: "The configuration has changed and cannot be used. Everything goes on with what was read before.", Details: lines}}
	case unset(s.trouble):
		out := []dash.Notice{{State: web.LightWarn, What: "Nothing is set up yet.", Link: web.Link{Label: "Set up two hosts", Href: "setup"}}}
		for _, line := range lines[1:] {
			out = append(out, bad(line))
		}
		return out
	}
	first := bad(lines[0])
	first.Details = lines[1:]
	return []dash.Notice{first}
}

func bad(text string) dash.Notice { return dash.Notice{State: web.LightBad, What: sentence(text)} }

func (h *house) notices() []dash.Notice {
	var out []dash.Notice
	if st := h.app.bus.Status(); !st.Connected && st.Err != nil {
		out = append(out, bad(st.Err.Error()))
	}
	if h.restored != nil {
		out = append(out, dash.Notice{State: web.LightWarn, What: "The data of this controller came out of " + whichBackup(*h.restored) + ".",
			Fix: "See which host is active, then release the hold."})
	}
	if len(h.cfg.Warnings) > 0 {
		n := dash.Notice{State: web.LightWarn, What: "The configuration can be used, and some of it is worth a look."}
		for _, w := range h.cfg.Warnings {
			n.Details = append(n.Details, w.String())
		}
		out = append(out, n)
	}
	for _, r := range h.traps.Status() {
		if r.Err != nil {
			out = append(out, dash.Notice{State: web.LightWarn, What: sentence("traps to " + r.Address + ": " + r.Err.Error())})
		}
	}
	return out
}

// sentence makes an error's text one for the page. What begins with the name of an
// option or a path stays as it is written.
func sentence(s string) string {
	if s == "" {
		return s
	}
	word, _, _ := strings.Cut(s, " ")
	if !strings.ContainsAny(strings.TrimSuffix(word, ":"), "._/[:") {
		r, n := utf8.DecodeRuneInString(s)
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
