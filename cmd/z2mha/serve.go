package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"z2mha/internal/backup"
	"z2mha/internal/dash"
	"z2mha/internal/failover/desk"
	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/supervisor"
	"z2mha/internal/host/remote"
	"z2mha/internal/setup"
	"z2mha/internal/storage/durable"
	"z2mha/internal/version"
	"z2mha/web"
)

func serveCommand(f *flags) *cobra.Command {
	var addon bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Run for good: the page, Home Assistant's entities, traps", Args: noArgs,
		Long: "Watch the networks, serve the page, tell Home Assistant over MQTT, send traps, and carry out what is asked for.\n" +
			"What cannot be used is named on the page and in the log; the rest goes on.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serve(cmd.Context(), f, addon)
		},
	}
	cmd.Flags().BoolVar(&addon, "addon", false, "as a Home Assistant add-on: options, broker and users come from the Supervisor")
	return cmd
}

// A server outlives the configurations that it works with.
type server struct {
	around  surroundings
	log     *slog.Logger
	front   *desk.Front
	notices *supervisor.Notices  // in Home Assistant; nil without a Supervisor
	panel   string               // path of our page in Home Assistant, "" when not known
	ready   func(address string) // told once the page is served; may be nil

	// restored has the state directories that this process has worked in, with the
	// backup they came out of, if any.
	restored map[string]*backup.Marker

	mu       sync.Mutex
	house    *house        // nil while there is none
	trouble  error         // why there is none
	reloaded chan struct{} // a token: read the configuration again
}

func serve(ctx context.Context, f *flags, addon bool) error {
	level := new(slog.LevelVar)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s := newServer(log)
	if s.around = (surroundings{config: f.config}); addon {
		s.around = inAddon(log)
		level.Set(s.around.options.LogLevel)
	}
	if f.verbose {
		level.Set(slog.LevelDebug)
	}
	for _, p := range s.around.problems {
		log.Warn("option not used", "problem", p)
	}
	if s.around.superErr != nil {
		log.Error("no Supervisor", "err", s.around.superErr)
	}
	log.Info("z2mha starts", "version", version.Version, "configuration", s.around.config)
	return s.run(ctx)
}

func newServer(log *slog.Logger) *server {
	return &server{log: log, front: &desk.Front{}, restored: map[string]*backup.Marker{}, reloaded: make(chan struct{}, 1)}
}

func (s *server) run(ctx context.Context) error {
	s.showKey()
	page := dash.New(s.pageConfig())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return page.Run(ctx) })
	if s.ready != nil {
		g.Go(func() error {
			select {
			case <-page.Ready():
				s.ready(page.Addr().String())
			case <-ctx.Done():
			}
			return nil
		})
	}
	if s.around.super != nil {
		s.notices = supervisor.NewNotices(s.around.super, s.log)
		g.Go(func() error { return s.notices.Run(ctx) })
		s.learnPanel(ctx)
	}
	g.Go(func() error { s.watchFile(ctx); return nil })
	g.Go(func() error { return s.houses(ctx) })
	return g.Wait()
}

// pageConfig takes address and password from the configuration as it is at the start.
func (s *server) pageConfig() dash.Config {
	c := dash.Config{
		Desk: s.front, Mode: dash.Standalone, Notices: s.pageNotices, Version: version.Version,
		Language: s.around.options.Language, Log: s.log,
		Setup: setup.New(setup.Config{
			File: s.around.config, State: s.stateDir(), Defaults: s.around.defaults, Saved: s.Reload,
			Addon: s.around.addon, Log: s.log,
		}),
	}
	if s.around.addon {
		c.Mode, c.Address, c.Ingress = dash.Addon, s.around.listen, s.around.ingress
		if s.around.super != nil {
			c.Admins = supervisor.NewUsers(s.around.super)
		}
		return c
	}
	if cfg, err := s.around.peek(); err == nil {
		c.Address, c.Password = cfg.Page.Listen, dash.NewPassword(cfg.Page.Password.Reveal())
	}
	return c
}

// learnPanel asks where our page is in Home Assistant, for links to it.
func (s *server) learnPanel(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, superPatience)
	defer cancel()
	self, err := s.around.super.Self(ctx)
	if err != nil {
		s.log.Warn("our place in Home Assistant is not known", "err", err)
		return
	}
	s.panel = "/app/" + self.Slug
}

// configurationURL is where Home Assistant's device page sends a person.
func (s *server) configurationURL() string {
	if s.panel == "" {
		return ""
	}
	return "homeassistant:/" + s.panel
}

// houses runs one house after the other, each until the configuration changes.
func (s *server) houses(ctx context.Context) error {
	for ctx.Err() == nil {
		h, err := s.open(ctx)
		if err != nil {
			s.settle(nil, err)
			s.log.Error("nothing can be done for now", "err", err)
			s.await(ctx, troublePause)
			continue
		}
		if err := s.live(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// troublePause is when what could not be read or opened is tried again, although
// nobody has changed the file.
const troublePause = time.Minute

func (s *server) open(ctx context.Context) (*house, error) {
	cfg, err := s.around.load(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		s.log.Warn("configuration", "problem", w)
	}
	h, err := s.build(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s.settle(h, nil)
	return h, nil
}

func (s *server) live(ctx context.Context, h *house) error {
	within, end := context.WithCancel(ctx)
	defer end()
	s.front.Put(h.desk)
	ended := make(chan error, 1)
	go func() { ended <- h.run(within, s.tell) }()
	var err error
	select {
	case err = <-ended:
	case <-s.changed(within, h):
		s.log.Info("the configuration has changed")
		end()
		err = <-ended
	}
	s.front.Put(nil)
	s.settle(nil, nil)
	return errors.Join(err, h.app.close())
}

// changed is closed when the configuration has changed and no plan is carried out.
func (s *server) changed(ctx context.Context, h *house) <-chan struct{} {
	out := make(chan struct{})
	go func() {
		select {
		case <-s.reloaded:
		case <-ctx.Done():
			return
		}
		for h.busy() {
			select {
			case <-h.desk.Changed():
			case <-ctx.Done():
				return
			}
		}
		close(out)
	}()
	return out
}

func (s *server) await(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.reloaded:
	case <-ctx.Done():
	}
}

// Reload reads the configuration again, as soon as no plan is carried out.
func (s *server) Reload() {
	select {
	case s.reloaded <- struct{}{}:
	default:
	}
}

// watchFile reloads when somebody has edited the configuration.
func (s *server) watchFile(ctx context.Context) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	last := stamp(s.around.config)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := stamp(s.around.config); now != last {
			last = now
			s.Reload()
		}
	}
}

func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.ModTime().UnixNano(), info.Size())
}

func (s *server) settle(h *house, trouble error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.house, s.trouble = h, trouble
}

// tell keeps Home Assistant's notifications in line with what happens.
func (s *server) tell(e status.Event) {
	if s.notices == nil {
		return
	}
	run, state := "z2mha_"+e.Network+"_run", "z2mha_"+e.Network+"_protection"
	text := e.Text
	if e.Fix != "" {
		text += "\n\n" + e.Fix
	}
	if s.panel != "" {
		text += "\n\n[Open the page](" + s.panel + ")"
	}
	title := "Zigbee network " + e.Network
	switch e.Type {
	case status.EventNeedsHelp, status.EventSwitchoverFailed, status.EventSplitBrain, status.EventRunFailed:
		s.notices.Set(run, title, text)
	case status.EventSwitchoverCompleted, status.EventNodeStarted:
		s.notices.Clear(run)
	case status.EventRedundancyLost:
		s.notices.Set(state, title, text)
	case status.EventRedundancyRestored:
		s.notices.Clear(state)
	}
}

// pageNotices are what stands at the top of the page.
func (s *server) pageNotices() []dash.Notice {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []dash.Notice
	if s.around.superErr != nil {
		out = append(out, dash.Notice{State: web.LightBad, What: sentence(s.around.superErr.Error())})
	}
	for _, p := range s.around.problems {
		out = append(out, dash.Notice{State: web.LightWarn, What: sentence(p.String())})
	}
	switch {
	case errors.Is(s.trouble, fs.ErrNotExist):
		out = append(out, dash.Notice{State: web.LightWarn, What: "Nothing is set up yet.", Link: web.Link{Label: "Set up two hosts", Href: "setup"}})
	case s.trouble != nil:
		lines := strings.Split(s.trouble.Error(), "\n")
		out = append(out, dash.Notice{State: web.LightBad, What: sentence(lines[0]), Details: lines[1:]})
	}
	if s.house != nil {
		out = append(out, s.house.notices()...)
	}
	return out
}

func (h *house) notices() []dash.Notice {
	var out []dash.Notice
	if st := h.app.bus.Status(); !st.Connected && st.Err != nil {
		out = append(out, dash.Notice{State: web.LightBad, What: sentence(st.Err.Error())})
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

// sentence makes an error's text one for the page.
func sentence(s string) string {
	if s == "" {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[n:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// showKey makes our SSH key if there is none and puts its public half where a user
// finds it: in the log, and in the add-on's folder.
func (s *server) showKey() {
	_, line, err := remote.LoadOrCreateKey(filepath.Join(s.stateDir(), "id_ed25519"))
	if err != nil {
		s.log.Error("no SSH key", "err", err)
		return
	}
	s.log.Info("our public SSH key, for authorized_keys on every host", "key", line)
	if s.around.folder == "" {
		return
	}
	path := filepath.Join(s.around.folder, "z2mha.pub")
	if err := (durable.Disk{}).WriteFile(path, []byte(line+"\n"), 0o644); err != nil {
		s.log.Warn("the key could not be put into the add-on's folder", "err", err)
	}
}

// stateDir is where state is, or will be once there is a configuration.
func (s *server) stateDir() string {
	if cfg, err := s.around.peek(); err == nil {
		return cfg.State
	}
	return cmp.Or(s.around.state, filepath.Join(filepath.Dir(s.around.config), "state"))
}

// serveDemo is `z2mha serve` for the demonstration: only warnings are logged.
func serveDemo(ctx context.Context, config string, ready func(address string)) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	s := newServer(log)
	s.around, s.ready = surroundings{config: config}, ready
	return s.run(ctx)
}
